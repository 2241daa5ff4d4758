-- Who may call what. Names and operators are qualified because these run with the owner's rights.

CREATE FUNCTION sso_attr.api(what text) RETURNS SETOF regprocedure
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.oid::pg_catalog.regprocedure
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_depend AS d
        ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
       AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
    JOIN pg_catalog.pg_extension AS e
        ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
       AND d.refobjid OPERATOR(pg_catalog.=) e.oid AND e.extname OPERATOR(pg_catalog.=) 'sso_attr'
    WHERE p.proname OPERATOR(pg_catalog.~) '^sso_'
      AND what OPERATOR(pg_catalog.=) CASE
              WHEN p.proname OPERATOR(pg_catalog.~) '^sso_attr_(grant|revoke)$' THEN 'owner'
              WHEN p.proname OPERATOR(pg_catalog.~) '^sso_attr_(keys|rekey|purge|purge_status)$' THEN 'operator'
              ELSE 'app'
          END
    ORDER BY p.oid::pg_catalog.regprocedure::pg_catalog.text COLLATE pg_catalog."C";
END;

CREATE FUNCTION sso_attr.change_grant(verb text, role regrole, what text) RETURNS void
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
    function regprocedure;
    home name;
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION 'role must not be null' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF what IS NULL OR what NOT IN ('app', 'operator') THEN
        RAISE EXCEPTION 'what must be ''app'' or ''operator'''
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = '''app'' opens sessions and attributes, ''operator'' keys, rekey and purge.';
    END IF;
    FOR function IN SELECT * FROM sso_attr.api(what) LOOP
        EXECUTE CASE verb
            WHEN 'grant' THEN format('GRANT EXECUTE ON FUNCTION %s TO %s', function, role)
            ELSE format('REVOKE EXECUTE ON FUNCTION %s FROM %s', function, role)
        END;
    END LOOP;
    SELECT n.nspname INTO STRICT home
    FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'sso_attr';
    IF verb = 'grant' AND NOT has_schema_privilege(role, home, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', home, role);
    END IF;
END
$$;

CREATE FUNCTION sso_attr_grant(role regrole, what text DEFAULT 'app') RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT sso_attr.change_grant('grant', role, what);
END;

CREATE FUNCTION sso_attr_revoke(role regrole, what text DEFAULT 'app') RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT sso_attr.change_grant('revoke', role, what);
END;

-- Every update script ends with this: functions it added reach the roles that had been granted
-- their kind, which one function of each kind, there from the first version on, tells.
CREATE FUNCTION sso_attr.extend_grants() RETURNS void
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
    grantee record;
BEGIN
    FOR grantee IN
        SELECT a.grantee::regrole AS role, kind.what
        FROM (VALUES ('app', 'sso_session_verify'), ('operator', 'sso_attr_purge')) AS kind (what, witness)
        CROSS JOIN LATERAL sso_attr.api(kind.what) AS f (oid)
        JOIN pg_proc AS p ON p.oid = f.oid AND p.proname = kind.witness
        CROSS JOIN LATERAL aclexplode(p.proacl) AS a
        WHERE a.privilege_type = 'EXECUTE' AND a.grantee NOT IN (0, p.proowner)
    LOOP
        PERFORM sso_attr.change_grant('grant', grantee.role, grantee.what);
    END LOOP;
END
$$;
