-- A session can begin without a user and is bound to one once, by a rotation, which can adopt the token that
-- a framework chose; the adopted token leads to the session until it ends, and no longer.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

-- Nobody's session is a session like any other, but on nobody's list.
SELECT sso_session_create() AS ust, sso_session_create(NULL, 'shop', NULL, 'agent', 600) AS other \gset
SELECT user_id, current_app, user_agent, expires_at - created_at FROM sso_session_get(:'other');
SELECT sso_session_verify(:'ust'), user_id, last_seen_at = created_at FROM sso_session_get(:'ust');
SELECT sso_attr_create(:'ust', 'cart', '{"items": 2}'::jsonb), sso_attr_create(:'ust', 'card', '4111', encrypt => true);
SELECT sso_session_list(NULL);
SELECT sso_session_list('');
SELECT sso_session_end_all(NULL);
SELECT sso_session_end_one(NULL, session_id) FROM sso_session_get(:'other');
SELECT sso_session_end(:'other');
SELECT sso_session_verify(:'other');

-- A rotation that names no user leaves it nobody's; one that names a user binds it, and the old token is dead.
SELECT sso_session_rotate(:'ust') AS second \gset
SELECT user_id FROM sso_session_get(:'second');
SELECT session_id AS id FROM sso_session_get(:'second') \gset
SELECT sso_session_rotate(:'second', 'anon-ann') AS bound \gset
SELECT sso_session_verify(:'ust'), sso_session_verify(:'second'), sso_session_verify(:'bound');
SELECT user_id, session_id = :'id' FROM sso_session_get(:'bound');
SELECT sso_attr_get_all(:'bound');
SELECT session_id = :'id', user_id FROM sso_session_list('anon-ann');

-- Once: another user is refused and nothing changes, not the token either; the same user takes it.
SELECT sso_session_rotate(:'bound', 'anon-bob');
SELECT sso_session_rotate(:'bound', 'anon-ANN');
SELECT sso_session_rotate(:'bound', 'anon-bob', 'anonymous-token-of-bob-1');
SELECT sso_session_verify(:'bound'), user_id FROM sso_session_get(:'bound');
SELECT count(*) FROM sso_session_list('anon-bob');
SELECT sso_session_verify('anonymous-token-of-bob-1');
SELECT sso_session_rotate(:'bound', 'anon-ann') AS again \gset
SELECT sso_session_verify(:'bound'), user_id FROM sso_session_get(:'again');
-- Nor is a user taken away by a rotation that names none.
SELECT sso_session_rotate(:'again', NULL) AS again \gset
SELECT user_id FROM sso_session_get(:'again');
\set VERBOSITY default
SELECT sso_session_rotate(:'again', 'anon-bob');
\set VERBOSITY sqlstate
-- What is no user or no session; the argument is checked first.
SELECT sso_session_rotate(:'again', '');
SELECT sso_session_rotate(:'again', repeat('u', 256));
SELECT sso_session_rotate('no token', '');
SELECT sso_session_rotate('no token', 'anon-ann');
SELECT sso_session_rotate(NULL, 'anon-ann');
SELECT length(sso_session_rotate(:'again', repeat('ü', 255)));
SELECT sso_session_verify(:'again');
SELECT sso_session_end_all('anon-ann');
SELECT sso_session_verify(:'again');

-- With a token that the framework chose: it works with every verb, also what reads sealed values.
SELECT sso_session_create() AS ust \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
SELECT sso_attr_create(:'ust', 'here', 1), sso_attr_create(:'ust', 'sealed', 'secret', encrypt => true);
SELECT sealed AS before FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'sealed' \gset
SELECT sso_session_rotate(:'ust', 'anon-carol', 'anonymous-token-of-carol-1');
SELECT sso_session_verify(:'ust'), sso_session_verify('anonymous-token-of-carol-1');
SELECT session_id = :'id', user_id FROM sso_session_get('anonymous-token-of-carol-1');
SELECT session_id = :'id', user_id, attributes FROM sso_session_load('anonymous-token-of-carol-1');
SELECT sealed = :'before' FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'sealed';
SELECT call, test.attempt(call, 'anonymous-token-of-carol-1') FROM test.verb WHERE call !~ 'rotate' ORDER BY position;
SELECT sso_attr_get(:'ust', 'sealed');
-- One session, whatever leads to it: it is listed and counted once, and kept by whichever token is in force.
SELECT count(*) FROM sso_session_list('anon-carol');
SELECT sso_session_create('anon-carol') AS other \gset
SELECT sso_session_end_all('anon-carol', 'anonymous-token-of-carol-1');
SELECT sso_session_verify('anonymous-token-of-carol-1'), sso_session_verify(:'other');

