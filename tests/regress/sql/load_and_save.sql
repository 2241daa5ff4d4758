-- load and save are a request's read and write in one round trip each: load answers every text, save writes,
-- deletes and renews in one step, and brings nothing back that has ended.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('load-ann', 'shop', '192.0.2.7'::inet, 'agent', 86400) AS ust \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset

-- All that get shows, and all attributes as one object, decrypted; the expired one is not there.
SELECT attributes FROM sso_session_load(:'ust');
SELECT sso_attr_set(:'ust', 'clear', '{"a": [1, 2.50, null]}'::jsonb), sso_attr_set(:'ust', 'sealed', 'secret', encrypt => true), sso_attr_set(:'ust', 'null', NULL), sso_attr_set(:'ust', 'over', 1);
UPDATE sso_attr.attribute SET expires_at = clock_timestamp() WHERE session_id = :'id' AND name = 'over';
SELECT (l.session_id, l.user_id, l.current_app, l.remote_addr, l.user_agent, l.created_at, l.last_seen_at, l.expires_at) = (g.session_id, g.user_id, g.current_app, g.remote_addr, g.user_agent, g.created_at, g.last_seen_at, g.expires_at), l.user_id, l.remote_addr, l.attributes
FROM sso_session_load(:'ust') AS l, sso_session_get(:'ust') AS g;
SELECT attributes = sso_attr_get_all(:'ust') FROM sso_session_load(:'ust');
-- No row for what is not live, whatever the text.
SELECT count(*) FROM unnest(ARRAY[NULL, '', ' ', 'no token', 'sso_', 'sso_' || repeat('A', 64), left(:'ust', -1), :'ust' || 'A', ' ' || :'ust', upper(:'ust'), repeat('x', 22), repeat('日', 512), repeat('x', 513), repeat('x', 100000), E'\u0001', 'sso_' || repeat('é', 32)]) AS t (ust), sso_session_load(t.ust);
SELECT sso_session_rotate(:'ust') AS rotated \gset
SELECT count(*) FROM sso_session_load(:'ust');
SELECT count(*) FROM sso_session_load(:'rotated');
\set ust :rotated
-- It reads, with its statement's snapshot.
BEGIN;
SELECT count(*) FROM sso_session_load(:'ust');
SELECT pg_current_xact_id_if_assigned();
SELECT attributes ? 'now' FROM (SELECT sso_attr_set(:'ust', 'now', 1)) AS s, sso_session_load(:'ust');
ROLLBACK;

-- save writes as set does: what is there keeps its protection, its end and its creation; returns the new end.
SELECT sso_attr_set(:'ust', 'short', 1, 3600);
UPDATE sso_attr.attribute SET created_at = '2001-01-01', updated_at = '2001-01-01' WHERE session_id = :'id';
SELECT sso_session_save(:'ust', '{"clear": 1, "sealed": "other", "short": 2, "new": {"b": false}, "over": "again"}') = expires_at FROM sso_session_get(:'ust');
CREATE VIEW test.saved AS
    SELECT s.user_id, a.name, a.value, a.sealed IS NOT NULL AS is_sealed, a.created_at > '2001-01-02' AS is_new, a.updated_at > '2001-01-02' AS is_written, a.expires_at < 'infinity' AS ends
    FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id ORDER BY a.name;
