-- What can be written can be read again, sealed or not: JSON nested more deeply than PostgreSQL could
-- parse from text is refused when it comes.
\pset format unaligned
\pset tuples_only on
SELECT sso_session_create('nesting-ann') AS ust \gset
CREATE FUNCTION test.nested(depth integer) RETURNS jsonb LANGUAGE sql AS $$ SELECT (repeat('[', depth) || repeat(']', depth))::jsonb $$;
CREATE FUNCTION test.nested_objects(depth integer) RETURNS jsonb LANGUAGE sql AS $$ SELECT (repeat('{"a":', depth) || '1' || repeat('}', depth))::jsonb $$;

-- 5000 levels come back, in clear and sealed, from every read.
SELECT count(sso_attr_set(:'ust', kind || encrypt, value, encrypt => encrypt))
FROM (VALUES ('array ', test.nested(5000)), ('object ', test.nested_objects(5000))) AS v (kind, value), (VALUES (false), (true)) AS e (encrypt);
SELECT name, encrypted, length(value::text), sso_attr_get(:'ust', name) = value, sso_attr_get_text(:'ust', name)::jsonb = value,
       sso_attr_get_all(:'ust') -> name = value, sso_attr_get_many(:'ust', ARRAY[name]) -> name = value
FROM sso_attr_list(:'ust');

-- Too deep is refused by every verb, however it is to be stored, and nothing is there afterwards.
SELECT count(sso_attr_set(:'ust', 'here', 1));
SELECT call, encrypt, test.attempt(format(call, encrypt), :'ust') FROM
    (VALUES (1, 'sso_attr_create($1, ''deep'', test.nested(14500), NULL, %L)'),
            (2, 'sso_attr_set($1, ''deep'', test.nested(14500), NULL, %L)'),
            (3, 'sso_attr_set($1, ''deep'', test.nested_objects(8000), NULL, %L)'),
            (4, 'sso_attr_set($1, ''deep'', ARRAY[test.nested(14500)], NULL, %L)'),
            (5, 'sso_attr_set($1, ''deep'', test.nested(8000)::text::json, NULL, %L)'),
            (6, 'sso_attr_update($1, ''here'', test.nested(14500), NULL, %L)'),
            (7, 'sso_attr_set_many($1, jsonb_build_array(jsonb_build_object(''name'', ''deep'', ''value'', test.nested(14500))), NULL, %L)'),
            (8, 'sso_attr_create_many($1, jsonb_build_array(jsonb_build_object(''name'', ''deep'', ''value'', test.nested(14500))), NULL, %L)'),
            (9, 'sso_attr_update_many($1, jsonb_build_array(jsonb_build_object(''name'', ''here'', ''value'', test.nested(14500))), NULL, %L)')) AS c (c, call),
    (VALUES (false), (true)) AS e (encrypt)
ORDER BY c, encrypt;
-- Brackets in a string are no nesting.
SELECT count(sso_attr_set(:'ust', 'brackets', repeat('[', 14500), encrypt => true));
SELECT string_agg(n, ', ') FROM sso_attr_names(:'ust') AS n;
DROP FUNCTION test.nested, test.nested_objects;
SELECT sso_session_end(:'ust');
