-- A name is 1 to 255 characters of any script, told apart and sorted by its bytes.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('names-ann') AS ust \gset

-- Characters are counted, not bytes, and no index refuses what the rule allows.
CREATE TABLE test.sample (script text, letter text);
INSERT INTO test.sample VALUES ('latin', 'a'), ('accented', 'é'), ('cyrillic', 'ж'), ('chinese', '漢'), ('emoji', '🦀'), ('blank', ' '), ('combining', U&'\0301'), ('quote', '"'), ('backslash', '\');
SELECT script, length, octet_length(name), test.attempt(format('sso_attr_create($1, %L, 1)', name), :'ust'), test.attempt(format('sso_attr_get($1, %L)', name), :'ust'),
       test.attempt(format('sso_attr_update_many($1, %L)', jsonb_build_array(jsonb_build_object('name', name, 'value', 2))), :'ust'),
       test.attempt(format('sso_attr_get_many($1, ARRAY[%L]) -> %1$L', name), :'ust'), test.attempt(format('sso_attr_delete($1, %L)', name), :'ust')
FROM test.sample, unnest(ARRAY[1, 191, 255, 256]) AS length, repeat(letter, length) AS name ORDER BY script, length;
-- 255 characters that do not compress fit the index too.
SELECT string_agg(chr(128512 + i), '' ORDER BY i) AS wide FROM generate_series(0, 254) AS i \gset
SELECT length(:'wide'), octet_length(:'wide'), sso_attr_create(:'ust', :'wide', 1, encrypt => true), test.attempt(format('sso_attr_get($1, %L)', :'wide'), :'ust');
SELECT sso_attr_delete(:'ust', :'wide');
DROP TABLE test.sample;

-- Too long for any writer; readers find nothing, as with an empty one.
\set long 'repeat(\'n\', 256)'
SELECT sso_attr_create(:'ust', :long, 1);
SELECT sso_attr_update(:'ust', :long, 1);
SELECT sso_attr_set(:'ust', :long, 1);
SELECT sso_attr_set_expiry(:'ust', :long, 1);
SELECT sso_attr_set_many(:'ust', jsonb_build_array(jsonb_build_object('name', :long, 'value', 1)));
SELECT sso_attr_get(:'ust', :long), sso_attr_get_text(:'ust', :long), sso_attr_exists(:'ust', :long), sso_attr_take(:'ust', :long), sso_attr_delete(:'ust', :long),
       sso_attr_delete_many(:'ust', ARRAY[:long]);
SELECT sso_attr_get_many(:'ust', ARRAY[:long]) = jsonb_build_object(:long, NULL), sso_attr_exists_many(:'ust', ARRAY[:long]) = jsonb_build_object(:long, false);
SELECT sso_attr_create(:'ust', '', 1);
SELECT sso_attr_update(:'ust', '', 1);
SELECT sso_attr_set(:'ust', '', 1);
SELECT sso_attr_set_expiry(:'ust', '', 1);
SELECT sso_attr_create_many(:'ust', '[{"name": "", "value": 1}]');
SELECT sso_attr_get(:'ust', ''), sso_attr_get_text(:'ust', ''), sso_attr_exists(:'ust', ''), sso_attr_take(:'ust', ''), sso_attr_delete(:'ust', ''), sso_attr_delete_many(:'ust', '{""}');
SELECT sso_attr_get_many(:'ust', '{""}'), sso_attr_exists_many(:'ust', '{""}');
SELECT sso_attr_names(:'ust');

-- Any text is a name, and no name is SQL.
SELECT sso_attr_create_many(:'ust', '[{"name": "''; DROP TABLE sso_attr.attribute; --", "value": 1}, {"name": "$1", "value": 2}, {"name": "a.b.c", "value": 3},
                                      {"name": "%s%I", "value": 4}, {"name": "{\"a\": 1}", "value": 5}, {"name": "NULL", "value": 6}, {"name": " ", "value": 7}, {"name": "\n", "value": 8}]');
SELECT sso_attr_update(:'ust', '''; DROP TABLE sso_attr.attribute; --', 9);
SELECT sso_attr_get(:'ust', '''; DROP TABLE sso_attr.attribute; --'), sso_attr_get(:'ust', '{"a": 1}'), sso_attr_get(:'ust', '%');
SELECT sso_attr_get_all(:'ust');
SELECT sso_attr_delete_many(:'ust', ARRAY(SELECT sso_attr_names(:'ust')));

-- Sorted by bytes, whatever the database's collation; forms that only look alike are different.
SELECT sso_attr_create(:'ust', name, 1) FROM unnest(ARRAY['b', 'B', 'a', 'A', 'a b', 'ab', 'é', U&'e\0301', 'Z', '_', '10', '9', 'ß', 'ss']) AS name;
SELECT string_agg(n, ',') FROM sso_attr_names(:'ust') AS n;
SELECT string_agg(name, ',') FROM sso_attr_list(:'ust');
SELECT array_agg(n) = array_agg(n ORDER BY n::bytea) FROM sso_attr_names(:'ust') AS n;
