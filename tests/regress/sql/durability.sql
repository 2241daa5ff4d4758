-- Sessions and attributes out of WAL and back into it, by the owner of the tables only; rows stay.
\pset format unaligned
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
CREATE VIEW test.persistence AS
    SELECT string_agg(relname, ' ' ORDER BY relname) FILTER (WHERE relpersistence = 'u') AS unlogged FROM pg_class
    WHERE relnamespace = 'sso_attr'::regnamespace AND relkind = 'r';
SELECT sso_session_create('durability-ann') AS ust \gset
SELECT sso_attr_create(:'ust', 'a', 1), sso_attr_create(:'ust', 'b', 2, encrypt => true);

SELECT sso_attr_set_logged(NULL);
SELECT * FROM test.persistence;
SELECT sso_attr_set_logged(false), sso_attr_set_logged(false);
SELECT * FROM test.persistence;
SELECT sso_attr_get_all(:'ust'), sso_attr_update(:'ust', 'b', 3);
BEGIN;
SELECT sso_attr_set_logged(true);
SELECT * FROM test.persistence;
ROLLBACK;
SELECT * FROM test.persistence;
SELECT sso_attr_set_logged(true), sso_attr_set_logged(true);
SELECT * FROM test.persistence;
SELECT sso_attr_get_all(:'ust');

-- Whoever may operate the extension may not do that, nor may anybody who is let call it.
CREATE ROLE durability_operator;
SELECT sso_attr_grant('durability_operator', 'operator');
SET ROLE durability_operator;
SELECT sso_attr_set_logged(false);
RESET ROLE;
GRANT EXECUTE ON FUNCTION sso_attr_set_logged TO durability_operator;
SET ROLE durability_operator;
SELECT sso_attr_set_logged(false);
RESET ROLE;
DROP OWNED BY durability_operator;
DROP ROLE durability_operator;
SELECT sso_session_end(:'ust');
