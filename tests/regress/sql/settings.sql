-- The settings are few, bounded and in units; what protects others is not for a session to change.
\set VERBOSITY sqlstate
\pset format unaligned
\pset null '(null)'
SELECT name, unit, context, vartype, min_val, max_val, boot_val
FROM pg_settings WHERE name LIKE 'sso\_attr.%' AND name <> 'sso_attr.keyring_file' ORDER BY name;
SELECT name, unit, context, vartype, boot_val FROM pg_settings WHERE name = 'sso_attr.keyring_file';
-- Each is described in a sentence.
SELECT name FROM pg_settings WHERE name LIKE 'sso\_attr.%' AND short_desc !~ '\.$';
\pset tuples_only on

-- Units.
SET sso_attr.session_expiration = '90min';
SHOW sso_attr.session_expiration;
SET sso_attr.session_max_lifetime = '2d';
SHOW sso_attr.session_max_lifetime;
SET sso_attr.max_value_size = '64kB';
SHOW sso_attr.max_value_size;
RESET ALL;
-- Bounds.
SET sso_attr.session_expiration = 0;
SET sso_attr.session_expiration = -1;
SET sso_attr.session_expiration = '1ms';
SET sso_attr.session_expiration = 'never';
SET sso_attr.session_max_lifetime = -1;
SET sso_attr.max_value_size = 0;
SET sso_attr.max_value_size = '1GB';
SET sso_attr.audit = 'some';
SET sso_attr.session_expiration = 2147483647;
SELECT sso_session_create('settings-ann') AS ust \gset
SELECT expires_at - created_at FROM sso_session_get(:'ust');
SET sso_attr.session_max_lifetime = 2147483647;
SELECT sso_session_create('settings-ann') AS ust \gset
SELECT expires_at - created_at FROM sso_session_get(:'ust');
RESET ALL;
-- The path is the server's matter, not a session's.
SET sso_attr.keyring_file = '/tmp/keyring';
-- What does not exist is refused; before PostgreSQL 15 the server has no way to.
-- PostgreSQL 14 has no reserved prefixes and only warns when the library is loaded.
DO $$
BEGIN
    SET sso_attr.no_such_setting = 1;
    ASSERT current_setting('server_version_num')::integer < 150000;
EXCEPTION WHEN invalid_name THEN
    ASSERT current_setting('server_version_num')::integer >= 150000;
END
$$;

-- A role that is not superuser has only the default lifetime, and does not see where the keys are.
CREATE ROLE settings_app;
SELECT sso_attr_grant('settings_app');
SET ROLE settings_app;
SET sso_attr.session_expiration = 60;
SET sso_attr.session_max_lifetime = 0;
SET sso_attr.max_value_size = '100MB';
SET sso_attr.audit = changes;
SET sso_attr.keyring_file = '';
SHOW sso_attr.keyring_file;
SELECT current_setting('sso_attr.keyring_file');
SELECT count(*) FROM pg_settings WHERE name = 'sso_attr.keyring_file';
SHOW sso_attr.session_expiration;
SHOW sso_attr.session_max_lifetime;
SHOW sso_attr.max_value_size;
SELECT set_config('sso_attr.session_max_lifetime', '0', false);
SELECT sso_session_create('settings-app', expiration => 'Infinity') AS ust \gset
SELECT expires_at - created_at FROM sso_session_get(:'ust');
RESET ROLE;
RESET ALL;

-- Without a keyring file, set while the server runs: a reload is enough, and encryption says what to do.
-- Each statement that follows a reload looks at it; until it has arrived the next one waits a little.
CREATE FUNCTION test.wait_while(condition text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('DO $do$ BEGIN IF %s THEN PERFORM pg_sleep(0.01); END IF; END $do$', condition) FROM generate_series(1, 1000)
$$;
\set VERBOSITY default
SELECT sso_session_create('settings-bob') AS ust \gset
SELECT current_setting('sso_attr.keyring_file') AS outside, current_setting('data_directory') || '/keyring' AS inside \gset
ALTER SYSTEM SET sso_attr.keyring_file = '';
SELECT pg_reload_conf();
\set ECHO none
SELECT test.wait_while($$current_setting('sso_attr.keyring_file') <> ''$$) \gexec
\set ECHO all
SELECT sso_attr_create(:'ust', 'a', 1, encrypt => true);
SELECT sso_attr_create(:'ust', 'a', 1), sso_attr_update(:'ust', 'a', 2), sso_attr_set(:'ust', 'a', 3);
SELECT sso_attr_get(:'ust', 'a');
ALTER SYSTEM RESET sso_attr.keyring_file;
SELECT pg_reload_conf();
\set ECHO none
SELECT test.wait_while($$current_setting('sso_attr.keyring_file') = ''$$) \gexec
\set ECHO all
SELECT sso_attr_update(:'ust', 'a', 4, encrypt => true);
SELECT sso_attr_get(:'ust', 'a');

-- A keyring inside the data directory works, but is warned about once: every base backup would contain it.
\setenv SSO_ATTR_INSIDE :inside
\! cp -p "$SSO_ATTR_KEYRING" "$SSO_ATTR_INSIDE"
ALTER SYSTEM SET sso_attr.keyring_file = :'inside';
SELECT pg_reload_conf();
\set ECHO none
SELECT test.wait_while(format($$current_setting('sso_attr.keyring_file') <> %L$$, :'inside')) \gexec
\set ECHO all
SELECT sso_attr_get(:'ust', 'a');
SELECT sso_attr_get(:'ust', 'a');
ALTER SYSTEM RESET sso_attr.keyring_file;
SELECT pg_reload_conf();
\set ECHO none
SELECT test.wait_while(format($$current_setting('sso_attr.keyring_file') <> %L$$, :'outside')) \gexec
\set ECHO all
\! rm "$SSO_ATTR_INSIDE"
SELECT sso_attr_get(:'ust', 'a');
DROP FUNCTION test.wait_while;
SELECT sso_attr_revoke('settings_app');
DROP ROLE settings_app;
