-- Every documented failure has its own documented SQLSTATE, and none is an internal error.
\pset format unaligned
SELECT sso_session_create('states-ann') AS ust, sso_session_create('states-over') AS over, sso_session_create('states-ended') AS ended, sso_session_create('states-adopted', ust => 'sqlstates-token-adopted') AS adopted \gset
SELECT sso_attr_create_many(:'ust', '[{"name":"here","value":1},{"name":"sealed","value":1,"encrypt":true},{"name":"altered","value":1,"encrypt":true},{"name":"foreign key","value":1,"encrypt":true}]');
SELECT sso_session_end(:'ended');
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'states-over';
UPDATE sso_attr.attribute AS a SET sealed = CASE a.name WHEN 'altered' THEN set_byte(sealed, 40, 255 - get_byte(sealed, 40)) ELSE set_byte(sealed, 5, 99) END
FROM sso_attr.session AS s WHERE s.id = a.session_id AND s.user_id = 'states-ann' AND a.name IN ('altered', 'foreign key');
CREATE ROLE states_nobody;
GRANT USAGE ON SCHEMA test TO states_nobody;
CREATE TABLE test.failure (position integer GENERATED ALWAYS AS IDENTITY, failure text, call text, ust text);
INSERT INTO test.failure (failure, call, ust) VALUES
    ('session unknown', 'sso_attr_get($1, ''here'')', 'sso_' || repeat('A', 64)),
    ('session malformed', 'sso_attr_get($1, ''here'')', 'no token'),
    ('session ended', 'sso_attr_get($1, ''here'')', :'ended'),
    ('session expired', 'sso_attr_get($1, ''here'')', :'over'),
    ('session to keep is another user''s', 'sso_session_end_all(''states-nobody'', $1)', :'ust'),
    ('attribute missing: update', 'sso_attr_update($1, ''gone'', 1)', :'ust'),
    ('attribute missing: set_expiry', 'sso_attr_set_expiry($1, ''gone'', 1)', :'ust'),
    ('attribute missing: update_many', 'sso_attr_update_many($1, ''[{"name":"gone","value":1}]'')', :'ust'),
    ('attribute missing: set_expiry_many', 'sso_attr_set_expiry_many($1, ''[{"name":"gone"}]'')', :'ust'),
    ('attribute exists: create', 'sso_attr_create($1, ''here'', 1)', :'ust'),
    ('attribute exists: create_many', 'sso_attr_create_many($1, ''[{"name":"here","value":1}]'')', :'ust'),
    ('attribute twice: create_many', 'sso_attr_create_many($1, ''[{"name":"n","value":1},{"name":"n","value":1}]'')', :'ust'),
    ('token in use', 'sso_session_create(''states-x'', ust => $1)', :'adopted'),
    ('bad argument: name', 'sso_attr_get($1, NULL)', :'ust'),
    ('bad argument: expiration', 'sso_attr_set($1, ''n'', 1, 0)', :'ust'),
    ('bad argument: token to adopt', 'sso_session_create(''states-x'', ust => ''short'')', NULL),
    ('bad argument: user_id', 'sso_session_create('''')', NULL),
    ('bad argument: kind of grant', 'sso_attr_grant(''postgres'', ''all'')', NULL),
    ('bad item', 'sso_attr_set_many($1, ''[1]'')', :'ust'),
    ('bad data', 'sso_attr_set_many($1, ''1'')', :'ust'),
    ('name too long', 'sso_attr_set($1, repeat(''n'', 256), 1)', :'ust'),
    ('value too long', 'sso_attr_set($1, ''n'', repeat(''x'', 2000000))', :'ust'),
    ('user_id too long', 'sso_session_create(repeat(''u'', 256))', NULL),
    ('current_app too long', 'sso_session_create(''states-x'', repeat(''u'', 256))', NULL),
    ('key id not in the keyring', 'sso_attr_get($1, ''foreign key'')', :'ust'),
    ('stored value altered', 'sso_attr_get($1, ''altered'')', :'ust');
SELECT failure, test.attempt(call, ust) AS sqlstate FROM test.failure ORDER BY position;
\pset tuples_only on

-- Encryption without a keyring, in a backend that has read none.
\! mv "$SSO_ATTR_KEYRING" "$SSO_ATTR_KEYRING.kept"
\c
SELECT 'encryption without a keyring', test.attempt('sso_attr_set($1, ''n'', 1, encrypt => true)', :'ust');
SELECT 'sealed value without a keyring', test.attempt('sso_attr_get($1, ''sealed'')', :'ust');
\! mv "$SSO_ATTR_KEYRING.kept" "$SSO_ATTR_KEYRING"

-- A caller who may not, for every function and table.
SET ROLE states_nobody;
SELECT DISTINCT 'caller may not', test.attempt(call, '') FROM test.verb;
SELECT 'caller may not', test.attempt('1 FROM sso_attr.attribute'), test.attempt('1 FROM sso_attr.session'), test.attempt('sso_session_create(''x'')'), test.attempt('sso_session_end($1)'),
       test.attempt('sso_session_end_all(''x'')'), test.attempt('sso_session_list(''x'')'), test.attempt('sso_session_verify($1)'), test.attempt('sso_attr_grant(''states_nobody'')'), test.attempt('sso_attr_revoke(''states_nobody'')');
RESET ROLE;

-- A read-only transaction refuses to write with PostgreSQL's own error, and reads.
BEGIN READ ONLY;
SELECT test.attempt('sso_attr_get($1, ''here'')', :'ust'), test.attempt('sso_attr_set($1, ''here'', 2)', :'ust'), test.attempt('sso_session_create(''states-x'')'), test.attempt('sso_session_end($1)', :'ust');
COMMIT;

-- Texts of the errors follow PostgreSQL's style: a message in lower case without a full stop, DETAIL
-- and HINT in sentences; no token, value or path is in any of them.
CREATE FUNCTION test.texts(call text, ust text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT ' || call USING ust;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
SELECT failure, t.* FROM test.failure, test.texts(call, ust) AS t
WHERE t.message IS NULL OR t.message !~ '^[a-z].*[^.]$' OR (t.detail <> '' AND t.detail !~ '^[A-Z].*\.$') OR (t.hint <> '' AND t.hint !~ '^[A-Z''].*\.$')
   OR position(ust IN concat(t.message, t.detail, t.hint)) > 0 OR concat(t.message, t.detail, t.hint) ~ 'xxxx|keyring/|/';
DROP FUNCTION test.texts;
DROP TABLE test.failure;
REVOKE USAGE ON SCHEMA test FROM states_nobody;
DROP ROLE states_nobody;
