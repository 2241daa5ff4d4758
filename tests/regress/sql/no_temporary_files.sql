-- What a session holds, a call on it can do in memory: the end of a large session needs no temporary
-- file, which a server may be short of or forbid.
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION test.large_session(token text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(sso_session_create('large-ann', ust => token));
    WITH session AS (SELECT id FROM sso_attr.session ORDER BY created_at DESC LIMIT 1)
    INSERT INTO sso_attr.attribute (session_id, name, value, created_at, updated_at)
    SELECT id, 'a name that is not short ' || i, '1', now(), now() FROM session, generate_series(1, 20000) AS i;
    SELECT count(*) FROM sso_attr_names(token);
$$;
SELECT test.large_session('large-session-to-be-ended'), test.large_session('large-session-of-end-all'), test.large_session('large-session-adopted-again');
SET temp_file_limit = 0;
SET work_mem = '64kB';
SELECT test.attempt('sso_session_end($1)', 'large-session-to-be-ended');
-- Adopting the token of a session that is over removes what is left of it.
UPDATE sso_attr.session SET expires_at = now() WHERE id = (SELECT session_id FROM sso_session_get('large-session-adopted-again'));
SELECT test.attempt('sso_session_create(''large-bob'', ust => $1)', 'large-session-adopted-again');
SELECT test.attempt('sso_session_end_all(''large-ann'')');
RESET temp_file_limit;
RESET work_mem;
SELECT count(*) FROM sso_attr.session JOIN sso_attr.attribute ON session_id = id WHERE user_id LIKE 'large-%';
SELECT sso_session_end_all('large-bob');
DROP FUNCTION test.large_session;
