-- The recommended installation, as SECURITY.md has it: in a schema of its own nobody but a superuser
-- can put a function beside ours. In public the owner of the database can.
\pset format unaligned
\pset tuples_only on
\set VERBOSITY sqlstate
CREATE ROLE own_schema_dba LOGIN;
CREATE ROLE own_schema_app LOGIN;
CREATE ROLE own_schema_nobody;
CREATE DATABASE regress_sso_attr_own_schema OWNER own_schema_dba TEMPLATE template0 ENCODING 'UTF8';
SELECT current_database() AS home, current_user AS superuser \gset
\c regress_sso_attr_own_schema
CREATE SCHEMA sso;
REVOKE ALL ON SCHEMA sso FROM PUBLIC;
CREATE EXTENSION sso_attr SCHEMA sso;
SELECT sso.sso_attr_grant('own_schema_app');
ALTER ROLE own_schema_app IN DATABASE regress_sso_attr_own_schema SET search_path = sso;

-- What the owner of the database tries.
\c - own_schema_dba
CREATE FUNCTION sso.sso_attr_get(ust text, name varchar) RETURNS jsonb LANGUAGE sql AS $$ SELECT '"theirs"'::jsonb $$;
CREATE OPERATOR sso.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
CREATE TABLE sso.theirs ();
CREATE OR REPLACE FUNCTION sso.sso_session_verify(ust text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
ALTER FUNCTION sso.sso_session_verify(text) SET search_path = public;
DROP FUNCTION sso.sso_session_verify(text);
GRANT CREATE ON SCHEMA sso TO own_schema_dba;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sso TO own_schema_dba;
ALTER SCHEMA sso OWNER TO own_schema_dba;
ALTER SCHEMA sso RENAME TO gone;
DROP SCHEMA sso CASCADE;
ALTER EXTENSION sso_attr ADD FUNCTION pg_catalog.now();
DROP EXTENSION sso_attr;
SELECT sso.sso_session_verify('no token');
SELECT sso.sso_attr_grant('own_schema_dba');
SELECT count(*) FROM sso_attr.session;
-- What it can do: put a closer function into public, and public first in its database.
CREATE FUNCTION public.sso_attr_set(ust text, name text, value text) RETURNS text LANGUAGE sql AS $$ SELECT 'theirs' $$;
GRANT EXECUTE ON FUNCTION public.sso_attr_set(text, text, text) TO PUBLIC;
ALTER DATABASE regress_sso_attr_own_schema SET search_path = public, sso;

-- Everybody else.
\c - :superuser
SET ROLE own_schema_nobody;
CREATE FUNCTION sso.sso_attr_get(ust text, name varchar) RETURNS jsonb LANGUAGE sql AS $$ SELECT '"theirs"'::jsonb $$;
SELECT sso.sso_session_verify('no token');
RESET ROLE;

-- The application, unqualified and qualified. The setting of its own role counts.
\c - own_schema_app
SHOW search_path;
CREATE FUNCTION sso.sso_attr_get(ust text, name varchar) RETURNS jsonb LANGUAGE sql AS $$ SELECT '"theirs"'::jsonb $$;
SELECT sso_session_create('own-schema-ann') AS ust \gset
SELECT sso_attr_set(:'ust', 'a', 'x'::text);
SELECT sso_attr_get(:'ust', 'a'), sso.sso_attr_get(:'ust', 'a');
-- Whatever the order of the path, the closer function is preferred; a qualified call is what it says.
SET search_path = sso, public;
SELECT sso_attr_set(:'ust', 'a', 'y'::text), sso_attr_get(:'ust', 'a');
SELECT sso.sso_attr_set(:'ust', 'a', 'y'::text);
SELECT sso.sso_attr_get(:'ust', 'a');

\c :home :superuser
DROP DATABASE regress_sso_attr_own_schema;
DROP ROLE own_schema_dba, own_schema_app, own_schema_nobody;
