-- Users and login. The hashing is made cheap, and where the cost counts it is set.
\pset format unaligned
\pset null '(null)'
SET sso_attr.password_memory = '1MB';
SET sso_attr.password_passes = 1;

-- A user, found whatever the case and composition of the name.
SELECT sso_user_create('Zoë', 'correct horse', 'users-zoe');
SELECT sso_user_exists('zoë'), sso_user_exists('ZOË'), sso_user_exists(E'zoe\u0308'), sso_user_exists('zoe'), sso_user_exists(' zoë'), sso_user_exists(''), sso_user_exists(repeat('z', 300));
SELECT sso_user_create('users-ann', '12345678') AS ann \gset
SELECT :'ann' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';
\set VERBOSITY default
SELECT sso_user_create(E'ZOE\u0308', 'another one');
SELECT sso_user_create('users-other', 'another one', 'users-zoe');
SELECT sso_user_create('users-other', '1234567');
SELECT sso_user_create('users-other', repeat('x', 1025));
SELECT sso_user_set_password('users-nobody', 'another one');
\set VERBOSITY terse
SELECT test.attempt('sso_user_create(NULL, ''12345678'')'), test.attempt('sso_user_create('''', ''12345678'')'), test.attempt('sso_user_create(repeat(''x'', 256), ''12345678'')'), test.attempt('sso_user_create(''users-x'', NULL)'),
       test.attempt('sso_user_create(''users-x'', ''12345678'', '''')'), test.attempt('sso_user_create(''users-x'', ''12345678'', repeat(''x'', 256))');
SELECT count(*) FROM sso_user_list() WHERE username LIKE 'users-%';

-- Stored is a hash with the parameters in force, and a salt of its own.
SELECT username, regexp_replace(password, '[^$]+\$[^$]+$', 'salt$hash') FROM sso_attr.user ORDER BY username_key;

-- A login opens a session as sso_session_create does.
SELECT sso_user_login('ZOË', 'correct horse', 'app', '192.0.2.1', 'agent', 60) AS ust \gset
SELECT user_id, current_app, remote_addr, user_agent, expires_at - created_at FROM sso_session_get(:'ust');
SELECT sso_user_login('zoë', 'correct horse', 'app', '192.0.2.1'::inet) AS second, sso_user_login('zoë', 'correct horse', ust => 'users-adopted-token-of-zoe') AS adopted \gset
SELECT sso_session_verify(:'second'), :'adopted';
SELECT sso_user_login('zoë', 'correct horse', keep_newest => 2) AS newest \gset
SELECT count(*) FROM sso_session_list('users-zoe');
SELECT test.attempt('sso_user_login(''zoë'', ''correct horse'', ust => ''users-adopted-token-of-zoe'')'), test.attempt('sso_user_login(''zoë'', ''correct horse'', ust => ''short'')'), test.attempt('sso_user_login(''zoë'', ''correct horse'', expiration => 0)'),
       test.attempt('sso_user_login(''zoë'', ''correct horse'', keep_newest => 0)'), test.attempt('sso_user_login(''zoë'', ''correct horse'', repeat(''x'', 256))'), test.attempt('sso_user_login(''zoë'', ''correct horse'', ''app'', ''10.0.0.1, 10.0.0.2''::text)');
-- A failed call has opened no session.
SELECT count(*) FROM sso_session_list('users-zoe');

-- A login that is refused answers NULL, whatever is wrong.
SELECT sso_user_login('users-nobody', 'correct horse'), sso_user_login('zoë', 'wrong'), sso_user_login('zoë', ''), sso_user_login('zoë', NULL), sso_user_login(NULL, 'correct horse'), sso_user_login(NULL, NULL), sso_user_login('', ''), sso_user_login(repeat('z', 300), 'x'), sso_user_login('zoë', repeat('x', 100000));
SELECT sso_user_verify('users-nobody', 'correct horse'), sso_user_verify('zoë', 'Correct horse'), sso_user_verify('zoë', 'correct horse ');
SELECT username, failures, last_failed_at = last_refused_at AS last, last_refusal, waits_until, locked, locked_until FROM sso_user_list() WHERE user_id = 'users-zoe';
-- A success clears the count.
SELECT sso_user_verify('zoë', 'correct horse');
SELECT username, failures, last_failed_at, last_refusal FROM sso_user_list() WHERE user_id = 'users-zoe';
-- A rollback takes a failure back, as a login within a larger transaction must know.
BEGIN;
SELECT sso_user_verify('zoë', 'wrong');
ROLLBACK;
SELECT failures FROM sso_user_list() WHERE user_id = 'users-zoe';

