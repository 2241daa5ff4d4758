-- sso_attr_version() says which builds are at work: what a report of an error needs, and whoever must know
-- whether a library is older than a fix of PostgreSQL that asks for extensions to be rebuilt.
\pset format unaligned
\pset tuples_only on
\set VERBOSITY sqlstate
SELECT extension = e.extversion, library = a.default_version, pgrx ~ '^\d+\.\d+\.\d+$', built_for = current_setting('server_version'),
       server = current_setting('server_version')
FROM sso_attr_version(), pg_extension AS e, pg_available_extensions AS a WHERE e.extname = 'sso_attr' AND a.name = 'sso_attr';

-- After an update of the files the library is the newer one, until ALTER EXTENSION.
BEGIN;
UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'sso_attr';
SELECT extension, library = a.default_version FROM sso_attr_version(), pg_available_extensions AS a WHERE a.name = 'sso_attr';
ROLLBACK;

-- For those who watch, on a standby too.
CREATE ROLE version_app;
CREATE ROLE version_monitor;
SELECT sso_attr_grant('version_app'), sso_attr_grant('version_monitor', 'monitor');
SET ROLE version_app;
SELECT sso_attr_version();
SET ROLE version_monitor;
BEGIN READ ONLY;
SELECT count(*) FROM sso_attr_version();
COMMIT;
RESET ROLE;
DROP OWNED BY version_app, version_monitor;
DROP ROLE version_app, version_monitor;
