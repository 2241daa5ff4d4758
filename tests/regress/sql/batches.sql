-- A batch is one step, all or nothing: of names given twice the last wins, except in create_many;
-- what an item says beats what the call says, an explicit null too.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('batches-ann') AS ust \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
CREATE VIEW test.stored AS
    SELECT a.name, a.value, a.sealed IS NOT NULL AS is_sealed,
           CASE WHEN a.expires_at = 'infinity' THEN 'never' ELSE date_trunc('minute', a.expires_at - clock_timestamp() + interval '1 min')::text END AS ends_in
    FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id WHERE s.user_id = 'batches-ann' ORDER BY a.name;

-- No item changes nothing, but still needs a live session.
SELECT sso_attr_create_many(:'ust', '[]'), sso_attr_update_many(:'ust', '[]'), sso_attr_set_many(:'ust', '[]'), sso_attr_set_expiry_many(:'ust', '[]');
SELECT sso_attr_get_many(:'ust', '{}'), sso_attr_exists_many(:'ust', '{}'), sso_attr_delete_many(:'ust', '{}'), sso_attr_get_all(:'ust');
SELECT sso_attr_create_many('no token', '[]');
SELECT sso_attr_update_many('no token', '[]');
SELECT sso_attr_set_many('no token', '[]');
SELECT sso_attr_set_expiry_many('no token', '[]');
SELECT sso_attr_get_many('no token', '{}');
SELECT sso_attr_exists_many('no token', '{}');
SELECT sso_attr_delete_many('no token', '{}');

-- One item; the answer is an object all the same.
SELECT sso_attr_create_many(:'ust', '[{"name": "one", "value": 1}]');
SELECT sso_attr_get_many(:'ust', '{one}'), sso_attr_exists_many(:'ust', '{one}'), sso_attr_get_many(:'ust', '{gone}'), sso_attr_exists_many(:'ust', '{gone}');
SELECT sso_attr_get_many(:'ust', '{one,gone,one}'), sso_attr_exists_many(:'ust', '{gone,one,one}');
SELECT sso_attr_get_many(:'ust', ARRAY[['one', 'gone']]);
SELECT sso_attr_update_many(:'ust', '[{"name": "one", "value": 2}]'), sso_attr_set_many(:'ust', '[{"name": "two", "value": 2}]');
SELECT * FROM test.stored;
SELECT sso_attr_delete_many(:'ust', '{one,gone,two,one}'), sso_attr_delete_many(:'ust', '{one,gone,two}');

-- create_many: any that is there, or is named twice, refuses all, and is told.
SELECT sso_attr_create_many(:'ust', '[{"name": "b", "value": 1}, {"name": "d", "value": 1}]');
\set VERBOSITY default
SELECT sso_attr_create_many(:'ust', '[{"name": "a", "value": 1}, {"name": "d", "value": 1}, {"name": "c", "value": 1}, {"name": "b", "value": 1}]');
SELECT sso_attr_create_many(:'ust', '[{"name": "d", "value": 1}]');
SELECT sso_attr_create_many(:'ust', '[{"name": "a", "value": 1}, {"name": "c", "value": 1}, {"name": "e", "value": 1}, {"name": "c", "value": 2}, {"name": "a", "value": 1}, {"name": "a", "value": 1}]');
\set VERBOSITY sqlstate
SELECT * FROM test.stored;

-- Elsewhere the last of them wins, with all that it says.
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1, "expiration": 60, "encrypt": true}, {"name": "b", "value": 2}, {"name": "a", "value": 3}]');
SELECT sso_attr_update_many(:'ust', '[{"name": "b", "value": 4, "expiration": 60}, {"name": "d", "value": 5}, {"name": "b", "value": 6}]');
SELECT * FROM test.stored;
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "b", "expiration": 60}, {"name": "d", "expiration": 600}, {"name": "b", "expiration": 1200}]');
SELECT * FROM test.stored;
SELECT sso_attr_delete_many(:'ust', '{a,b,d}');

-- A missing key takes the call's parameter, an explicit null is NULL: for create, never and in clear.
SELECT sso_attr_create_many(:'ust', '[{"name": "a", "value": 1}, {"name": "b", "value": 1, "expiration": null, "encrypt": null}, {"name": "c", "value": 1, "expiration": 1200, "encrypt": false},
                                      {"name": "d", "value": 1, "expiration": "Infinity", "encrypt": true}, {"name": "e", "value": null}]', 600, true);
