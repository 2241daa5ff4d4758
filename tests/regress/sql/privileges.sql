-- Nobody may anything until sso_attr_grant says so, then exactly that, and nothing after
-- sso_attr_revoke; the tables are out of reach all the while.
\pset format unaligned
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
CREATE ROLE privileges_app;
CREATE ROLE privileges_holder;
CREATE ROLE privileges_monitor;
CREATE ROLE privileges_operator;
CREATE ROLE privileges_nobody;
CREATE VIEW test.walk AS
    SELECT p.oid, p.proname AS function,
           string_agg(CASE WHEN has_function_privilege(r.rolname, p.oid, 'EXECUTE') THEN 'yes' ELSE '-' END, ' ' ORDER BY r.rolname) AS app_holder_monitor_nobody_operator
    FROM pg_proc AS p
    JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'sso_attr'
    CROSS JOIN pg_roles AS r
    WHERE r.rolname IN ('privileges_app', 'privileges_holder', 'privileges_monitor', 'privileges_nobody', 'privileges_operator')
    GROUP BY p.oid, p.proname ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C";
CREATE FUNCTION test.attempt_as(role regrole, call text, ust text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %s', role);
    outcome := test.attempt(call, ust);
    RESET ROLE;
    RETURN outcome;
END
$$;

-- The list of kinds has every function once, and nothing else.
CREATE VIEW test.listed AS SELECT k.what, l.function FROM sso_attr.kind() AS k, unnest(k.functions) AS l (function);
SELECT w.function, string_agg(l.what, ' ') FROM test.walk AS w LEFT JOIN test.listed AS l USING (function) WHERE w.function ~ '^sso_' GROUP BY w.oid, w.function HAVING count(l.what) <> 1;
SELECT * FROM test.listed AS l WHERE NOT EXISTS (SELECT FROM test.walk AS w WHERE w.function = l.function AND w.function ~ '^sso_');
SELECT k.what, i.included FROM sso_attr.kind() AS k, unnest(k.includes) AS i (included) WHERE i.included NOT IN (SELECT what FROM sso_attr.kind() WHERE what <> 'owner');

-- Before: nobody, and PUBLIC has nothing on anything of the extension.
SELECT function, app_holder_monitor_nobody_operator FROM test.walk WHERE app_holder_monitor_nobody_operator <> '- - - - -';
SELECT p.oid::regprocedure FROM pg_proc AS p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a WHERE p.proname ~ '^sso_' AND a.grantee = 0;
SELECT p.oid::regprocedure FROM pg_proc AS p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a WHERE p.pronamespace = 'sso_attr'::regnamespace AND a.grantee = 0;
SELECT c.oid::regclass, a.privilege_type FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.relnamespace = 'sso_attr'::regnamespace AND a.grantee <> c.relowner;
SELECT a.privilege_type FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname = 'sso_attr' AND a.grantee <> n.nspowner;

-- Granted, each kind opens its functions.
SELECT sso_attr_grant('privileges_app'), sso_attr_grant('privileges_holder', 'holder'), sso_attr_grant('privileges_monitor', 'monitor'), sso_attr_grant('privileges_operator', 'operator');
SELECT function, app_holder_monitor_nobody_operator FROM test.walk;
-- A second grant changes nothing.
SELECT count(*) AS before FROM pg_proc AS p, aclexplode(p.proacl) WHERE p.proname ~ '^sso_' \gset
SELECT sso_attr_grant('privileges_app', 'app');
SELECT count(*) = :before FROM pg_proc AS p, aclexplode(p.proacl) WHERE p.proname ~ '^sso_';

-- And they work, for that role only; the tables, the schema and the grants are not for it.
SELECT sso_session_create('privileges-ann') AS ust \gset
SELECT sso_attr_create(:'ust', 'here', 'sealed one', encrypt => true);
SELECT call, test.attempt_as('privileges_app', call, :'ust') AS app, test.attempt_as('privileges_nobody', call, :'ust') AS nobody, test.attempt_as('privileges_operator', call, :'ust') AS operator, test.attempt_as('privileges_monitor', call, :'ust') AS monitor
FROM test.verb ORDER BY position;
-- A holder has all of that for the session whose token it has, and none to open one or to see a user's.
SELECT sso_session_create('privileges-ann') AS ust \gset
SELECT sso_attr_create(:'ust', 'here', 1);
SELECT call, test.attempt_as('privileges_holder', call, :'ust') FROM test.verb ORDER BY position;
SELECT call, test.attempt_as('privileges_app', call, NULL) AS app, test.attempt_as('privileges_holder', call, NULL) AS holder, test.attempt_as('privileges_monitor', call, NULL) AS monitor, test.attempt_as('privileges_operator', call, NULL) AS operator
FROM unnest(ARRAY['sso_session_create() IS NOT NULL', 'sso_session_create(NULL, NULL, ''192.0.2.1''::text) IS NOT NULL', 'count(*) FROM sso_session_list(''privileges-none'')', 'sso_session_end_one(''privileges-none'', ''00000000-0000-0000-0000-000000000000'')',
                  'sso_session_end_all(''privileges-none'')', 'sso_session_load(''no token'')', 'sso_session_end(''no token'')', 'last_error FROM sso_attr_purge_status()', 'count(*) > 0 FROM sso_attr_keys()', 'count(*) FROM sso_attr_stats()', 'count(*) FROM sso_attr_version()', 'sso_attr_purge(0)', 'sso_attr_rekey(0)', 'count(*) FROM sso_attr_check()']) AS call;
SELECT call, test.attempt_as('privileges_app', call, NULL) AS app
FROM unnest(ARRAY['1 FROM sso_attr.session', '1 FROM sso_attr.attribute', 'sso_attr.api(''app'')', 'sso_attr_grant(''privileges_nobody'')', 'sso_attr_revoke(''privileges_app'')',
                  'sso_session_create(''privileges-bob'') IS NOT NULL', 'sso_session_end_all(''privileges-bob'')', 'count(*) FROM sso_session_list(''privileges-bob'')']) AS call;
SET ROLE privileges_app;
INSERT INTO sso_attr.session VALUES (NULL);
UPDATE sso_attr.attribute SET value = '1';
DELETE FROM sso_attr.attribute;
TRUNCATE sso_attr.session;
BEGIN; LOCK TABLE sso_attr.attribute; ROLLBACK;
COPY sso_attr.attribute TO STDOUT;
CREATE TABLE sso_attr.mine (a integer);
CREATE FUNCTION sso_attr.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1';
RESET ROLE;

-- A role gets the same through membership.
CREATE ROLE privileges_member IN ROLE privileges_app;
SELECT test.attempt_as('privileges_member', 'sso_session_verify($1)', 'no token');
DROP ROLE privileges_member;

-- What an update adds reaches the roles that were granted before, and no others.
REVOKE EXECUTE ON FUNCTION sso_attr_get(text, text) FROM privileges_app;
SELECT test.attempt_as('privileges_app', 'sso_attr_get($1, ''x'')', 'no token');
SELECT sso_attr.extend_grants();
SELECT test.attempt_as('privileges_app', 'sso_attr_get($1, ''x'')', 'no token'), test.attempt_as('privileges_nobody', 'sso_attr_get($1, ''x'')', 'no token');

-- What an update adds without a line in the list is nobody's but the owner's, once it is closed as
-- update scripts do it; rights on columns and those that were passed on go the same way.
BEGIN;
CREATE FUNCTION sso_attr_unlisted() RETURNS integer LANGUAGE sql AS 'SELECT 1';
ALTER EXTENSION sso_attr ADD FUNCTION sso_attr_unlisted();
SELECT w.function FROM test.walk AS w LEFT JOIN test.listed AS l USING (function) WHERE w.function ~ '^sso_' AND l.what IS NULL;
SELECT sso_attr.close_to_others('pg_proc'::regclass, 'sso_attr_unlisted'::regproc);
SELECT sso_attr.extend_grants(), sso_attr_grant('privileges_app'), sso_attr_grant('privileges_operator', 'operator');
SELECT function, app_holder_monitor_nobody_operator FROM test.walk WHERE function = 'sso_attr_unlisted';
GRANT USAGE ON SCHEMA sso_attr TO privileges_nobody;
GRANT SELECT (user_id), UPDATE (user_id, expires_at) ON sso_attr.session TO privileges_nobody WITH GRANT OPTION;
SET LOCAL ROLE privileges_nobody;
GRANT SELECT (user_id) ON sso_attr.session TO PUBLIC;
RESET ROLE;
SELECT has_any_column_privilege('privileges_app', 'sso_attr.session', 'SELECT'), has_any_column_privilege('privileges_nobody', 'sso_attr.session', 'UPDATE');
SELECT sso_attr.close_to_others('pg_class'::regclass, 'sso_attr.session'::regclass);
SELECT has_any_column_privilege('privileges_app', 'sso_attr.session', 'SELECT'), has_any_column_privilege('privileges_nobody', 'sso_attr.session', 'UPDATE');
ROLLBACK;

-- A kind that includes another opens the functions of both, and what an update adds to either.
BEGIN;
CREATE OR REPLACE FUNCTION sso_attr.kind() RETURNS TABLE (what text, includes text[], opens text, functions name[]) LANGUAGE sql IMMUTABLE AS $$
    VALUES ('small', '{}'::text[], 'a session', '{sso_session_verify, sso_session_get}'::name[]), ('large', '{small}', 'everything', '{sso_session_create, sso_session_end}')
$$;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM privileges_app, privileges_holder, privileges_monitor, privileges_operator;
SELECT sso_attr_grant('privileges_app', 'large'), sso_attr_grant('privileges_operator', 'small');
SELECT function, app_holder_monitor_nobody_operator FROM test.walk WHERE function ~ '^sso_session_(verify|get|create|end)$';
REVOKE EXECUTE ON FUNCTION sso_session_get(text), sso_session_end(text) FROM privileges_app, privileges_operator;
SELECT sso_attr.extend_grants();
SELECT function, app_holder_monitor_nobody_operator FROM test.walk WHERE function ~ '^sso_session_(verify|get|create|end)$';
SELECT test.attempt('sso_attr_grant(''privileges_app'', ''app'')');
ROLLBACK;

-- Revoked, all is as before.
SELECT sso_attr_revoke('privileges_app'), sso_attr_revoke('privileges_holder', 'holder'), sso_attr_revoke('privileges_monitor', 'monitor'), sso_attr_revoke('privileges_operator', 'operator');
SELECT function, app_holder_monitor_nobody_operator FROM test.walk WHERE app_holder_monitor_nobody_operator <> '- - - - -';
SELECT sso_attr.extend_grants();
SELECT function, app_holder_monitor_nobody_operator FROM test.walk WHERE app_holder_monitor_nobody_operator <> '- - - - -';
SELECT test.attempt_as('privileges_app', 'sso_session_verify($1)', 'no token');
-- A revoke that never was a grant is none.
SELECT sso_attr_revoke('privileges_nobody'), sso_attr_revoke('privileges_nobody', 'operator');

-- Names that need quotes, and what is no role or no kind.
CREATE ROLE "privileges Odd; DROP";
SELECT sso_attr_grant('"privileges Odd; DROP"');
SELECT has_function_privilege('privileges Odd; DROP', 'sso_attr_get(text, text)', 'EXECUTE');
SELECT sso_attr_revoke('"privileges Odd; DROP"');
DROP ROLE "privileges Odd; DROP";
\set VERBOSITY default
SELECT sso_attr_grant('privileges_none'::text::regrole);
SELECT sso_attr_grant('-');
SELECT sso_attr_grant('privileges_app', 'admin');
SELECT sso_attr_grant('privileges_app', 'owner');
SELECT sso_attr_grant('privileges_app', NULL);
SELECT sso_attr_grant(NULL);

-- Only the owner may grant: it is the GRANT that is refused to a role that may call all of it.
GRANT USAGE ON SCHEMA sso_attr TO privileges_nobody;
GRANT EXECUTE ON FUNCTION sso_attr_grant(regrole, text), sso_attr.change_grant(text, regrole, text), sso_attr.run_outside_script(text), sso_attr.api(text), sso_attr.kind() TO privileges_nobody;
SELECT test.attempt_as('privileges_nobody', '* FROM sso_attr.api(''owner'')', NULL), test.attempt_as('privileges_nobody', 'sso_attr_grant(''privileges_nobody'')', NULL);
REVOKE EXECUTE ON FUNCTION sso_attr_grant(regrole, text), sso_attr.change_grant(text, regrole, text), sso_attr.run_outside_script(text), sso_attr.api(text), sso_attr.kind() FROM privileges_nobody;
REVOKE USAGE ON SCHEMA sso_attr FROM privileges_nobody;

DROP FUNCTION test.attempt_as;
DROP VIEW test.listed, test.walk;
DROP ROLE privileges_app, privileges_holder, privileges_monitor, privileges_operator, privileges_nobody;
