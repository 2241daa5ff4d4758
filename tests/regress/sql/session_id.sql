-- sso_session_id() says from a token alone which session it names: whoever has several servers chooses by it.
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
SELECT sso_session_create('id-ann') AS ust, sso_session_create('id-bob', ust => 'id-' || repeat('ü', 19)) AS adopted \gset
SELECT sso_session_id(:'ust') = session_id FROM sso_session_get(:'ust');
SELECT sso_session_id(:'adopted') = session_id FROM sso_session_get(:'adopted');

-- It is the same everywhere and for ever, whether or not there is such a session.
SELECT sso_session_id('sso_' || repeat('A', 64)), sso_session_id('sso_' || repeat('_', 64)), sso_session_id('token-that-nobody-adopted');
SELECT sso_session_id(:'ust') AS id, sso_session_id(:'adopted') AS adopted_id \gset
SELECT sso_session_end(:'ust'), sso_session_id(:'ust') = :'id';

-- What is no token names none.
SELECT what, sso_session_id(ust)
FROM (VALUES ('null', NULL), ('empty', ''), ('prefix only', 'sso_'), ('shorter', left(:'ust', -1)), ('longer', :'ust' || 'A'), ('newline', :'ust' || E'\n'),
             ('not base64', 'sso_' || repeat('*', 64)), ('not ASCII', 'sso_' || repeat('ü', 32)), ('too short to be adopted', repeat('x', 21)),
             ('too long to be adopted', repeat('x', 513))) AS no (what, ust);
-- What can be adopted names one, in other spellings another one.
SELECT sso_session_id(repeat('x', 22)), sso_session_id(repeat('x', 512)), sso_session_id(repeat('ü', 512)), sso_session_id(repeat('X', 22)), sso_session_id(' ' || repeat('x', 22));

-- A new token of our own names the same session; one that is adopted on rotation has an id that leads to it.
SELECT sso_session_rotate(:'adopted') AS rotated \gset
SELECT sso_session_id(:'rotated') = :'adopted_id';
SELECT sso_session_rotate(:'rotated', new_ust => 'id-adopted-on-rotation') AS again \gset
SELECT session_id = :'adopted_id', session_id = sso_session_id(:'again') FROM sso_session_get(:'again');

-- It looks at no table, whereas a proof does.
CREATE VIEW test.touched AS SELECT count(*) > 0 AS touched FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('sso_attr.session'::regclass, 'sso_attr.attribute'::regclass);
BEGIN;
SELECT sso_session_id(:'again') IS NOT NULL;
SELECT * FROM test.touched;
SELECT sso_session_verify(:'again');
SELECT * FROM test.touched;
COMMIT;
DROP VIEW test.touched;

-- It can be what rows are indexed and divided by.
CREATE TABLE test.request (ust text) PARTITION BY HASH (sso_session_id(ust));
CREATE TABLE test.request_even PARTITION OF test.request FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE test.request_odd PARTITION OF test.request FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX ON test.request (sso_session_id(ust));
INSERT INTO test.request SELECT 'id-of-a-request-number-' || number FROM generate_series(1, 100) AS number;
SELECT (SELECT count(*) FROM test.request_even) > 0, (SELECT count(*) FROM test.request_odd) > 0;
SELECT ust FROM test.request WHERE sso_session_id(ust) = sso_session_id('id-of-a-request-number-7');
DROP TABLE test.request;