-- A token in use is not adopted: by a rotation, by a create, by the session itself, in any order.
SELECT sso_session_create('anon-dave', ust => 'anonymous-token-of-dave-1');
SELECT sso_session_rotate('anonymous-token-of-dave-1', NULL, 'anonymous-token-of-carol-1');
SELECT sso_session_rotate('anonymous-token-of-carol-1', NULL, 'anonymous-token-of-dave-1');
SELECT sso_session_rotate('anonymous-token-of-carol-1', NULL, 'anonymous-token-of-carol-1');
SELECT sso_session_create('anon-dave', ust => 'anonymous-token-of-carol-1');
SELECT sso_session_verify('anonymous-token-of-carol-1'), sso_session_verify('anonymous-token-of-dave-1');
-- Neither is one that a rotation has replaced, while its session lives; it leads nowhere.
SELECT sso_session_rotate('anonymous-token-of-carol-1', 'anon-carol', 'anonymous-token-of-carol-2');
SELECT sso_session_rotate('anonymous-token-of-carol-2', NULL, 'anonymous-token-of-carol-3');
SELECT sso_session_verify('anonymous-token-of-carol-1'), sso_session_verify('anonymous-token-of-carol-2'), sso_session_verify('anonymous-token-of-carol-3');
SELECT sso_session_rotate('anonymous-token-of-dave-1', NULL, 'anonymous-token-of-carol-1');
SELECT sso_session_rotate('anonymous-token-of-carol-3', NULL, 'anonymous-token-of-carol-1');
SELECT sso_session_create('anon-dave', ust => 'anonymous-token-of-carol-2');
SELECT sso_session_rotate('anonymous-token-of-carol-3') AS issued \gset
SELECT sso_session_verify('anonymous-token-of-carol-3'), sso_attr_get(:'issued', 'sealed'), session_id = :'id' FROM sso_session_get(:'issued');
SELECT sso_session_create('anon-dave', ust => 'anonymous-token-of-carol-3');
SELECT sso_session_end('anonymous-token-of-carol-3'), sso_session_end('anonymous-token-of-carol-1'), sso_session_verify(:'issued');
\set VERBOSITY default
SELECT sso_session_rotate('anonymous-token-of-dave-1', NULL, 'anonymous-token-of-carol-1');
\set VERBOSITY sqlstate
-- A new token is what an adopted one must be; the argument comes before the session.
SELECT sso_session_rotate(:'issued', NULL, '');
SELECT sso_session_rotate(:'issued', NULL, repeat('x', 21));
SELECT sso_session_rotate(:'issued', NULL, repeat('x', 513));
SELECT sso_session_rotate(:'issued', NULL, 'sso_' || repeat('x', 64));
SELECT sso_session_rotate(:'issued', NULL, :'issued');
SELECT sso_session_rotate('no token', NULL, 'short');
SELECT sso_session_rotate('no token', NULL, 'anonymous-token-of-nobody');
SELECT sso_session_verify(:'issued'), sso_session_rotate(:'issued', NULL, repeat('日', 22)) = repeat('日', 22), sso_session_verify(repeat('日', 22)), sso_session_rotate(repeat('日', 22), NULL, repeat('x', 512)) = repeat('x', 512);
SELECT sso_session_verify(repeat('x', 512)), sso_session_verify(repeat('日', 22));

-- When the session ends, every token that led to it can be adopted again, and no row is left of any: whoever
-- ends it, and however.
CREATE VIEW test.rows AS
    SELECT (SELECT count(*) FROM sso_attr.session WHERE id = s.id OR alias_of = s.id) AS sessions, (SELECT count(*) FROM sso_attr.attribute WHERE session_id = s.id) AS attributes, s.id
    FROM (SELECT DISTINCT COALESCE(alias_of, id) AS id FROM sso_attr.session) AS s;