SELECT name, value, is_sealed, is_new, is_written, ends FROM test.saved WHERE user_id = 'load-ann';
SELECT sso_attr_get_all(:'ust');
-- Names to remove go, those that are not there are no error, one named twice goes once; the others stay.
SELECT sso_session_save(:'ust', '{"clear": 2}', '{new,over,gone,gone,""}') IS NOT NULL;
SELECT sso_attr_get_all(:'ust');
SELECT sso_session_save(:'ust', '{}', '{}') IS NOT NULL, sso_session_save(:'ust', '{}') IS NOT NULL, sso_session_save(:'ust', '{}', NULL, NULL, NULL, NULL, NULL) IS NOT NULL;
SELECT sso_attr_get_all(:'ust');
SELECT sso_session_save(:'ust', '{}', ARRAY['clear', repeat('n', 300)]) IS NOT NULL;
-- An attribute that is removed is gone, not only expired.
SELECT count(*) FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'clear';
-- replace leaves what is changed and nothing else, with and without names to remove.
SELECT sso_session_save(:'ust', '{"sealed": "third", "b": 1}', replace => true) IS NOT NULL;
SELECT name, value, encrypted FROM sso_attr_list(:'ust');
SELECT sso_session_save(:'ust', '{"c": 1}', '{b,gone}', replace => true) IS NOT NULL;
SELECT sso_attr_get_all(:'ust');
SELECT sso_session_save(:'ust', '{}', replace => true) IS NOT NULL;
SELECT sso_attr_get_all(:'ust'), count(*) FROM sso_attr.attribute WHERE session_id = :'id';
-- encrypt seals the names in it, new and old; a name in it that is not changed is nothing.
SELECT sso_session_save(:'ust', '{"pin": 1234, "colour": "red", "list": [1]}', encrypt => '{pin,list,pin,absent}') IS NOT NULL;
SELECT name, value, encrypted FROM sso_attr_list(:'ust');
SELECT name, value, is_sealed FROM test.saved WHERE user_id = 'load-ann';
SELECT sso_session_save(:'ust', '{"pin": 4321, "colour": "blue"}', encrypt => '{colour}') IS NOT NULL;
SELECT name, value, encrypted FROM sso_attr_list(:'ust');
-- Anything that jsonb is, null and digits included.
SELECT sso_session_save(:'ust', '{"null": null, "digits": 1.000000000000000000000000000010, "deep": {"a": [{"b": [null, true, "x"]}]}, "": 1}', replace => true);
SELECT sso_session_save(:'ust', '{"null": null, "digits": 1.000000000000000000000000000010, "deep": {"a": [{"b": [null, true, "x"]}]}, "Ünïcode \"quoted\" 日": " "}', replace => true) IS NOT NULL;
SELECT attributes FROM sso_session_load(:'ust');

-- It renews by the session's own idle limit, by seconds, or to a time; never past the cap.
SELECT sso_session_create('load-renew', expiration => 600) AS renewed \gset
UPDATE sso_attr.session SET last_seen_at = '2001-01-01', expires_at = clock_timestamp() + interval '60 s' WHERE user_id = 'load-renew';
SELECT sso_session_save(:'renewed', '{}') - clock_timestamp() BETWEEN interval '590 s' AND interval '600 s';
SELECT last_seen_at > '2001-01-02' FROM sso_session_get(:'renewed');
SELECT sso_session_save(:'renewed', '{}', expiration => 7200) - clock_timestamp() BETWEEN interval '7190 s' AND interval '7200 s';
SELECT sso_session_save(:'renewed', '{}', expires_at => clock_timestamp() + interval '5 min') - clock_timestamp() BETWEEN interval '299 s' AND interval '300 s';
SELECT sso_session_save(:'renewed', '{}', expiration => 'Infinity') = created_at + interval '720 h' FROM sso_session_get(:'renewed');
SELECT sso_session_save(:'renewed', '{"a": 1}', expires_at => '2001-01-01') < clock_timestamp();
SELECT sso_session_verify(:'renewed');
SELECT sso_session_save(:'renewed', '{"a": 2}', expiration => 60);