-- Who has failed often waits: the right password is refused too, and is not counted. The wait doubles.
SET sso_attr.login_attempts = 3;
SELECT sso_user_verify('users-ann', 'wrong 1'), sso_user_verify('users-ann', 'wrong 2');
SELECT failures, waits_until FROM sso_user_list() WHERE username = 'users-ann';
SELECT sso_user_verify('users-ann', 'wrong 3');
SELECT failures FROM sso_user_list() WHERE username = 'users-ann';
CREATE FUNCTION test.wait_for_an_hour_less(n integer) RETURNS interval LANGUAGE sql AS $$
    UPDATE sso_attr.user SET failures = n, failed_at = clock_timestamp() - interval '1 hour' WHERE username = 'users-ann';
    SELECT sso_user_verify('users-ann', 'wrong');
    SELECT waits_until - last_failed_at FROM sso_user_list() WHERE username = 'users-ann'
$$;
SELECT n, test.wait_for_an_hour_less(n) FROM unnest(ARRAY[1, 9, 10, 11, 12, 100]) AS n;
SELECT sso_user_verify('users-ann', '12345678'), sso_user_login('users-ann', '12345678'), sso_user_verify('users-ann', 'wrong');
SELECT failures, last_refusal, last_refused_at > last_failed_at AS later FROM sso_user_list() WHERE username = 'users-ann';
-- When the wait is over the right password does.
UPDATE sso_attr.user SET failed_at = clock_timestamp() - interval '15 minutes' WHERE username = 'users-ann';
SELECT sso_user_verify('users-ann', '12345678');
SELECT failures, waits_until FROM sso_user_list() WHERE username = 'users-ann';
-- Without attempts nobody waits; unlocking and a new password end the wait.
UPDATE sso_attr.user SET failures = 100, failed_at = clock_timestamp() WHERE username = 'users-ann';
SET sso_attr.login_attempts = 0;
SELECT sso_user_verify('users-ann', 'wrong'), waits_until FROM sso_user_list() WHERE username = 'users-ann';
RESET sso_attr.login_attempts;
SELECT sso_user_verify('users-ann', '12345678');
SELECT sso_user_unlock('users-ann'), sso_user_verify('users-ann', '12345678');
UPDATE sso_attr.user SET failures = 100, failed_at = clock_timestamp() WHERE username = 'users-ann';
SELECT sso_user_set_password('users-ann', '12345678'), sso_user_verify('users-ann', '12345678');

