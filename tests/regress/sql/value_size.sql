-- A value is as long as its JSON text, and one byte over sso_attr.max_value_size is refused on
-- every way in, before it is sealed; a default build takes a megabyte.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
SELECT sso_session_create('size-ann') AS ust \gset
SET sso_attr.max_value_size = 100;

-- The quotes of a string count, an escape counts as it is written.
CREATE TABLE test.sized (what text, value text);
INSERT INTO test.sized VALUES
    ('text at the limit', 'repeat(''x'', 98)'), ('text over', 'repeat(''x'', 99)'),
    ('two-byte text at the limit', 'repeat(''ü'', 49)'), ('two-byte text over', 'repeat(''ü'', 49) || ''x'''),
    ('escapes at the limit', 'repeat(E''\x01'', 16) || ''xx'''), ('escapes over', 'repeat(E''\x01'', 16) || ''xxx'''),
    ('quotes at the limit', 'repeat(''"'', 49)'), ('quotes over', 'repeat(''"'', 50)'),
    ('varchar at the limit', 'repeat(''x'', 98)::varchar'), ('varchar over', 'repeat(''x'', 99)::varchar'),
    ('jsonb at the limit', 'jsonb_build_array(repeat(''x'', 96))'), ('jsonb over', 'jsonb_build_array(repeat(''x'', 97))'),
    ('json at the limit', '(''[ "'' || repeat(''x'', 96) || ''"   ]'')::json'), ('json over', '(''["'' || repeat(''x'', 97) || ''"]'')::json'),
    ('numeric at the limit', '1e99::numeric'), ('numeric over', '1e100::numeric'), ('numeric far over', '1e1000::numeric'), ('fraction over', '1e-1000::numeric'),
    ('jsonb numeric over', '''1e1000''::jsonb'), ('jsonb small but long', '''[1e60, 1e60]''::jsonb'),
    ('array over', 'ARRAY(SELECT 1 FROM generate_series(1, 40))'), ('bytea over', 'decode(repeat(''00'', 50), ''hex'')');
SELECT what, octet_length(json::text), single, sealed, many, many_sealed
FROM test.sized,
     LATERAL (SELECT test.attempt(format('sso_attr_set($1, ''a'', %s)', value), :'ust'), test.attempt(format('sso_attr_set($1, ''b'', %s, NULL, true)', value), :'ust'),
                     test.attempt(format('sso_attr_set_many($1, jsonb_build_array(jsonb_build_object(''name'', ''c'', ''value'', %s)))', value), :'ust'),
                     test.attempt(format('sso_attr_set_many($1, jsonb_build_array(jsonb_build_object(''name'', ''d'', ''value'', %s)), NULL, true)', value), :'ust'),
                     test.attempt('to_jsonb(' || value || ')')) AS r (single, sealed, many, many_sealed, json);
DROP TABLE test.sized;

-- create, update and the batches too; an item over the limit leaves the whole batch undone.
SELECT sso_attr_create(:'ust', 'e', repeat('x', 99));
SELECT sso_attr_update(:'ust', 'a', repeat('x', 99));
SELECT sso_attr_create_many(:'ust', jsonb_build_array(jsonb_build_object('name', 'e', 'value', 1), jsonb_build_object('name', 'f', 'value', repeat('x', 99))));
SELECT sso_attr_update_many(:'ust', jsonb_build_array(jsonb_build_object('name', 'a', 'value', 1), jsonb_build_object('name', 'b', 'value', repeat('x', 99))));
SELECT string_agg(n, ',') FROM sso_attr_names(:'ust') AS n;
SELECT sso_attr_get(:'ust', 'a') <> '1';
-- Each item has the limit for itself.
SELECT sso_attr_set_many(:'ust', (SELECT jsonb_agg(jsonb_build_object('name', 'item' || i, 'value', repeat('x', 98))) FROM generate_series(1, 20) AS i));
-- What is there is still read under a lower limit.
SET sso_attr.max_value_size = 1;
SELECT length(sso_attr_get_text(:'ust', 'item1'));
SELECT sso_attr_set(:'ust', 'tiny', 1), sso_attr_get(:'ust', 'tiny');
SELECT sso_attr_set(:'ust', 'tiny', 12);
-- The message says how long is too long, and where; never what the value was.
\set VERBOSITY default
SELECT sso_attr_set(:'ust', 'a', 'secret');
SELECT sso_attr_set_many(:'ust', '[{"name": "a", "value": 1}, {"name": "b", "value": "secret"}]');
SELECT sso_attr_set(:'ust', repeat('n', 256), 1);
SELECT sso_attr_set_many(:'ust', jsonb_build_array(jsonb_build_object('name', repeat('n', 256), 'value', 1)));
RESET sso_attr.max_value_size;

-- The default.
\set VERBOSITY sqlstate
SELECT sso_attr_set(:'ust', 'a', repeat('x', 1024 * 1024 - 2)), sso_attr_set(:'ust', 'b', repeat('x', 1024 * 1024 - 2), encrypt => true);
SELECT length(sso_attr_get_text(:'ust', 'a')), length(sso_attr_get_text(:'ust', 'b'));
SELECT sso_attr_set(:'ust', 'a', repeat('x', 1024 * 1024 - 1));
