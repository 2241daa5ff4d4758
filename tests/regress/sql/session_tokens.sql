-- Only the whole token of a live session proves anything. The table holds nothing to make one of,
-- and nothing tells an unknown token from a malformed, ended or expired one.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

-- A token is sso_ and base64url of the session's id, of version 7, and a secret whose SHA-256 is stored.
SELECT sso_session_create('token-ann') AS ust \gset
SELECT :'ust' ~ '^sso_[A-Za-z0-9_-]{64}$';
SELECT decode(translate(substr(:'ust', 5), '-_', '+/'), 'base64') AS raw \gset
SELECT id = encode(substr(:'raw'::bytea, 1, 16), 'hex')::uuid, secret_digest = sha256(substr(:'raw'::bytea, 17)),
       substr(id::text, 15, 1)
FROM sso_attr.session WHERE user_id = 'token-ann';
-- Ids of one millisecond and secrets are never the same.
SELECT count(DISTINCT ust), count(DISTINCT substr(ust, 27))
FROM (SELECT sso_session_create('token-many') AS ust FROM generate_series(1, 100)) AS issued;

-- Whatever is not that token proves nothing, and all of it fails alike.
CREATE TABLE test.forgery (what text, ust text);
INSERT INTO test.forgery
SELECT 'null', NULL::text
UNION ALL SELECT 'empty', ''
UNION ALL SELECT 'prefix only', 'sso_'
UNION ALL SELECT 'truncated', left(:'ust', -1)
UNION ALL SELECT 'longer', :'ust' || 'A'
UNION ALL SELECT 'id without secret', left(:'ust', 26)
UNION ALL SELECT 'leading space', ' ' || :'ust'
UNION ALL SELECT 'trailing newline', :'ust' || E'\n'
UNION ALL SELECT 'other case', upper(:'ust')
UNION ALL SELECT 'without prefix', substr(:'ust', 5)
UNION ALL SELECT 'id with another secret', left(:'ust', 25) || translate(substr(:'ust', 26), 'ABCDEFGHabcdefgh', 'HGFEDCBAhgfedcba')
UNION ALL SELECT 'last character changed', left(:'ust', -1) || CASE right(:'ust', 1) WHEN 'A' THEN 'B' ELSE 'A' END
UNION ALL SELECT 'id with the stored digest',
          'sso_' || translate(encode(substr(:'raw'::bytea, 1, 16) || secret_digest, 'base64'), E'+/=\n', '-_')
          FROM sso_attr.session WHERE user_id = 'token-ann'