-- Locked until then, or until unlocked; sessions stay.
SELECT sso_user_lock('ZOË'), sso_user_verify('zoë', 'correct horse'), sso_user_login('zoë', 'correct horse'), sso_user_verify('zoë', 'wrong'), sso_session_verify(:'newest');
SELECT failures, last_refusal, locked, locked_until FROM sso_user_list() WHERE user_id = 'users-zoe';
SELECT sso_user_lock('zoë', '2999-01-01 00:00 UTC'), sso_user_verify('zoë', 'correct horse');
SELECT locked, locked_until = '2999-01-01 00:00 UTC' FROM sso_user_list() WHERE user_id = 'users-zoe';
SELECT sso_user_lock('zoë', clock_timestamp()), sso_user_verify('zoë', 'correct horse');
SELECT sso_user_lock('zoë'), sso_user_unlock('zoë'), sso_user_verify('zoë', 'correct horse');
SELECT test.attempt('sso_user_lock(''users-nobody'')'), test.attempt('sso_user_unlock(''users-nobody'')'), test.attempt('sso_user_lock(NULL)'), test.attempt('sso_user_unlock('''')'), test.attempt('sso_user_exists(NULL)'), test.attempt('sso_user_delete(NULL)');

-- A new password ends all sessions but one, and the old password.
SELECT test.attempt('sso_user_set_password(''zoë'', ''battery staple'', ''no token'')'), test.attempt('sso_user_set_password(''zoë'', ''short'')'), test.attempt('sso_user_set_password(''zoë'', NULL)'), test.attempt('sso_user_set_password(NULL, ''battery staple'')');
SELECT sso_session_create('users-other') AS other \gset
SELECT test.attempt('sso_user_set_password(''zoë'', ''battery staple'', $1)', :'other'), count(*) FROM sso_session_list('users-zoe');
SELECT sso_user_verify('zoë', 'correct horse');
SELECT sso_user_set_password('zoë', 'battery staple', :'newest');
SELECT count(*), sso_session_verify(:'newest'), sso_user_verify('zoë', 'correct horse') AS old, sso_user_verify('zoë', 'battery staple') AS new FROM sso_session_list('users-zoe');
SELECT sso_user_set_password('zoë', 'correct horse');
SELECT count(*) FROM sso_session_list('users-zoe');
SELECT password_changed_at > created_at FROM sso_user_list() WHERE user_id = 'users-zoe';

-- With other parameters in force a login hashes anew, one that is refused does not.
SET sso_attr.password_memory = '2MB';
SET sso_attr.password_lanes = 2;
SELECT sso_user_verify('zoë', 'wrong');
SELECT split_part(password, '$', 4) FROM sso_attr.user WHERE user_id = 'users-zoe';
SELECT sso_user_login('zoë', 'correct horse') IS NOT NULL;
SELECT split_part(password, '$', 4) FROM sso_attr.user WHERE user_id = 'users-zoe';
SELECT sso_user_verify('zoë', 'correct horse'), sso_user_verify('zoë', 'wrong');
-- A hash of another implementation will do; what is none is reported as such.
UPDATE sso_attr.user SET password = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4' WHERE username = 'users-ann';
SELECT sso_user_verify('users-ann', 'password'), sso_user_verify('users-ann', 'password');
SELECT split_part(password, '$', 4) FROM sso_attr.user WHERE username = 'users-ann';
UPDATE sso_attr.user SET password = 'in clear' WHERE username = 'users-ann';
SELECT test.attempt('sso_user_verify(''users-ann'', ''in clear'')');
UPDATE sso_attr.user SET password = '$argon2id$v=19$m=1048576,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4' WHERE username = 'users-ann';
\set VERBOSITY default
SELECT sso_user_verify('users-ann', 'takes more than login_memory');
\set VERBOSITY terse

-- Deleted while logged in.
SELECT sso_user_login('zoë', 'correct horse') AS ust \gset
SELECT sso_user_delete('ZOË'), sso_user_exists('zoë'), sso_user_delete('zoë'), sso_user_login('zoë', 'correct horse');
SELECT sso_session_verify(:'ust'), count(*) FROM sso_session_list('users-zoe');
SELECT sso_user_create('zoë', 'correct horse', 'users-zoe');
SELECT sso_session_verify(:'ust'), sso_user_delete('zoë'), sso_user_delete('users-ann');

-- A role of its own; an app that has its own users needs none of it.
CREATE ROLE users_login;
CREATE ROLE users_app;
SELECT sso_attr_grant('users_login', 'login'), sso_attr_grant('users_app');
SET ROLE users_login;
SELECT sso_user_create('users-eve', 'evening star', 'users-eve');
SELECT sso_user_login('users-eve', 'evening star') AS ust \gset
SELECT test.attempt('sso_attr_set($1, ''a'', 1)', :'ust'), test.attempt('1 FROM sso_attr.user');
SET sso_attr.login_attempts = 0;
SET ROLE users_app;
SELECT test.attempt('sso_attr_set($1, ''a'', 1)', :'ust'), test.attempt('sso_user_verify(''users-eve'', ''evening star'')'), test.attempt('sso_user_exists(''users-eve'')'), test.attempt('* FROM sso_user_list()');
RESET ROLE;
SELECT sso_attr_revoke('users_login', 'login'), sso_attr_revoke('users_app'), sso_user_delete('users-eve');
DROP ROLE users_login, users_app;
DROP FUNCTION test.wait_for_an_hour_less;
RESET ALL;