-- Bad input changes nothing and is told before the session is looked at.
SELECT sso_session_save(:'ust', '{"a": "before"}', replace => true) IS NOT NULL;
SELECT expires_at AS before FROM sso_session_get(:'ust') \gset
CREATE TABLE test.bad (position integer GENERATED ALWAYS AS IDENTITY, arguments text);
INSERT INTO test.bad (arguments) VALUES ('NULL'), ('''null'''), ('''[]'''), ('''[{"name":"a","value":1}]'''), ('''1'''), ('''"a"'''), ('''true'''),
    ('''{"": 1}'''), ('jsonb_build_object(repeat(''n'', 256), 1)'), ('jsonb_build_object(repeat(''é'', 256), 1)'), ('jsonb_build_object(''a'', repeat(''v'', 1048576))'),
    ('''{"a": 1}'', ''{a}'''), ('''{"a": 1, "b": 2}'', ''{c,b}'''), ('''{"a": 1}'', ''{a}'', replace => true'), ('''{"a": 1}'', ARRAY[NULL, ''b'']'), ('''{"a": 1}'', encrypt => ARRAY[NULL]::text[]'),
    ('''{"a": 1}'', expiration => 60, expires_at => now()'), ('''{"a": 1}'', expiration => 0'), ('''{"a": 1}'', expiration => -1'), ('''{"a": 1}'', expiration => ''NaN'''), ('''{"a": 1}'', expiration => 1e13');
SELECT arguments, test.attempt(format('sso_session_save($1, %s)', arguments), :'ust') AS live, test.attempt(format('sso_session_save($1, %s)', arguments), 'no token') AS none FROM test.bad ORDER BY position;
SELECT attributes, expires_at = :'before' FROM sso_session_load(:'ust');
DROP TABLE test.bad;
-- A name that is spelled with escapes is the same name.
SELECT sso_session_save(:'ust', '{"\u0061": 1}', '{a}');
\set VERBOSITY default
SELECT sso_session_save(:'ust', '[1]');
SELECT sso_session_save(:'ust', '{"a": 1}', '{a}');
SELECT sso_session_save(:'ust', jsonb_build_object('a', 1, repeat('n', 256), 1));
SELECT sso_session_save(:'ust', '{"a": 1}', expiration => 60, expires_at => now());
\set VERBOSITY sqlstate
-- One step: where one item cannot be written, none is, and nothing is removed.
UPDATE sso_attr.attribute SET sealed = '\x01' WHERE session_id = :'id' AND name = 'a';
SELECT sso_session_save(:'ust', '{"a": 1, "z": 1}');
SELECT sso_attr_names(:'ust');
-- What the functions have not written is no reason not to remove it.
SELECT sso_session_save(:'ust', '{"z": 1}', '{a}') IS NOT NULL;
SELECT sso_attr_names(:'ust');
UPDATE sso_attr.attribute SET sealed = '\x01' WHERE session_id = :'id' AND name = 'z';
SELECT sso_session_save(:'ust', '{"y": 1}', replace => true) IS NOT NULL;
SELECT sso_attr_names(:'ust');
SELECT sso_attr_delete_many(:'ust', '{a,z}') >= 0, sso_attr_set(:'ust', 'y', 1) IS NOT NULL;
SELECT sso_attr_set(:'ust', 'kept', 1);
BEGIN;
SAVEPOINT s;
SELECT sso_session_save(:'ust', '{"z": 2}', '{kept}') IS NOT NULL;
ROLLBACK TO s;
COMMIT;
SELECT sso_attr_get_all(:'ust');

-- What is over is not brought back: unknown, ended, expired, rotated, NULL.
SELECT sso_session_create('load-ended') AS ended, sso_session_create('load-expired') AS expired, sso_session_create('load-rotated') AS rotated \gset
SELECT sso_session_end(:'ended'), length(sso_session_rotate(:'rotated'));
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'load-expired';
SELECT test.attempt(format('sso_session_save(%L, ''{"a": 1}'')', t)), test.attempt(format('sso_session_save(%L, ''{}'', replace => true, expiration => 3600)', t)) FROM unnest(ARRAY['no token', '', NULL, :'ended', :'expired', :'rotated']) AS t;
SELECT sso_session_verify(:'ended'), sso_session_verify(:'expired'), sso_session_verify(:'rotated');
SELECT count(*) FROM sso_attr.attribute JOIN sso_attr.session ON id = session_id WHERE user_id IN ('load-ended', 'load-expired', 'load-rotated');
-- Also past the cap, which is checked when it is used.
SET sso_attr.session_max_lifetime = '1min';
UPDATE sso_attr.session SET created_at = created_at - interval '2 min' WHERE id = :'id';
SELECT sso_session_save(:'ust', '{"a": 1}');
SELECT count(*) FROM sso_session_load(:'ust');
RESET sso_attr.session_max_lifetime;
SELECT count(*) FROM sso_session_load(:'ust');
-- A thousand names in one step.
SELECT sso_session_save(:'ust', (SELECT jsonb_object_agg('n' || i, i) FROM generate_series(1, 1000) AS i), replace => true) IS NOT NULL;
SELECT sso_session_save(:'ust', (SELECT jsonb_object_agg('n' || i, i) FROM generate_series(500, 1200) AS i), (SELECT array_agg('n' || i) FROM generate_series(1, 499) AS i), encrypt => (SELECT array_agg('n' || i) FROM generate_series(1000, 1200) AS i)) IS NOT NULL;
SELECT count(*), count(*) FILTER (WHERE encrypted), sum(value::int) FROM sso_attr_list(:'ust');
DROP VIEW test.saved;
SELECT sso_session_end(:'ust');
