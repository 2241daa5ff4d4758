-- Whatever jsonb can hold comes out as it went in: one by one and in batches, in clear and sealed,
-- from a literal and from a table that has compressed it or moved it out of line.
\pset format unaligned
\pset tuples_only on
SELECT sso_session_create('every-value-ann') AS ust \gset
CREATE TABLE test.kind (name text PRIMARY KEY, value jsonb NOT NULL);
INSERT INTO test.kind VALUES
    ('null', 'null'), ('true', 'true'), ('false', 'false'), ('zero', '0'), ('minus', '-1.50'),
    ('digits', '1234567890123456789012345678901234567890.0987654321000'), ('huge', '1e300'), ('tiny', '1e-300'), ('written out', '1e4000'),
    ('empty string', '""'), ('string', '"x"'), ('looks like an object', '"{\"a\": 1}"'), ('looks like null', '"null"'), ('escapes', '"\" \\ / \b \f \n \r \t \u0001 \u001f"'),
    ('beyond ASCII', '"ж 漢 😀 e\u0301 \uffff"'),
    ('empty object', '{}'), ('empty array', '[]'), ('array of one', '[1]'), ('array of a string', '["x"]'), ('nested arrays', '[[], [[]], [[1], [2, [3]]]]'),
    ('object', '{"": {}, "name": "n", "value": [1, {"b": null, "aa": 1.0}], "expiration": -1, "encrypt": "no"}'),
    ('data', '[{"name": "a", "value": 1}]'), ('escaped keys', '{"\"": 1, "\\": 2, "\n": 3, "ж": 4}'),
    ('long string', to_jsonb(repeat('sso ', 10000))), ('long array', (SELECT jsonb_agg(md5(i::text)) FROM generate_series(1, 1000) AS i)),
    ('long object', (SELECT jsonb_object_agg(md5(i::text), i) FROM generate_series(1, 1000) AS i)),
    ('deep', (repeat('[', 500) || repeat(']', 500))::jsonb), ('name of "odd" \ ж characters', '1');
INSERT INTO test.kind SELECT 'an ' || name || ' in an object', jsonb_build_object('in', value) FROM test.kind;
INSERT INTO test.kind SELECT 'an ' || name || ' in an array', jsonb_build_array(value, value) FROM test.kind WHERE name !~ '^an ';
SELECT count(*) FROM test.kind;
-- Differences between what is stored and what was given, by every way to read; text tells 1.0 from 1.
CREATE FUNCTION test.differences(ust text) RETURNS TABLE (way text, name text) LANGUAGE sql AS $$
    WITH all_in_one AS MATERIALIZED (SELECT sso_attr_get_all(ust) AS object),
         many AS MATERIALIZED (SELECT sso_attr_get_many(ust, array_agg(k.name) || array_agg(k.name)) AS object FROM test.kind AS k)
    SELECT 'get', k.name FROM test.kind AS k WHERE sso_attr_get(ust, k.name)::text IS DISTINCT FROM k.value::text
    UNION ALL SELECT 'get_text', k.name FROM test.kind AS k WHERE sso_attr_get_text(ust, k.name) IS DISTINCT FROM jsonb_build_array(k.value) ->> 0
    UNION ALL SELECT 'get_all', k.name FROM test.kind AS k, all_in_one AS a WHERE (a.object -> k.name)::text IS DISTINCT FROM k.value::text
    UNION ALL SELECT 'get_many', k.name FROM test.kind AS k, many AS m WHERE (m.object -> k.name)::text IS DISTINCT FROM k.value::text
    UNION ALL SELECT 'list', COALESCE(k.name, l.name) FROM test.kind AS k FULL JOIN sso_attr_list(ust) AS l USING (name) WHERE l.value::text IS DISTINCT FROM k.value::text
    UNION ALL SELECT 'whole object', NULL FROM all_in_one AS a WHERE a.object <> (SELECT jsonb_object_agg(k.name, k.value) FROM test.kind AS k)
$$;
CREATE TABLE test.given (data jsonb);
INSERT INTO test.given SELECT jsonb_agg(jsonb_build_object('name', name, 'value', value) ORDER BY md5(name)) FROM test.kind;
SELECT pg_column_size(data) < length(data::text) AS compressed FROM test.given;

SELECT count(sso_attr_create(:'ust', name, value)) FROM test.kind;
SELECT * FROM test.differences(:'ust');
SELECT count(sso_attr_update(:'ust', name, value, encrypt => true)) FROM test.kind;
SELECT * FROM test.differences(:'ust');
SELECT sso_attr_delete_many(:'ust', array_agg(name)) FROM test.kind;
SELECT sso_attr_create_many(:'ust', data) FROM test.given;
SELECT * FROM test.differences(:'ust');
SELECT sso_attr_update_many(:'ust', data, encrypt => true) FROM test.given;
SELECT * FROM test.differences(:'ust');
-- Protection stays, and values do.
SELECT sso_attr_update_many(:'ust', data) FROM test.given;
SELECT * FROM test.differences(:'ust');
SELECT count(*) FILTER (WHERE encrypted), count(*) FROM sso_attr_list(:'ust');
SELECT sso_attr_set_many(:'ust', data, encrypt => false) FROM test.given;
SELECT * FROM test.differences(:'ust');
SELECT count(*) FILTER (WHERE encrypted), count(*) FROM sso_attr_list(:'ust');
-- What a batch took out of its data is its own: the data may go.
DROP TABLE test.given;
SELECT * FROM test.differences(:'ust');
SELECT sso_session_end(:'ust');
DROP FUNCTION test.differences;
DROP TABLE test.kind;
