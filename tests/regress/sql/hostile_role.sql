-- A role that may create what it likes, puts its own schema first and sets what it can, changes
-- nothing of what the functions do; its code runs with its own rights or not at all.
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
CREATE ROLE hostile_app LOGIN;
SELECT sso_attr_grant('hostile_app'), sso_attr_grant('hostile_app', 'operator');
CREATE SCHEMA evil AUTHORIZATION hostile_app;
DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO hostile_app', current_database()); END $$;
\c - hostile_app

-- Whatever of its code runs says for whom.
CREATE TABLE evil.witness (what text, who name);
GRANT INSERT ON evil.witness TO PUBLIC;
CREATE FUNCTION evil.record(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.witness VALUES (what, current_user); RETURN false; END $$;
CREATE FUNCTION evil.compare(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.record('uuid') $$;
CREATE FUNCTION evil.compare(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.record('text') $$;
CREATE FUNCTION evil.compare(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.record('timestamptz') $$;
CREATE FUNCTION evil.compare(bytea, bytea) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.record('bytea') $$;
CREATE FUNCTION evil.compare(boolean, boolean) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.record('boolean') $$;
CREATE FUNCTION evil.compare(name, name) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.record('name') $$;
CREATE FUNCTION evil.compare(oid, oid) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.record('oid') $$;
DO $$
DECLARE
    o text;
    t text;
BEGIN
    FOREACH o IN ARRAY '{=,<>,<,<=,>,>=}'::text[] LOOP
        FOREACH t IN ARRAY '{uuid,text,timestamptz,bytea,boolean,name,oid}'::text[] LOOP
            EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = evil.compare)', o, t);
        END LOOP;
    END LOOP;
END
$$;
CREATE FUNCTION evil.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE sql AS $$ SELECT $1[1] WHERE evil.record('unnest') $$;
CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$ SELECT CASE WHEN evil.record('to_jsonb') THEN NULL ELSE '"evil"'::jsonb END $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz 'infinity' WHERE evil.record('now') $$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz 'infinity' WHERE evil.record('clock_timestamp') $$;
CREATE FUNCTION evil.date_bin(interval, timestamptz, timestamptz) RETURNS timestamptz LANGUAGE sql AS $$ SELECT $2 WHERE evil.record('date_bin') $$;
CREATE FUNCTION evil.octet_length(bytea) RETURNS integer LANGUAGE sql AS $$ SELECT 32 WHERE evil.record('octet_length') $$;
CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT 'SELECT 1' WHERE evil.record('format') $$;
CREATE FUNCTION evil.int8inc(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint WHERE evil.record('count') $$;
CREATE AGGREGATE evil.count(*) (SFUNC = evil.int8inc, STYPE = bigint);
CREATE TABLE evil.session (id uuid, secret_digest bytea, user_id text, expires_at timestamptz, created_at timestamptz);
CREATE TABLE evil.attribute (session_id uuid, name text, value jsonb, sealed bytea, expires_at timestamptz, created_at timestamptz, updated_at timestamptz);
CREATE TEMPORARY TABLE session (LIKE evil.session);
CREATE TEMPORARY TABLE attribute (LIKE evil.attribute);
CREATE FUNCTION evil.on_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.record('trigger'); RETURN NULL; END $$;
CREATE TRIGGER evil BEFORE INSERT OR UPDATE OR DELETE ON evil.attribute FOR EACH ROW EXECUTE FUNCTION evil.on_write();
CREATE DOMAIN evil.uuid AS pg_catalog.text;
CREATE DOMAIN evil.jsonb AS pg_catalog.text;
CREATE DOMAIN evil.timestamptz AS pg_catalog.text;

-- On our own tables and functions it has no say.
CREATE TRIGGER evil BEFORE UPDATE ON sso_attr.attribute FOR EACH ROW EXECUTE FUNCTION evil.on_write();
CREATE OR REPLACE FUNCTION public.sso_attr_get(ust text, name text) RETURNS pg_catalog.jsonb LANGUAGE sql AS $$ SELECT '"evil"'::pg_catalog.jsonb $$;
CREATE SCHEMA sso_attr;
CREATE POLICY evil ON sso_attr.attribute USING (true);

-- Every verb, under every search path and with settings that change how statements are read, in
-- backends whose plans are made under them.
CREATE TABLE evil.call AS
    SELECT v.position, pg_catalog.regexp_replace(v.call, '(?<!\w)(sso_\w+\()', 'public.\1') AS call
    FROM (SELECT position, pg_catalog.regexp_replace(call, '^(string_agg|count|length)\(', 'pg_catalog.\1(') AS call FROM test.verb) AS v;
CREATE FUNCTION evil.walk() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    token text := public.sso_session_create('hostile-ann');
    verb record;
    result text;
BEGIN
    PERFORM public.sso_attr_create(token, 'here', 'sealed'::pg_catalog.text, NULL, true);
    FOR verb IN SELECT c.call FROM evil.call AS c ORDER BY c.position USING OPERATOR(pg_catalog.<) LOOP
        EXECUTE pg_catalog.concat('SELECT ', verb.call) INTO result USING token;
        RETURN NEXT result;
    END LOOP;
    RETURN NEXT public.sso_session_end_all('hostile-ann');
    -- How many rows other tests have left is not ours to say, nor what cannot be opened.
    SET LOCAL client_min_messages = error;
    RETURN NEXT public.sso_attr_purge() OPERATOR(pg_catalog.>=) 0;
    RETURN NEXT public.sso_attr_rekey() OPERATOR(pg_catalog.>=) 0;
    RETURN NEXT (SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>=) 1 FROM public.sso_attr_keys());
    RETURN NEXT (SELECT pg_catalog.count(*) FROM public.sso_attr_purge_status());
    RETURN NEXT (SELECT s.keys_used OPERATOR(pg_catalog.>=) 1 FROM public.sso_attr_stats() AS s);
    RETURN NEXT (SELECT v.extension OPERATOR(pg_catalog.=) v.library FROM public.sso_attr_version() AS v);
    RETURN NEXT current_user;
END
$$;
SELECT pg_catalog.string_agg(w, ' ') AS plain FROM evil.walk() AS w \gset
SELECT :'plain';
\c - hostile_app
SET search_path = evil, pg_catalog, public;
SELECT pg_catalog.string_agg(w, ' ') OPERATOR(pg_catalog.=) :'plain' FROM evil.walk() AS w;
\c - hostile_app
CREATE TEMPORARY TABLE session (LIKE evil.session);
CREATE TEMPORARY TABLE attribute (LIKE evil.attribute);
SET search_path = pg_temp, evil, pg_catalog, public;
SET transform_null_equals = on;
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SET row_security = off;
SET bytea_output = 'escape';
SET datestyle = 'German, DMY';
SET intervalstyle = 'iso_8601';
SET timezone = 'Pacific/Kiritimati';
SET extra_float_digits = -15;
SET quote_all_identifiers = on;
SET default_transaction_isolation = 'serializable';
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET plan_cache_mode = 'force_generic_plan';
SET session_replication_role = 'replica';
SELECT pg_catalog.string_agg(w, ' ') OPERATOR(pg_catalog.=) :'plain' FROM evil.walk() AS w;
RESET ALL;
SELECT what, who FROM evil.witness;

-- Its own cast to json is its own code: it runs for it, before anything of ours, and may call us again.
CREATE TYPE evil.mood AS ENUM ('calm');
CREATE FUNCTION evil.mood_to_json(evil.mood) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO evil.witness VALUES ('cast', current_user);
    PERFORM sso_attr_set(current_setting('evil.ust'), 'nested', 'by the cast');
    RETURN json_build_object('who', current_user, 'tables', test.attempt('1 FROM sso_attr.attribute'));
END
$$;
CREATE CAST (evil.mood AS json) WITH FUNCTION evil.mood_to_json(evil.mood);
CREATE DOMAIN evil.checked AS text CHECK (evil.record('domain') IS NOT NULL);
SELECT sso_session_create('hostile-bob') AS ust \gset
SET evil.ust = :'ust';
SELECT sso_attr_create(:'ust', 'a', 'calm'::evil.mood), sso_attr_set(:'ust', 'b', ARRAY['calm'::evil.mood], encrypt => true), sso_attr_update(:'ust', 'a', ROW('calm'::evil.mood)), sso_attr_set(:'ust', 'c', 'x'::evil.checked);
SELECT name, value FROM sso_attr_list(:'ust');
SELECT DISTINCT what, who FROM evil.witness ORDER BY what;
-- When it fails, that is its failure; who we are is as before.
CREATE OR REPLACE FUNCTION evil.mood_to_json(evil.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'diagnostics_exception'; END $$;
SELECT sso_attr_set(:'ust', 'a', 'calm'::evil.mood);
SELECT test.attempt('sso_attr_set($1, ''a'', ''calm''::evil.mood)', :'ust'), current_user, test.attempt('1 FROM sso_attr.attribute'), sso_attr_exists(:'ust', 'a');
-- And so it is after every failure of ours.
SELECT test.attempt('sso_attr_update($1, ''gone'', 1)', :'ust'), test.attempt('sso_attr_get($1, ''a'')', 'no token'), test.attempt('sso_attr_create($1, ''a'', 1)', :'ust'), current_user, test.attempt('1 FROM sso_attr.session');

-- Its temporary tables would go with its backend, which may outlive the role's last line here.
DISCARD TEMP;
-- A superuser who walks into its schema runs none of it either.
\c - postgres
DELETE FROM evil.witness;
SET search_path = evil, public, pg_catalog;
SELECT pg_catalog.string_agg(w, ' ') FROM (SELECT public.sso_attr_grant('hostile_app')::pg_catalog.text UNION ALL SELECT public.sso_attr_revoke('hostile_app')::pg_catalog.text) AS g (w);
SELECT public.sso_attr_update(:'ust', 'a', 1), public.sso_attr_set_many(:'ust', '[{"name":"a","value":2},{"name":"d","value":3}]'), public.sso_attr_delete_many(:'ust', ARRAY['b', 'c']);
SELECT public.sso_attr_get_all(:'ust');
SET client_min_messages = error;
SELECT public.sso_session_end(:'ust'), sso_attr.extend_grants(), public.sso_attr_purge() OPERATOR(pg_catalog.>=) 0, public.sso_attr_rekey() OPERATOR(pg_catalog.>=) 0;
RESET client_min_messages;
SELECT what, who FROM evil.witness;
RESET search_path;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA evil CASCADE;
RESET client_min_messages;
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM hostile_app', current_database()); END $$;
SELECT sso_attr_revoke('hostile_app', 'operator');
DROP ROLE hostile_app;
