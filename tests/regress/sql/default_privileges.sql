-- Whatever default privileges the installing role has set, CREATE EXTENSION leaves nothing of the
-- extension open to anyone but its owner.
\pset format unaligned
\pset tuples_only on
\set VERBOSITY sqlstate
CREATE ROLE defaults_other;
CREATE ROLE defaults_granted;
CREATE DATABASE regress_sso_attr_defaults TEMPLATE template0 ENCODING 'UTF8';
SELECT current_database() AS home \gset
\c regress_sso_attr_defaults
CREATE SCHEMA api;
GRANT USAGE ON SCHEMA api TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO defaults_other WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO defaults_other WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO defaults_other WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO defaults_other WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT EXECUTE ON FUNCTIONS TO defaults_granted;
CREATE EXTENSION sso_attr SCHEMA api;

-- What the catalogs say: the rights of others than the owner, those that a dump leaves out because
-- the extension brings them, and what would hold off DROP ROLE.
CREATE VIEW api.member AS
    SELECT d.classid, d.objid, m.objsubid, m.owner, m.acl, pg_describe_object(d.classid, d.objid, m.objsubid) COLLATE "C" AS what
    FROM pg_depend AS d
    JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'sso_attr'
    JOIN (SELECT 'pg_namespace'::regclass, oid, 0, nspowner, COALESCE(nspacl, acldefault('n', nspowner)) FROM pg_namespace
          UNION ALL SELECT 'pg_class', oid, 0, relowner, COALESCE(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) FROM pg_class
          UNION ALL SELECT 'pg_class', oid, attnum, relowner, attacl FROM pg_attribute JOIN pg_class ON oid = attrelid WHERE attnum > 0
          UNION ALL SELECT 'pg_proc', oid, 0, proowner, COALESCE(proacl, acldefault('f', proowner)) FROM pg_proc
         ) AS m (classid, objid, objsubid, owner, acl) ON (m.classid, m.objid) = (d.classid, d.objid)
    WHERE d.deptype = 'e';
SELECT count(DISTINCT objid) > 40 AS all_members, count(*) FILTER (WHERE objsubid > 0) > 20 AS columns FROM api.member;
SELECT what, a.grantee::regrole, a.privilege_type FROM api.member AS m, aclexplode(m.acl) AS a WHERE a.grantee <> m.owner ORDER BY 1, 2, 3;
SELECT what, a.grantee::regrole, a.privilege_type FROM api.member AS m JOIN pg_init_privs AS i ON (i.classoid, i.objoid, i.objsubid) = (m.classid, m.objid, m.objsubid), aclexplode(i.initprivs) AS a
WHERE a.grantee <> m.owner ORDER BY 1, 2, 3;
SELECT what FROM api.member AS m JOIN pg_shdepend AS s ON (s.classid, s.objid, s.objsubid) = (m.classid, m.objid, m.objsubid)
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.refclassid = 'pg_authid'::regclass AND s.refobjid <> m.owner ORDER BY 1;

-- And what the roles see.
SELECT api.sso_session_create('defaults-ann') AS ust \gset
SET ROLE defaults_other;
SELECT count(*) FROM sso_attr.session;
SELECT nextval('sso_attr.purge_run_id_seq');
SELECT api.sso_session_verify(:'ust');
SELECT api.sso_attr_grant('defaults_other');
SELECT sso_attr.purge_bin(now());
CREATE TABLE sso_attr.mine ();
RESET ROLE;
SET ROLE defaults_granted;
SELECT api.sso_session_verify(:'ust');
RESET ROLE;
-- A grant is a grant all the same.
SELECT api.sso_attr_grant('defaults_granted');
SET ROLE defaults_granted;
SELECT api.sso_session_verify(:'ust');
RESET ROLE;
SET ROLE defaults_other;
SELECT api.sso_session_verify(:'ust');
RESET ROLE;
\c :home
DROP DATABASE regress_sso_attr_defaults;
DROP ROLE defaults_other, defaults_granted;
