-- Nobody may anything until sso_attr_grant says so, then exactly that, and nothing after
-- sso_attr_revoke; the tables are out of reach all the while.
\pset format unaligned
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
CREATE ROLE privileges_app;
CREATE ROLE privileges_operator;
CREATE ROLE privileges_nobody;
CREATE VIEW test.walk AS
    SELECT p.proname AS function,
           string_agg(CASE WHEN has_function_privilege(r.rolname, p.oid, 'EXECUTE') THEN 'yes' ELSE '-' END, ' ' ORDER BY r.rolname) AS app_nobody_operator
    FROM pg_proc AS p
    JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'sso_attr'
    CROSS JOIN pg_roles AS r
    WHERE r.rolname IN ('privileges_app', 'privileges_operator', 'privileges_nobody')
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

-- Before: nobody, and PUBLIC has nothing on anything of the extension.
SELECT function, app_nobody_operator FROM test.walk WHERE app_nobody_operator <> '- - -';
SELECT p.oid::regprocedure FROM pg_proc AS p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a WHERE p.proname ~ '^sso_' AND a.grantee = 0;
SELECT p.oid::regprocedure FROM pg_proc AS p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a WHERE p.pronamespace = 'sso_attr'::regnamespace AND a.grantee = 0;
SELECT c.oid::regclass, a.privilege_type FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.relnamespace = 'sso_attr'::regnamespace AND a.grantee <> c.relowner;
SELECT a.privilege_type FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname = 'sso_attr' AND a.grantee <> n.nspowner;

-- Granted, each kind opens its functions.
SELECT sso_attr_grant('privileges_app');
SELECT * FROM test.walk;
SELECT sso_attr_grant('privileges_operator', 'operator');
SELECT * FROM test.walk WHERE app_nobody_operator LIKE '%yes' OR function ~ 'keys|purge';
-- A second grant changes nothing.
SELECT count(*) AS before FROM pg_proc AS p, aclexplode(p.proacl) WHERE p.proname ~ '^sso_' \gset
SELECT sso_attr_grant('privileges_app', 'app');
SELECT count(*) = :before FROM pg_proc AS p, aclexplode(p.proacl) WHERE p.proname ~ '^sso_';

-- And they work, for that role only; the tables, the schema and the grants are not for it.
SELECT sso_session_create('privileges-ann') AS ust \gset
SELECT sso_attr_create(:'ust', 'here', 'sealed one', encrypt => true);
SELECT call, test.attempt_as('privileges_app', call, :'ust') AS app, test.attempt_as('privileges_nobody', call, :'ust') AS nobody, test.attempt_as('privileges_operator', call, :'ust') AS operator
FROM test.verb ORDER BY position;
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

-- Revoked, all is as before.
SELECT sso_attr_revoke('privileges_app'), sso_attr_revoke('privileges_operator', 'operator');
SELECT * FROM test.walk WHERE app_nobody_operator <> '- - -';
SELECT sso_attr.extend_grants();
SELECT * FROM test.walk WHERE app_nobody_operator <> '- - -';
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
SELECT sso_attr_grant('privileges_app', 'admin');
SELECT sso_attr_grant(NULL);

-- Only the owner may grant.
GRANT EXECUTE ON FUNCTION sso_attr_grant(regrole, text), sso_attr.change_grant(text, regrole, text), sso_attr.api(text) TO privileges_nobody;
SELECT test.attempt_as('privileges_nobody', 'sso_attr_grant(''privileges_nobody'')', NULL);
REVOKE EXECUTE ON FUNCTION sso_attr_grant(regrole, text), sso_attr.change_grant(text, regrole, text), sso_attr.api(text) FROM privileges_nobody;

DROP FUNCTION test.attempt_as;
DROP VIEW test.walk;
DROP ROLE privileges_app, privileges_operator, privileges_nobody;
