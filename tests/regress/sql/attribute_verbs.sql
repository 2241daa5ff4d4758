-- What each verb does where the name is there and where it is not, and which times it moves.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

SELECT sso_session_create('verbs-ann') AS ust, sso_session_create('verbs-bob') AS other \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
SELECT sso_attr_create(:'other', 'a', 'of another session');

-- Not there.
SELECT sso_attr_get(:'ust', 'a'), sso_attr_get_text(:'ust', 'a'), sso_attr_take(:'ust', 'a'), sso_attr_exists(:'ust', 'a'), sso_attr_delete(:'ust', 'a');
SELECT count(*) FROM sso_attr_names(:'ust');
SELECT count(*) FROM sso_attr_list(:'ust');
SELECT sso_attr_get_all(:'ust');
SELECT sso_attr_update(:'ust', 'a', 1);
SELECT sso_attr_set_expiry(:'ust', 'a', 60);

-- create.
SELECT sso_attr_create(:'ust', 'a', 1);
SELECT sso_attr_create(:'ust', 'a', 2);
SELECT sso_attr_get(:'ust', 'a'), sso_attr_exists(:'ust', 'a');
SELECT name, value, encrypted, created_at = updated_at, clock_timestamp() - created_at BETWEEN interval '0' AND interval '1 min', expires_at FROM sso_attr_list(:'ust');

-- update moves updated_at, keeps created_at.
UPDATE sso_attr.attribute SET created_at = '2001-01-01', updated_at = '2001-01-01' WHERE session_id = :'id';
SELECT sso_attr_update(:'ust', 'a', 3);
SELECT name, value, created_at = '2001-01-01', clock_timestamp() - updated_at BETWEEN interval '0' AND interval '1 min' FROM sso_attr_list(:'ust');
-- So does set over one that is there; over one that is not, it creates.
UPDATE sso_attr.attribute SET updated_at = '2001-01-01' WHERE session_id = :'id';
SELECT sso_attr_set(:'ust', 'a', 4), sso_attr_set(:'ust', 'b', 5);
SELECT name, value, created_at = '2001-01-01', created_at = updated_at, clock_timestamp() - updated_at BETWEEN interval '0' AND interval '1 min' FROM sso_attr_list(:'ust');
-- So do set_expiry and the batches.
UPDATE sso_attr.attribute SET created_at = '2001-01-01', updated_at = '2001-01-01' WHERE session_id = :'id';
SELECT sso_attr_set_expiry(:'ust', 'a', 60);
SELECT name, value, created_at = '2001-01-01', updated_at > '2001-01-01' FROM sso_attr_list(:'ust');
UPDATE sso_attr.attribute SET updated_at = '2001-01-01' WHERE session_id = :'id';
SELECT sso_attr_update_many(:'ust', '[{"name":"a","value":6}]'), sso_attr_set_many(:'ust', '[{"name":"b","value":7},{"name":"c","value":8}]');
SELECT name, value, created_at = '2001-01-01', updated_at > '2001-01-01' FROM sso_attr_list(:'ust');
UPDATE sso_attr.attribute SET updated_at = '2001-01-01' WHERE session_id = :'id';
SELECT sso_attr_set_expiry_many(:'ust', '[{"name":"a"},{"name":"b"}]');
SELECT name, created_at = '2001-01-01', updated_at > '2001-01-01' FROM sso_attr_list(:'ust');

-- A read changes nothing.
SELECT array_agg(ctid::text || xmin ORDER BY name) AS rows FROM sso_attr.attribute WHERE session_id = :'id' \gset
SELECT sso_attr_get(:'ust', 'a'), sso_attr_get_text(:'ust', 'a'), sso_attr_exists(:'ust', 'a'), sso_attr_get_many(:'ust', '{a,b}'), sso_attr_get_all(:'ust'), sso_attr_exists_many(:'ust', '{a}');
SELECT array_agg(ctid::text || xmin ORDER BY name) = :'rows' FROM sso_attr.attribute WHERE session_id = :'id';

-- get_text is as ->>: strings without quotes, JSON null as NULL, everything else as it is written.
SELECT sso_attr_set_many(:'ust', '[{"name":"text","value":"a \"b\" \u00fc\n\\"},{"name":"null","value":null},{"name":"object","value":{"k":[1, 2]}},{"name":"number","value":1.50},{"name":"bool","value":false},{"name":"empty","value":""}]');
SELECT name, sso_attr_get_text(:'ust', name) IS NOT DISTINCT FROM jsonb_build_object('v', value) ->> 'v', sso_attr_get_text(:'ust', name)
FROM sso_attr_list(:'ust') WHERE name IN ('text', 'null', 'object', 'number', 'bool', 'empty');

-- take gives the value once.
SELECT sso_attr_take(:'ust', 'a'), sso_attr_take(:'ust', 'a'), sso_attr_take(:'ust', 'null'), sso_attr_take(:'ust', 'null');
SELECT sso_attr_exists(:'ust', 'a'), sso_attr_exists(:'ust', 'null');
-- delete says whether it was there; the name is free then.
SELECT sso_attr_delete(:'ust', 'b'), sso_attr_delete(:'ust', 'b'), sso_attr_get(:'ust', 'b');
SELECT sso_attr_create(:'ust', 'b', 9);
SELECT sso_attr_names(:'ust');
-- Nothing of it reached another session.
SELECT sso_attr_get_all(:'other');

-- A read sees its calling statement's snapshot.
SELECT sso_attr_set(:'ust', 'b', 10), sso_attr_get(:'ust', 'b');
SELECT sso_attr_get(:'ust', 'b');

-- A write that is rolled back has not been.
BEGIN;
SELECT sso_attr_update(:'ust', 'b', 11), sso_attr_create(:'ust', 'x', 1), sso_attr_delete(:'ust', 'c');
ROLLBACK;
SELECT sso_attr_get_many(:'ust', '{b,x,c}');