SELECT sessions, attributes FROM test.rows WHERE id = :'id';
SELECT sso_session_end(repeat('x', 512));
SELECT sessions, attributes FROM test.rows WHERE id = :'id';
SELECT sso_session_create('anon-erin', ust => 'anonymous-token-of-carol-1'), sso_session_rotate('anonymous-token-of-dave-1', NULL, 'anonymous-token-of-carol-2');
SELECT user_id, sso_attr_get_all('anonymous-token-of-carol-1') FROM sso_session_get('anonymous-token-of-carol-1');
SELECT user_id FROM sso_session_get('anonymous-token-of-carol-2');
SELECT sso_session_end_all('anon-dave'), sso_session_end_all('anon-erin');
SELECT count(*) FROM sso_attr.session WHERE alias_of IS NOT NULL;
-- By the list's id, by a login that keeps the newest, and by the purge.
CREATE PROCEDURE test.open_and_rotate(of_user text) LANGUAGE plpgsql AS $$
DECLARE
    ust text := sso_session_create();
BEGIN
    PERFORM sso_attr_set(ust, 'a', 1);
    PERFORM sso_session_rotate(ust, of_user, 'anonymous-token-of-many-1');
    PERFORM sso_session_rotate('anonymous-token-of-many-1', of_user, 'anonymous-token-of-many-2');
END
$$;
CALL test.open_and_rotate('anon-fay');
SELECT sessions, attributes FROM test.rows JOIN sso_session_list('anon-fay') ON id = session_id;
SELECT sso_session_end_one('anon-fay', session_id) FROM sso_session_list('anon-fay');
SELECT count(*) FROM sso_attr.session WHERE alias_of IS NOT NULL OR user_id = 'anon-fay';
CALL test.open_and_rotate('anon-fay');
SELECT sso_session_create('anon-fay', keep_newest => 1) IS NOT NULL;
SELECT count(*) FROM sso_session_list('anon-fay');
SELECT count(*) FROM sso_attr.session WHERE alias_of IS NOT NULL;
CALL test.open_and_rotate('anon-gus');
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'anon-gus';
SELECT sso_session_verify('anonymous-token-of-many-2');
SELECT sso_attr_purge() > 0;
SELECT count(*) FROM sso_attr.session WHERE alias_of IS NOT NULL OR user_id = 'anon-gus';
-- Before the purge has come, one that is over is adopted afresh, by the session's own id or by another.
CALL test.open_and_rotate('anon-gus');
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'anon-gus';
SELECT sso_session_create('anon-hal', ust => 'anonymous-token-of-many-1');
SELECT user_id, sso_attr_get_all('anonymous-token-of-many-1'), sso_session_verify('anonymous-token-of-many-2') FROM sso_session_get('anonymous-token-of-many-1');
SELECT count(*) FROM sso_attr.session WHERE alias_of IS NOT NULL OR user_id = 'anon-gus';
SELECT sso_session_end_all('anon-hal'), sso_session_end_all('anon-fay');
-- An other id that has lost its session leads nowhere and can be adopted.
CALL test.open_and_rotate('anon-ivy');
DELETE FROM sso_attr.session WHERE user_id = 'anon-ivy';
SELECT sso_session_verify('anonymous-token-of-many-2'), sso_session_end('anonymous-token-of-many-2');
SELECT sso_session_create('anon-ivy', ust => 'anonymous-token-of-many-2');
SELECT user_id FROM sso_session_get('anonymous-token-of-many-2');
SELECT sso_session_end_all('anon-ivy'), count(*) FROM sso_attr.session WHERE alias_of IS NOT NULL;

-- What is bound is not told by the rows that lead to it: no digest, no user.
CALL test.open_and_rotate('anon-ivy');
SELECT octet_length(secret_digest), user_id, current_app, remote_addr, user_agent, expires_at, purge_bin, idle_limit FROM sso_attr.session WHERE alias_of IS NOT NULL;
SELECT sso_session_end_all('anon-ivy');
DROP PROCEDURE test.open_and_rotate;
DROP VIEW test.rows;
