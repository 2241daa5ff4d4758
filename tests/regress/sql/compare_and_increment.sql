-- A value that is replaced only if it is the expected one, and a number that is added to, each in one step.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('compare-ann') AS ust \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
CREATE VIEW test.stored AS
    SELECT a.session_id, a.name, a.value, a.sealed IS NOT NULL AS is_sealed, a.created_at > '2001-01-02' AS is_new, a.updated_at > '2001-01-02' AS is_written, a.expires_at < 'infinity' AS ends, a.ctid::text || a.xmin AS version
    FROM sso_attr.attribute AS a;
CREATE PROCEDURE test.put(ust text, name text, value jsonb, is_sealed boolean DEFAULT false, seconds double precision DEFAULT 'Infinity') LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sso_attr_set(put.ust, put.name, put.value, seconds, is_sealed);
    UPDATE sso_attr.attribute AS a SET created_at = '2001-01-01', updated_at = '2001-01-01' WHERE a.name = put.name AND session_id = (SELECT session_id FROM sso_session_get(put.ust));
END
$$;

-- The expected one is replaced, in the state that it has; another one changes nothing, updated_at included.
CALL test.put(:'ust', 'clear', '1');
CALL test.put(:'ust', 'sealed', '"secret"', true, 3600);
SELECT string_agg(version, ' ' ORDER BY name) AS before FROM test.stored WHERE session_id = :'id' \gset
SELECT sso_attr_compare_and_set(:'ust', 'clear', '2', '3'), sso_attr_compare_and_set(:'ust', 'sealed', '"other"', '"never"'), sso_attr_compare_and_set(:'ust', 'clear', NULL, '3'), sso_attr_compare_and_set(:'ust', 'clear', '"1"', '3', 60, true), sso_attr_compare_and_set(:'ust', 'sealed', '"secret "', '1', 'Infinity', false);
SELECT string_agg(version, ' ' ORDER BY name) = :'before' AND NOT bool_or(is_written) FROM test.stored WHERE session_id = :'id';
SELECT sso_attr_get_all(:'ust');
SELECT sso_attr_compare_and_set(:'ust', 'clear', '1', '2'), sso_attr_compare_and_set(:'ust', 'sealed', '"secret"', '"other"');
SELECT name, value, is_sealed, is_new, is_written, ends FROM test.stored WHERE session_id = :'id' ORDER BY name;
SELECT sso_attr_get_all(:'ust');
-- By itself it is a change too; protection and end change where they are mentioned.
CALL test.put(:'ust', 'clear', '1');
SELECT sso_attr_compare_and_set(:'ust', 'clear', '1', '1'), is_written FROM test.stored WHERE session_id = :'id' AND name = 'clear';
SELECT is_written FROM test.stored WHERE session_id = :'id' AND name = 'clear';
SELECT sso_attr_compare_and_set(:'ust', 'clear', '1', '2', 60, true), sso_attr_compare_and_set(:'ust', 'sealed', '"other"', '3', 'Infinity', false);
SELECT name, value, is_sealed, ends FROM test.stored WHERE session_id = :'id' ORDER BY name;
-- As jsonb compares: 1 is 1.0, the order of keys is nothing, NULL is null, an array has an order.
SELECT stored, expected, sso_attr_set_json(:'ust', 'c', stored) AS created, sso_attr_compare_and_set(:'ust', 'c', expected, '0')
FROM (VALUES (1, '1'::jsonb, '1.00'::jsonb), (2, '{"a": 1, "b": [2]}', '{"b": [2.0], "a": 1}'), (3, 'null', NULL), (4, 'null', 'null'), (5, NULL, 'null'), (6, '[1, 2]', '[2, 1]'), (7, '"1"', '1'), (8, '{}', '[]'), (9, '""', 'null'), (10, '[]', '[]'), (11, 'false', 'null'), (12, '"é"', '"é"'), (13, '0.1', '0.10000000000000000000000000001')) AS v (n, stored, expected) ORDER BY n;
-- What is not there is missing, an expired one too; of a session that is over, nothing is there.
CALL test.put(:'ust', 'over', '1');
UPDATE sso_attr.attribute SET expires_at = clock_timestamp() WHERE session_id = :'id' AND name = 'over';
SELECT sso_attr_compare_and_set(:'ust', 'over', '1', '2');
SELECT sso_attr_compare_and_set(:'ust', 'gone', NULL, '2');
SELECT sso_attr_compare_and_set('no token', 'clear', '1', '2');
SELECT sso_attr_compare_and_set(NULL, 'clear', '1', '2');
SELECT sso_attr_compare_and_set(:'ust', NULL, '1', '2');
SELECT sso_attr_compare_and_set(:'ust', '', '1', '2');
SELECT sso_attr_compare_and_set(:'ust', repeat('n', 256), '1', '2');
SELECT sso_attr_compare_and_set(:'ust', 'clear', '2', '3', 0);
SELECT sso_attr_compare_and_set(:'ust', 'clear', '2', '3', 'NaN');
SELECT sso_attr_compare_and_set('no token', 'clear', '2', '3', -1);
SELECT sso_attr_compare_and_set(:'ust', 'clear', '2', to_jsonb(repeat('v', 1048576)));
SELECT sso_attr_get(:'ust', 'clear');