UNION ALL SELECT 'the stored digest', encode(secret_digest, 'hex') FROM sso_attr.session WHERE user_id = 'token-ann'
UNION ALL SELECT 'the id', id::text FROM sso_attr.session WHERE user_id = 'token-ann'
UNION ALL SELECT 'unknown', 'sso_' || repeat('A', 64)
UNION ALL SELECT 'not base64', 'sso_' || repeat('*', 64)
UNION ALL SELECT 'not ASCII', 'sso_' || repeat('ü', 32)
UNION ALL SELECT 'long', repeat('x', 100000)
UNION ALL SELECT 'never adopted', 'token-that-nobody-adopted'
UNION ALL SELECT 'SQL', ''' OR true --';
SELECT sso_session_create('token-ended') AS ended, sso_session_create('token-expired') AS expired \gset
SELECT sso_session_end(:'ended');
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'token-expired';
INSERT INTO test.forgery VALUES ('ended', :'ended'), ('expired', :'expired');
SELECT what, sso_session_verify(ust), sso_session_end(ust), test.attempt('sso_attr_get($1, ''a'')', ust)
FROM test.forgery;
SELECT sso_session_verify(:'ust');

CREATE FUNCTION test.whole_error(ust text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    PERFORM sso_attr_get(ust, 'a');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws('|', SQLSTATE, message, detail, hint);
END
$$;
SELECT DISTINCT test.whole_error(ust) FROM test.forgery;
DROP FUNCTION test.whole_error;
DROP TABLE test.forgery;

-- Rotation: a new secret for the same session, the old one is dead at once, attributes are not rewritten.
SELECT sso_attr_create(:'ust', 'clear', 'kept'), sso_attr_create(:'ust', 'secret', 'kept too', encrypt => true);
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
SELECT array_agg(ctid::text || xmin ORDER BY name) AS rows FROM sso_attr.attribute WHERE session_id = :'id' \gset
SELECT sso_session_rotate(:'ust') AS rotated \gset
SELECT :'rotated' ~ '^sso_[A-Za-z0-9_-]{64}$', :'rotated' <> :'ust';
SELECT sso_session_verify(:'ust'), sso_session_verify(:'rotated');
SELECT session_id = :'id' FROM sso_session_get(:'rotated');
SELECT sso_attr_get_all(:'rotated');
SELECT array_agg(ctid::text || xmin ORDER BY name) = :'rows' FROM sso_attr.attribute WHERE session_id = :'id';
SELECT sso_session_rotate(:'ust');
SELECT sso_attr_get(:'ust', 'clear');
-- A token of the second rotation does not revive the first.
SELECT sso_session_rotate(:'rotated') AS again \gset
SELECT sso_session_verify(:'ust'), sso_session_verify(:'rotated'), sso_session_verify(:'again');

-- Adoption takes 22 to 512 characters that are not in the form of our own.
SELECT sso_session_create('token-adopt', ust => repeat('x', 21));
SELECT sso_session_create('token-adopt', ust => '');
SELECT sso_session_create('token-adopt', ust => repeat('x', 513));
SELECT sso_session_create('token-adopt', ust => 'sso_' || repeat('x', 30));
SELECT sso_session_create('token-adopt', ust => :'again');
SELECT sso_session_create('token-adopt', ust => repeat('x', 22)) = repeat('x', 22);
SELECT sso_session_create('token-adopt', ust => repeat('ü', 22)) = repeat('ü', 22);
SELECT sso_session_create('token-adopt', ust => repeat('x', 512)) = repeat('x', 512);
SELECT sso_session_verify(repeat('x', 22)), sso_session_verify(repeat('ü', 22)), sso_session_verify(repeat('x', 512)),
       sso_session_verify(repeat('x', 23));
-- Its id is that of its SHA-256, of version 8.
SELECT session_id = encode(set_byte(set_byte(substr(digest, 1, 16), 6, (get_byte(digest, 6) & 15) | 128),
                                    8, (get_byte(digest, 8) & 63) | 128), 'hex')::uuid
FROM sso_session_get(repeat('x', 22)), sha256(repeat('x', 22)::bytea) AS digest;

-- One in use is taken; one of an ended or expired session starts a new and empty session.
SELECT sso_attr_create(repeat('x', 22), 'old', 1);
SELECT sso_session_create('token-thief', ust => repeat('x', 22));
SELECT user_id, sso_attr_get_all(repeat('x', 22)) FROM sso_session_get(repeat('x', 22));
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'token-adopt';
SELECT sso_session_create('token-second', ust => repeat('x', 22)) IS NOT NULL;
SELECT user_id, sso_attr_get_all(repeat('x', 22)) FROM sso_session_get(repeat('x', 22));
SELECT sso_attr_create(repeat('x', 22), 'old', 1);
SELECT sso_session_end(repeat('x', 22));
SELECT sso_session_create('token-third', ust => repeat('x', 22)) IS NOT NULL;
SELECT user_id, sso_attr_get_all(repeat('x', 22)) FROM sso_session_get(repeat('x', 22));

-- An adopted token that was rotated is dead, and is not adopted again until the session has ended.
SELECT sso_session_rotate(repeat('x', 22)) AS rotated \gset
SELECT sso_session_verify(repeat('x', 22)), sso_session_verify(:'rotated');
SELECT sso_session_create('token-fourth', ust => repeat('x', 22));
SELECT sso_session_end(:'rotated');
SELECT sso_session_create('token-fourth', ust => repeat('x', 22)) IS NOT NULL;
SELECT sso_session_verify(repeat('x', 22)), sso_session_verify(:'rotated');

-- Nowhere in the tables is a token, or its secret half, to be found.
SELECT count(*) FROM sso_attr.session AS s
WHERE position(substr(:'again', 27) IN s::text) > 0 OR position(repeat('x', 22) IN s::text) > 0
   OR position(encode(substr(decode(translate(substr(:'again', 5), '-_', '+/'), 'base64'), 17), 'hex') IN s::text) > 0;
