-- The extension goes into any schema, is dropped and made again in one backend, and refuses what it
-- cannot work in; a backend that had its plans goes on.
\pset format unaligned
\pset tuples_only on
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
CREATE DATABASE regress_sso_attr_lifecycle TEMPLATE template0 ENCODING 'UTF8';
SELECT current_database() AS home \gset
\c regress_sso_attr_lifecycle
-- Not there yet.
SELECT sso_session_create('lifecycle-ann');
-- Whoever owns the database but is no superuser is told so.
CREATE ROLE lifecycle_dba;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO lifecycle_dba', current_database()); END $$;
SET ROLE lifecycle_dba;
\set VERBOSITY default
CREATE EXTENSION sso_attr;
\set VERBOSITY sqlstate
RESET ROLE;
CREATE SCHEMA api;
CREATE EXTENSION sso_attr SCHEMA api;
SELECT count(*) FROM pg_proc WHERE proname ~ '^sso_' AND pronamespace <> 'api'::regnamespace;
SELECT api.sso_session_create('lifecycle-ann') AS ust \gset
SELECT api.sso_attr_create(:'ust', 'a', 1), api.sso_attr_create(:'ust', 'b', 1, encrypt => true);
SELECT api.sso_attr_get_all(:'ust');
-- It stays where it is, and there is one of it.
ALTER EXTENSION sso_attr SET SCHEMA public;
CREATE EXTENSION sso_attr SCHEMA public;
-- A granted role reaches the functions in a schema that is not open to all.
CREATE ROLE lifecycle_app;
SELECT api.sso_attr_grant('lifecycle_app');
SET ROLE lifecycle_app;
SELECT api.sso_attr_get_all(:'ust');
RESET ROLE;
SELECT api.sso_attr_revoke('lifecycle_app');
REVOKE USAGE ON SCHEMA api FROM lifecycle_app;
DROP ROLE lifecycle_app;
-- Its parts are its own.
DROP FUNCTION api.sso_attr_get(text, text);
DROP TABLE sso_attr.attribute;
DROP SCHEMA sso_attr CASCADE;
SET ROLE lifecycle_dba;
\set VERBOSITY default
ALTER EXTENSION sso_attr UPDATE;
RESET ROLE;
-- Whoever is to drop it can look first at what would be lost (docs/updating.md).
SELECT (SELECT count(*) FROM sso_attr.session WHERE alias_of IS NULL AND expires_at > now()) AS sessions,
       (SELECT count(*) FROM sso_attr.attribute WHERE expires_at > now()) AS attributes,
       (SELECT count(*) FROM sso_attr.attribute WHERE sealed IS NOT NULL AND expires_at > now()) AS sealed,
       (SELECT count(*) FROM sso_attr.user) AS users;
CREATE TABLE invoice (owner text);
CREATE POLICY own ON invoice USING (owner = api.sso_current_user_id());
BEGIN;
DROP EXTENSION sso_attr;
ROLLBACK;
\set VERBOSITY sqlstate
DROP TABLE invoice;
-- Dropped with all that it holds, made again elsewhere, in one backend and in one transaction.
DROP EXTENSION sso_attr;
SELECT count(*) FROM pg_proc WHERE proname ~ '^sso_';
SELECT to_regnamespace('sso_attr') IS NULL;
CREATE EXTENSION sso_attr;
SELECT sso_attr_get(:'ust', 'a');
SELECT sso_session_create('lifecycle-bob') AS ust \gset
SELECT sso_attr_create(:'ust', 'a', 2), sso_attr_set(:'ust', 'b', 2), sso_attr_update(:'ust', 'a', 3, encrypt => true), sso_attr_set_many(:'ust', '[{"name":"c","value":3}]');
SELECT sso_attr_get_all(:'ust');
-- The new installation keeps its own account of keys.
SELECT count(*) FROM sso_attr.key_check;
-- Whoever owns the schema at the moment of the call is acted for: here someone who may not read the tables.
CREATE ROLE lifecycle_owner;
BEGIN;
ALTER SCHEMA sso_attr OWNER TO lifecycle_owner;
SAVEPOINT before;
SELECT sso_attr_get(:'ust', 'a');
ROLLBACK TO before;
ALTER SCHEMA sso_attr OWNER TO CURRENT_USER;
SELECT sso_attr_get(:'ust', 'a');
ALTER SCHEMA sso_attr OWNER TO lifecycle_owner;
ROLLBACK;
SELECT sso_attr_get(:'ust', 'a');
DROP ROLE lifecycle_owner;
BEGIN;
DROP EXTENSION sso_attr;
CREATE EXTENSION sso_attr;
SELECT sso_attr_get_all(:'ust');
ROLLBACK;
SELECT sso_attr_get_all(:'ust'), sso_attr_delete_many(:'ust', '{a,b,c}');
-- Someone else's schema of that name is not taken over.
DROP EXTENSION sso_attr;
CREATE SCHEMA sso_attr;
CREATE EXTENSION sso_attr;
DROP SCHEMA sso_attr;
CREATE EXTENSION IF NOT EXISTS sso_attr;
SELECT sso_session_verify('no token');
\c :home
DROP DATABASE regress_sso_attr_lifecycle;
DROP ROLE lifecycle_dba;

-- Texts are UTF8 or not at all.
CREATE DATABASE regress_sso_attr_latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_sso_attr_latin1
\set VERBOSITY default
CREATE EXTENSION sso_attr;
\c :home
DROP DATABASE regress_sso_attr_latin1;