-- increment creates, with an end only then; adds, and keeps the end, the protection and the creation.
SELECT sso_attr_increment(:'ust', 'new'), sso_attr_increment(:'ust', 'new'), sso_attr_increment(:'ust', 'new', 40), sso_attr_increment(:'ust', 'new', -2.5), sso_attr_increment(:'ust', 'zero', 0);
SELECT name, value, is_sealed, ends FROM test.stored WHERE session_id = :'id' AND name IN ('new', 'zero') ORDER BY name;
SELECT sso_attr_increment(:'ust', 'brief', 1, 60), sso_attr_increment(:'ust', 'endless', 1, 'Infinity'), sso_attr_increment(:'ust', 'endless', 1, 60);
SELECT expires_at AS before FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'brief' \gset
SELECT sso_attr_increment(:'ust', 'brief', 1, 3600), sso_attr_increment(:'ust', 'brief', 1, 'Infinity'), sso_attr_increment(:'ust', 'brief');
SELECT name, value, expires_at = :'before' FROM sso_attr.attribute WHERE session_id = :'id' AND name IN ('brief', 'endless') ORDER BY name;
CALL test.put(:'ust', 'sum', '41', true, 3600);
SELECT sso_attr_increment(:'ust', 'sum');
SELECT value, is_sealed, is_new, is_written, ends, sso_attr_get(:'ust', 'sum') FROM test.stored WHERE session_id = :'id' AND name = 'sum';
-- One that has expired is created afresh, in clear, with the end that is given.
UPDATE sso_attr.attribute SET expires_at = clock_timestamp() WHERE session_id = :'id' AND name = 'sum';
SELECT sso_attr_increment(:'ust', 'sum', 5);
SELECT value, is_sealed, is_new, ends FROM test.stored WHERE session_id = :'id' AND name = 'sum';
-- Digits are kept, all of them, and a number counts as numeric does.
SELECT sso_attr_increment(:'ust', 'digits', 12345678901234567890.12345678901234567890), sso_attr_increment(:'ust', 'digits', 0.00000000000000000000000000001), sso_attr_increment(:'ust', 'digits', -12345678901234567890);
SELECT value FROM test.stored WHERE session_id = :'id' AND name = 'digits';
SELECT sso_attr_increment(:'ust', 'scale', 1.50), sso_attr_increment(:'ust', 'scale', 1.50);
SELECT value FROM test.stored WHERE session_id = :'id' AND name = 'scale';
SELECT sso_attr_increment(:'ust', 'big', 1e1000) = 1e1000, sso_attr_increment(:'ust', 'big', 1) - 1e1000, sso_attr_increment(:'ust', 'big', -1e1000);
-- In one statement, each sees what the one before has left.
SELECT sum(sso_attr_increment(:'ust', 'many', i)), max(sso_attr_increment(:'ust', 'twice')) FROM generate_series(1, 100) AS i;
SELECT sso_attr_get_many(:'ust', '{many,twice}');

-- Only numbers: what is none stays as it is; so does what would be too long, or no number any more.
SELECT value, sso_attr_set_json(:'ust', 'v', value, encrypt => sealed), test.attempt('sso_attr_increment($1, ''v'')', :'ust')
FROM unnest('{"\"1\"","\"\"","null","true","[1]","{\"a\": 1}"}'::jsonb[]) AS value, unnest('{f,t}'::boolean[]) AS sealed ORDER BY value, sealed;
SELECT sso_attr_get(:'ust', 'v'), sso_attr_increment(:'ust', 'w', 1);
SELECT by, test.attempt(format('sso_attr_increment($1, ''w'', %s)', by), :'ust') AS there, test.attempt(format('sso_attr_increment($1, ''not there'', %s)', by), :'ust') AS absent, test.attempt(format('sso_attr_increment($1, ''w'', %s)', by), 'no token') AS none
FROM unnest('{"NULL","''NaN''","''Infinity''","''-Infinity''"}'::text[]) AS by;
SELECT test.attempt('sso_attr_increment($1, NULL)', :'ust'), test.attempt('sso_attr_increment($1, '''')', :'ust'), test.attempt('sso_attr_increment($1, repeat(''n'', 256))', :'ust'), test.attempt('sso_attr_increment($1, ''w'', 1, 0)', :'ust'), test.attempt('sso_attr_increment($1, ''w'', 1, ''NaN'')', :'ust'), test.attempt('sso_attr_increment($1, ''w'', ''x'')', :'ust'), test.attempt('sso_attr_increment($1, ''w'')', 'no token'), test.attempt('sso_attr_increment($1, ''w'')', NULL);
SELECT sso_attr_get_many(:'ust', '{w,not there}'), sso_attr_exists(:'ust', 'not there');
SET sso_attr.max_value_size = '1kB';
SELECT sso_attr_increment(:'ust', 'long', 1e1000) = 1e1000;
SELECT test.attempt('sso_attr_increment($1, ''long'', 1e1100)', :'ust'), test.attempt('sso_attr_increment($1, ''longer'', 1e1100)', :'ust');
SELECT sso_attr_get(:'ust', 'long') = '1e1000'::jsonb, sso_attr_exists(:'ust', 'longer');
RESET sso_attr.max_value_size;
SELECT length(sso_attr_increment(:'ust', 'largest', 9e131071)::text), test.attempt('sso_attr_increment($1, ''largest'', 9e131071)', :'ust');
SELECT sso_attr_get(:'ust', 'largest') = '9e131071'::jsonb;
\set VERBOSITY default
SELECT sso_attr_set(:'ust', 'text', 'secret words');
SELECT sso_attr_increment(:'ust', 'text');
SELECT sso_attr_increment(:'ust', 'w', NULL);
SELECT sso_attr_increment(:'ust', 'w', 'NaN');
SELECT sso_attr_compare_and_set(:'ust', 'gone', '1', '2');
DROP PROCEDURE test.put;
DROP VIEW test.stored;
SELECT sso_session_end(:'ust');
