-- A value comes back as it was given, whatever its type: as to_jsonb makes it, no digit lost, and
-- what other languages hold to be nothing ('', 0, false, null, [], {}) is a value like any other.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('values-ann') AS ust \gset

-- An untyped literal, and a parameter that a driver sends untyped, is text.
SELECT sso_attr_set(:'ust', 'a', 'my-value');
SELECT sso_attr_get(:'ust', 'a'), sso_attr_get_text(:'ust', 'a');
SELECT sso_attr_set(:'ust', 'a', '{"k": 1}');
SELECT sso_attr_get(:'ust', 'a'), sso_attr_get_text(:'ust', 'a');
PREPARE untyped AS SELECT sso_attr_set($1, $2, $3, $4, $5);
EXECUTE untyped (:'ust', 'a', '5', NULL, NULL);
SELECT sso_attr_get(:'ust', 'a');
EXECUTE untyped (:'ust', 'a', NULL, NULL, NULL);
SELECT sso_attr_get(:'ust', 'a');
DEALLOCATE untyped;

-- Every verb keeps what is falsy elsewhere.
CREATE TABLE test.given (position integer, value jsonb);
INSERT INTO test.given VALUES (1, '""'), (2, '0'), (3, 'false'), (4, 'null'), (5, '[]'), (6, '{}'), (7, '" "'), (8, '-0'), (9, '0.0'), (10, '[null]'), (11, '"null"');
SELECT sso_attr_create(:'ust', 'created', 'x'), sso_attr_create(:'ust', 'updated', 'x', encrypt => true);
SELECT value, sso_attr_set(:'ust', 'a', value), sso_attr_update(:'ust', 'updated', value), sso_attr_delete(:'ust', 'created'), sso_attr_create(:'ust', 'created', value),
       (SELECT sso_attr_update_many(:'ust', jsonb_build_array(jsonb_build_object('name', 'a', 'value', value)))),
       test.attempt('sso_attr_get_many($1, ''{a,created,updated}'')', :'ust')
FROM test.given ORDER BY position;
SELECT sso_attr_set(:'ust', 'a', ''), sso_attr_set(:'ust', 'b', 0), sso_attr_set(:'ust', 'c', false), sso_attr_set(:'ust', 'd', NULL), sso_attr_set(:'ust', 'e', '{}'::int[]), sso_attr_set(:'ust', 'f', NULL::jsonb);
SELECT name, value, sso_attr_exists(:'ust', name), sso_attr_get_text(:'ust', name) FROM sso_attr_list(:'ust') WHERE length(name) = 1;
DROP TABLE test.given;

