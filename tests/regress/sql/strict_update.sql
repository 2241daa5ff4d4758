-- Updating a name that is not there raises and names it; nothing is created, nothing is changed.
\pset format unaligned
\pset tuples_only on
SELECT sso_session_create('strict-ann') AS ust, sso_session_create('strict-bob') AS other \gset
SELECT sso_attr_update(:'ust', 'absent', 'value');
SELECT sso_attr_names(:'ust');

-- An attribute of another session is not there.
SELECT sso_attr_create(:'other', 'mine', 1);
SELECT sso_attr_update(:'ust', 'mine', 2);
SELECT sso_attr_get(:'other', 'mine');

-- Case and blanks are part of the name.
SELECT sso_attr_create(:'ust', 'name', 1);
SELECT sso_attr_update(:'ust', 'Name', 2);
SELECT sso_attr_update(:'ust', 'name ', 2);
SELECT sso_attr_get_all(:'ust');

-- An update that is refused for another reason leaves the value too.
\set VERBOSITY sqlstate
SELECT sso_attr_update(:'ust', 'name', 2, expiration => -1);
SELECT sso_attr_update(:'ust', NULL, 2);
SELECT sso_attr_update(:'ust', '', 2);
SELECT sso_attr_get_all(:'ust');
SELECT sso_attr_update(:'ust', 'name', 2);
SELECT sso_attr_get_all(:'ust');

-- What was deleted or taken is not there.
SELECT sso_attr_delete(:'ust', 'name');
SELECT sso_attr_update(:'ust', 'name', 3);
SELECT sso_attr_create(:'ust', 'name', 4);
SELECT sso_attr_take(:'ust', 'name');
SELECT sso_attr_update(:'ust', 'name', 5);
SELECT sso_attr_set_expiry(:'ust', 'name', 60);
SELECT sso_attr_names(:'ust');
\set VERBOSITY default

-- Of a batch with missing names, every missing one is listed once, in byte order, and nothing is changed.
SELECT sso_attr_create_many(:'ust', '[{"name": "a", "value": 1}, {"name": "c", "value": 3}]');
SELECT array_agg(a.ctid::text || a.xmin ORDER BY name) AS rows
FROM sso_attr.attribute AS a JOIN sso_session_get(:'ust') AS s USING (session_id) \gset
SELECT sso_attr_update_many(:'ust', '[{"name": "z", "value": 9}, {"name": "a", "value": 9}, {"name": "b", "value": 9},
                                      {"name": "B", "value": 9}, {"name": "z", "value": 8}, {"name": "c", "value": 9}]');
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "b"}, {"name": "a"}]', 60);
SELECT sso_attr_update_many(:'ust', '[{"name": "a \"quoted\", b\n", "value": 1}, {"name": "ü", "value": 1}]');
SELECT sso_attr_get_all(:'ust');
SELECT array_agg(a.ctid::text || a.xmin ORDER BY name) = :'rows'
FROM sso_attr.attribute AS a JOIN sso_session_get(:'ust') AS s USING (session_id);
SELECT sso_attr_update_many(:'ust', '[{"name": "c", "value": 30}, {"name": "a", "value": 10}]');
SELECT sso_attr_get_all(:'ust');

-- The session's end comes before the missing name.
SELECT sso_session_end(:'ust');
SELECT sso_attr_update(:'ust', 'absent', 1);
SELECT sso_attr_update_many(:'ust', '[{"name": "absent", "value": 1}]');
