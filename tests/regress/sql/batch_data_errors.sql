-- An item that is not understood is refused by its number and key, and never guessed at.
\pset format unaligned
\pset tuples_only on
SELECT sso_session_create('data-ann') AS ust \gset
SELECT sso_attr_create(:'ust', 'a', 1);

-- data is an array of objects.
SELECT sso_attr_set_many(:'ust', '{"a": 1}');
SELECT sso_attr_set_many(:'ust', '{"name": "a", "value": 1}');
SELECT sso_attr_set_many(:'ust', '"a"');
SELECT sso_attr_set_many(:'ust', 'null');
SELECT sso_attr_set_many(:'ust', NULL);
SELECT sso_attr_set_many(:'ust', '[1]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1}, null]');
SELECT sso_attr_set_many(:'ust', '[[{"name": "a", "value": 1}]]');
SELECT sso_attr_set_many(:'ust', '["a"]');

-- Its keys.
SELECT sso_attr_set_many(:'ust', '[{}]');
SELECT sso_attr_set_many(:'ust', '[{"value": 1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a"}]');
SELECT sso_attr_set_many(:'ust', '[{"name": null, "value": 1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": 5, "value": 1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": ["a"], "value": 1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "", "value": 1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1}, {"name": "b", "value": 1, "expiry": 60}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "ttl": 60}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "encrypted": true}]');
SELECT sso_attr_set_many(:'ust', '[{"Name": "a", "value": 1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "": 1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": "60"}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": "infinity"}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": "-Infinity"}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": true}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": {}}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": 0}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": -0.5}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": 1e13}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": 1e400}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "encrypt": 1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "encrypt": "true"}]');

-- The same for every batch that writes; the call's own parameters are checked too.
SELECT sso_attr_create_many(:'ust', '[{"name": "x"}]');
SELECT sso_attr_create_many(:'ust', '{}');
SELECT sso_attr_create_many(:'ust', '[{"name": "x", "value": 1}]', 0);
SELECT sso_attr_update_many(:'ust', '[{"name": "a", "value": 1}, {"value": 1}]');
SELECT sso_attr_update_many(:'ust', '5');
SELECT sso_attr_update_many(:'ust', '[]', 'NaN');

-- The expiries have two keys only.
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "a", "value": 1}]');
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "a", "encrypt": null}]');
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "a", "expires_at": 60}]');
SELECT sso_attr_set_expiry_many(:'ust', '[{"expiration": 60}]');
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "a", "expiration": "1 hour"}]');
SELECT sso_attr_set_expiry_many(:'ust', '{"a": 60}');
SELECT sso_attr_set_expiry_many(:'ust', '[]', -1);

-- Names are checked before the session, a null among them too.
SELECT sso_attr_get_many('no token', NULL);
SELECT sso_attr_get_many('no token', '{a,NULL}');
SELECT sso_attr_set_many('no token', '[{"name": "a"}]');
-- No text that fails is repeated: it may be a secret.
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": "secret", "encrypt": "secret"}]');
SELECT sso_attr_set_many(:'ust', '["secret"]');
SELECT sso_attr_get_all(:'ust');