SELECT * FROM test.stored;
SELECT sso_attr_get_all(:'ust');
-- For update, and for set over what is there: as it is.
SELECT sso_attr_update_many(:'ust', '[{"name": "a", "value": 2}, {"name": "b", "value": 2, "expiration": null, "encrypt": null}, {"name": "c", "value": 2, "expiration": null, "encrypt": null},
                                      {"name": "d", "value": 2, "expiration": null, "encrypt": null}, {"name": "e", "value": 2, "expiration": "Infinity", "encrypt": true}]', 1800, false);
SELECT * FROM test.stored;
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 3}, {"name": "b", "value": 3, "expiration": null, "encrypt": null}, {"name": "c", "value": 3, "expiration": null, "encrypt": null},
                                   {"name": "d", "value": 3, "expiration": null, "encrypt": null}, {"name": "e", "value": 3, "expiration": "Infinity", "encrypt": false}, {"name": "f", "value": 3},
                                   {"name": "g", "value": 3, "expiration": null, "encrypt": null}]', 600, true);
SELECT * FROM test.stored;
-- With nothing said anywhere, all stays as it is.
SELECT sso_attr_update_many(:'ust', '[{"name": "a", "value": 4}, {"name": "b", "value": 4}]'), sso_attr_set_many(:'ust', '[{"name": "c", "value": 4}, {"name": "d", "value": 4}, {"name": "h", "value": 4}]');
SELECT * FROM test.stored;
SELECT sso_attr_get_all(:'ust');
-- Of the expiries: absent in item and call is never, an explicit null too.
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "a"}, {"name": "b", "expiration": 1200}, {"name": "c", "expiration": null}, {"name": "e", "expiration": "Infinity"}, {"name": "f", "expiration": 0.5e3}]', 3000);
SELECT name, ends_in FROM test.stored;
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "a"}, {"name": "b"}]');
SELECT name, ends_in FROM test.stored WHERE name IN ('a', 'b');
-- Expiries as drivers may write them.
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "a", "expiration": 60.0}, {"name": "b", "expiration": 6e1}, {"name": "c", "expiration": 0.000000001}]');
SELECT name, ends_in FROM test.stored WHERE name IN ('a', 'b');
SELECT sso_attr_exists(:'ust', 'c');

-- One refused item, wherever it stands, leaves everything undone.
SELECT array_agg(name || value::text) AS before FROM sso_attr_list(:'ust') \gset
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 9}, {"name": "b", "value": 9, "expiration": -1}]');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 9}, {"name": "", "value": 9}]');
SELECT sso_attr_update_many(:'ust', '[{"name": "a", "value": 9}, {"name": "gone", "value": 9}]');
SELECT sso_attr_create_many(:'ust', '[{"name": "x", "value": 9}, {"name": "a", "value": 9}]');
SELECT sso_attr_set_expiry_many(:'ust', '[{"name": "a", "expiration": 1}, {"name": "gone", "expiration": 1}]');
SELECT array_agg(name || value::text) = :'before' FROM sso_attr_list(:'ust');

-- Many items, with names in any order.
SELECT sso_attr_set_many(:'ust', (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', i, 'encrypt', i % 2 = 0) ORDER BY md5(i::text)) FROM generate_series(1, 5000) AS i));
SELECT sso_attr_update_many(:'ust', (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', -i) ORDER BY -i) FROM generate_series(1, 5000) AS i));
SELECT count(*), sum(value::numeric), count(*) FILTER (WHERE encrypted) FROM sso_attr_list(:'ust') WHERE name LIKE 'n%';
SELECT sum(value::numeric) FROM jsonb_each(sso_attr_get_many(:'ust', ARRAY(SELECT 'n' || i FROM generate_series(5000, 1, -1) AS i)));
SELECT count(*) FROM jsonb_each(sso_attr_exists_many(:'ust', ARRAY(SELECT 'n' || i FROM generate_series(1, 6000) AS i))) WHERE value = 'true';
SELECT sso_attr_delete_many(:'ust', ARRAY(SELECT 'n' || i FROM generate_series(0, 6000) AS i));
DROP VIEW test.stored;