-- Types.
CREATE TYPE test.colour AS ENUM ('red', 'blue');
CREATE TYPE test.pair AS (first integer, second text);
CREATE DOMAIN test.amount AS numeric CHECK (value >= 0);
CREATE DOMAIN test.document AS jsonb;
CREATE TABLE test.typed (call text);
INSERT INTO test.typed VALUES
    ('''literal'''), ('''text''::text'), ('''varchar''::varchar(20)'), ('''c''::char(3)'), ('''name''::name'),
    ('1::smallint'), ('1'), ('9223372036854775807'), ('1.50'), ('1.5::real'), ('0.1::double precision'), ('''NaN''::double precision'), ('''Infinity''::numeric'),
    ('true'), ('''{"b": 1, "a": [1, 2.0]}''::jsonb'), ('''{"b": 1,  "a": [1, 2.0]}''::json'), ('''"s"''::jsonb'), ('''{"d": 1}''::test.document'),
    ('ARRAY[1, 2, NULL]'), ('ARRAY[[1, 2], [3, 4]]'), ('ARRAY[''a'', NULL]'), ('''{}''::text[]'), ('''red''::test.colour'), ('ARRAY[''red'', ''blue'']::test.colour[]'),
    ('ROW(1, ''two'')::test.pair'), ('ROW(1, NULL)'), ('ARRAY[ROW(1, ''x'')::test.pair]'), ('12.30::test.amount'),
    ('date ''2026-07-28'''), ('timestamptz ''2026-07-28 12:00:00+00'''), ('timestamp ''2026-07-28 12:00:00.5'''), ('interval ''1 day'''), ('''infinity''::timestamptz'),
    ('''00000000-0000-0000-0000-000000000001''::uuid'), ('''\x00ff''::bytea'), ('''192.0.2.1''::inet'), ('''[1,5)''::int4range'), ('''<a/>''::text'), ('''(1,2)''::point');
SELECT call, test.attempt(format('sso_attr_set($1, ''typed'', %s)', call), :'ust'), test.attempt('sso_attr_get($1, ''typed'')', :'ust'),
       test.attempt(format('sso_attr_get($1, ''typed'') = to_jsonb(%s)', CASE call WHEN '''literal''' THEN 'text ''literal''' ELSE call END), :'ust')
FROM test.typed;
-- Under another time zone and style a date stays what it is in JSON.
SET datestyle = 'German, DMY';
SELECT sso_attr_set(:'ust', 'typed', date '2026-07-28'), test.attempt('sso_attr_get($1, ''typed'')', :'ust');
RESET datestyle;
DROP TABLE test.typed;
DROP TYPE test.colour, test.pair, test.amount, test.document;

-- Numbers keep every digit, in clear and sealed, one by one and in batches.
\set digits 1234567890123456789012345678901234567890.0987654321098765432109876543210987654321000
SELECT sso_attr_set(:'ust', 'n1', :digits), sso_attr_set(:'ust', 'n2', :digits, encrypt => true);
SELECT sso_attr_set_many(:'ust', ('[{"name": "n3", "value": ' || :'digits' || '}, {"name": "n4", "encrypt": true, "value": ' || :'digits' || '}]')::jsonb);
SELECT name, encrypted, value = :'digits'::jsonb, value::text = :'digits' FROM sso_attr_list(:'ust') WHERE name LIKE 'n_';
SELECT sso_attr_get_many(:'ust', '{n1,n2,n3,n4}') -> name = :'digits'::jsonb, sso_attr_get_all(:'ust') -> name = :'digits'::jsonb,
       sso_attr_get_text(:'ust', name) = :'digits' FROM unnest('{n1,n2,n3,n4}'::text[]) AS name;
SELECT sso_attr_set(:'ust', 'e', 1e-200::numeric), sso_attr_set(:'ust', 'f', -1e200::numeric, encrypt => true);
SELECT value = to_jsonb(CASE name WHEN 'e' THEN 1e-200::numeric ELSE -1e200::numeric END) FROM sso_attr_list(:'ust') WHERE name IN ('e', 'f');

-- Text of every script, control characters and quotes.
SELECT sso_attr_set(:'ust', 't', t), sso_attr_set(:'ust', 'ts', t, encrypt => true), sso_attr_set_many(:'ust', jsonb_build_array(jsonb_build_object('name', 'tm', 'value', t))),
       test.attempt('sso_attr_get_text($1, ''t'') = ' || quote_literal(t), :'ust'), test.attempt('sso_attr_get_text($1, ''ts'') = ' || quote_literal(t), :'ust'),
       test.attempt('sso_attr_get_text($1, ''tm'') = ' || quote_literal(t), :'ust')
FROM unnest(ARRAY['日本語 🦀 ü', E'\x01\x1f\n\t"\\/', 'שלום', ''' OR 1=1; --', repeat('long 長い ', 20000)]) AS t;

-- Deep nesting is no problem of its own.
SELECT sso_attr_set(:'ust', 'deep', (repeat('[', 1000) || repeat(']', 1000))::jsonb), sso_attr_set(:'ust', 'deep2', (repeat('[', 1000) || repeat(']', 1000))::jsonb, encrypt => true),
       sso_attr_set_many(:'ust', ('[{"name":"deep3","value":' || repeat('[', 1000) || repeat(']', 1000) || '}]')::jsonb);
SELECT length(value::text) FROM sso_attr_list(:'ust') WHERE name LIKE 'deep%';
