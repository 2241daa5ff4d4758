-- A row that no function of ours writes, with a value in both columns or in neither, is corrupted data
-- to every verb that needs the value: an error, never a guess and never an endless loop. A write over
-- a row that holds no value mends it.
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('tampered-ann') AS ust \gset
CREATE FUNCTION test.tamper() RETURNS void LANGUAGE sql AS $$
    WITH session AS (SELECT id FROM sso_attr.session WHERE user_id = 'tampered-ann')
    INSERT INTO sso_attr.attribute (session_id, name, value, sealed, created_at, updated_at)
    SELECT id, name, value, sealed, now(), now() FROM session,
        (VALUES ('both', '1'::jsonb, '\x01'::bytea), ('neither', NULL, NULL)) AS row (name, value, sealed)
$$;
BEGIN;
SELECT test.tamper();
SET LOCAL statement_timeout = '5s';
SELECT name, call, test.attempt(format(call, name), :'ust') FROM
    (VALUES (1, 'both'), (2, 'neither')) AS n (n, name),
    (VALUES (1, 'sso_attr_get($1, %L)'), (2, 'sso_attr_get_text($1, %L)'), (3, 'sso_attr_get_many($1, ARRAY[%L])'),
            (4, 'sso_attr_update($1, %L, 2)'), (5, 'sso_attr_set($1, %L, 2)'),
            (6, 'sso_attr_update_many($1, jsonb_build_array(jsonb_build_object(''name'', %L, ''value'', 2)))'),
            (7, 'sso_attr_set_many($1, jsonb_build_array(jsonb_build_object(''name'', %L, ''value'', 2)))'),
            (8, 'sso_attr_take($1, %L)'), (9, 'sso_attr_compare_and_set($1, %L, ''1'', ''2'')'), (10, 'sso_attr_increment($1, %L)')) AS c (c, call)
ORDER BY n, c;
SELECT test.attempt('sso_attr_get_all($1)', :'ust'), test.attempt('count(*) FROM sso_attr_list($1)', :'ust'), test.attempt('count(*) FROM sso_session_load($1)', :'ust'), test.attempt('sso_session_save($1, ''{"both":2}'')', :'ust');
-- What needs no value works, and so the row can be removed.
SELECT test.attempt('string_agg(n, '','') FROM sso_attr_names($1) AS n', :'ust'), test.attempt('sso_attr_delete($1, ''both'')', :'ust'), test.attempt('sso_attr_delete_many($1, ''{neither}'')', :'ust'), test.attempt('sso_attr_get_all($1)', :'ust');
ROLLBACK;
DROP FUNCTION test.tamper();
SELECT sso_session_end(:'ust');
