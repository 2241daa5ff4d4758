-- The verbs that take jsonb and nothing else, so that a driver learns the type from the server: they do what their
-- namesakes do, whatever the JSON.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('json-ann') AS ust \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
-- A parameter without a type is jsonb, not text.
PREPARE set_json AS SELECT sso_attr_set_json($1, $2, $3);
PREPARE create_json AS SELECT sso_attr_create_json($1, $2, $3, $4, $5);
PREPARE update_json AS SELECT sso_attr_update_json($1, $2, $3, $4, $5);
PREPARE compare AS SELECT sso_attr_compare_and_set($1, $2, $3, $4);
PREPARE save AS SELECT sso_session_save($1, $2, $3);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
DEALLOCATE ALL;
-- Each value is stored as it is, and read back the same, by each of the three.
SELECT value, sso_attr_create_json(:'ust', 'created ' || n, value), sso_attr_set_json(:'ust', 'set', value), sso_attr_update_json(:'ust', 'set', value)
FROM unnest(ARRAY['42', '-0', '1.50', '12345678901234567890.123456789012345678901234567890', '1e400', 'true', 'false', 'null', '"text"', '""', '"42"', '"null"', '"\"quoted\" \\ \n é 日 😀"', '[]', '[1, "a", null, [true]]', '{}', '{"b": {"c": null}, "a": [1.0]}', NULL]::jsonb[]) WITH ORDINALITY AS v (value, n);
SELECT name, jsonb_typeof(value), CASE WHEN length(value::text) < 80 THEN value END FROM sso_attr_list(:'ust') ORDER BY length(name), name;
SELECT sso_attr_get_text(:'ust', 'created 1'), sso_attr_get_text(:'ust', 'created 9'), sso_attr_get_text(:'ust', 'created 8'), sso_attr_get_text(:'ust', 'created 18');
-- A literal is JSON, not a text: what is no JSON is refused.
SELECT sso_attr_set_json(:'ust', 'a', 'my-value');
SELECT sso_attr_set_json(:'ust', 'a', '');
SELECT sso_attr_set_json(:'ust', 'a', '{"a": 1} x');
SELECT sso_attr_set_json(:'ust', 'a', 'NaN');
SELECT sso_attr_set_json(:'ust', 'a', '"\u0000"');
SELECT sso_attr_set_json(:'ust', 'a', 1);
SELECT sso_attr_set_json(:'ust', 'a', 'text'::text);
SELECT sso_attr_exists(:'ust', 'a');
-- What the namesakes answer and raise.
SELECT sso_attr_set_json(:'ust', 'a', '1'), sso_attr_set_json(:'ust', 'a', '2'), sso_attr_update_json(:'ust', 'a', '3');
SELECT sso_attr_create_json(:'ust', 'a', '4');
SELECT sso_attr_update_json(:'ust', 'b', '4');
SELECT sso_attr_get_many(:'ust', '{a,b}');
UPDATE sso_attr.attribute SET expires_at = clock_timestamp() WHERE session_id = :'id' AND name = 'a';
SELECT sso_attr_update_json(:'ust', 'a', '5');
SELECT sso_attr_set_json(:'ust', 'a', '5');
UPDATE sso_attr.attribute SET expires_at = clock_timestamp() WHERE session_id = :'id' AND name = 'a';
SELECT sso_attr_create_json(:'ust', 'a', '6');
-- Protection and end, as there.
SELECT sso_attr_create_json(:'ust', 'sealed', '{"pin": 1}', 3600, true), sso_attr_create_json(:'ust', 'clear', '1', NULL, NULL);
CREATE VIEW test.protection AS SELECT session_id, name, value IS NOT NULL AS is_clear, sealed IS NOT NULL AS is_sealed, expires_at < 'infinity' AS ends FROM sso_attr.attribute WHERE name IN ('sealed', 'clear') ORDER BY name;
SELECT name, is_clear, is_sealed, ends FROM test.protection WHERE session_id = :'id';
SELECT sso_attr_update_json(:'ust', 'sealed', '{"pin": 2}'), sso_attr_set_json(:'ust', 'sealed', '{"pin": 3}'), sso_attr_update_json(:'ust', 'clear', '2', 60, true);
SELECT name, is_clear, is_sealed, ends, sso_attr_get(:'ust', name) FROM test.protection WHERE session_id = :'id';
SELECT sso_attr_set_json(:'ust', 'sealed', '{"pin": 4}', 'Infinity', false), sso_attr_set_json(:'ust', 'clear', '3', encrypt => false);
SELECT name, is_clear, is_sealed, ends, sso_attr_get(:'ust', name) FROM test.protection WHERE session_id = :'id';
-- Bad input, each verb; nothing is changed.
SELECT verb, arguments, test.attempt(format('sso_attr_%s_json($1, %s)', verb, arguments), :'ust') AS live, test.attempt(format('sso_attr_%s_json($1, %s)', verb, arguments), 'no token') AS none
FROM unnest('{create,update,set}'::text[]) WITH ORDINALITY AS v (verb, v), unnest(ARRAY['NULL, ''1''', ''''', ''1''', 'repeat(''n'', 256), ''1''', '''n'', ''1'', 0', '''n'', ''1'', ''NaN''', '''n'', to_jsonb(repeat(''v'', 1048575))', '''n'', repeat(''['', 100000)::jsonb']) WITH ORDINALITY AS a (arguments, a) ORDER BY v, a;
SELECT sso_attr_exists(:'ust', 'n');
DROP VIEW test.protection;
SELECT sso_session_end(:'ust');
