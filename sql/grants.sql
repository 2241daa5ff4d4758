-- Who may call what. Names and operators are qualified because these run with the owner's rights.

-- The one list: every function named sso_* is in it once, by name; one that is not listed is the
-- owner's alone, like those of 'owner', which is not granted. A kind opens its own functions and
-- those of the kinds that it includes. The first function of a kind tells sso_attr.extend_grants()
-- whom the kind has been granted to: no update may add or replace it.
CREATE FUNCTION sso_attr.kind() RETURNS TABLE (what text, includes text[], opens text, functions name[])
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    VALUES
        ('owner', '{}'::pg_catalog.text[], 'grants, and whether sessions outlive a crash', '{
            sso_attr_grant, sso_attr_revoke, sso_attr_set_logged
        }'::pg_catalog.name[]),
        ('holder', '{}', 'what needs a live token and acts on its session alone', '{
            sso_session_verify, sso_session_id,
            sso_session_get, sso_session_load, sso_session_save, sso_session_renew, sso_session_rotate, sso_session_end,
            sso_attr_create, sso_attr_update, sso_attr_set, sso_attr_delete, sso_attr_take,
            sso_attr_create_json, sso_attr_update_json, sso_attr_set_json,
            sso_attr_compare_and_set, sso_attr_increment,
            sso_attr_get, sso_attr_get_text, sso_attr_exists, sso_attr_set_expiry,
            sso_attr_create_many, sso_attr_update_many, sso_attr_set_many, sso_attr_delete_many,
            sso_attr_get_many, sso_attr_exists_many, sso_attr_set_expiry_many,
            sso_attr_get_all, sso_attr_names, sso_attr_list,
            sso_session_use, sso_current_user_id, sso_current_session_id, sso_current_attr
        }'),
        ('app', '{holder}', 'that, and opening sessions, listing and ending those of a user', '{
            sso_session_end_all, sso_session_end_one, sso_session_list, sso_session_create
        }'),
        ('login', '{}', 'users and passwords', '{
            sso_user_verify,
            sso_user_login, sso_user_create, sso_user_set_password, sso_user_lock, sso_user_unlock, sso_user_delete,
            sso_user_exists, sso_user_list
        }'),
        ('monitor', '{}', 'figures to watch', '{
            sso_attr_purge_status, sso_attr_keys, sso_attr_stats, sso_attr_version
        }'),
        ('operator', '{monitor}', 'those, and purge, rekey, check and distribute', '{
            sso_attr_purge, sso_attr_rekey, sso_attr_check, sso_attr_distribute
        }');
END;

CREATE FUNCTION sso_attr.api(what text) RETURNS SETOF regprocedure
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.oid::pg_catalog.regprocedure
    FROM sso_attr.kind() AS kind
    JOIN sso_attr.kind() AS part
        ON part.what OPERATOR(pg_catalog.=) kind.what OR part.what OPERATOR(pg_catalog.=) ANY (kind.includes)
    JOIN pg_catalog.pg_proc AS p ON p.proname OPERATOR(pg_catalog.=) ANY (part.functions)
    JOIN pg_catalog.pg_depend AS d
        ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
       AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
    JOIN pg_catalog.pg_extension AS e
        ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
       AND d.refobjid OPERATOR(pg_catalog.=) e.oid AND e.extname OPERATOR(pg_catalog.=) 'sso_attr'
    WHERE kind.what OPERATOR(pg_catalog.=) api.what
    ORDER BY p.oid::pg_catalog.regprocedure::pg_catalog.text COLLATE pg_catalog."C";
END;

-- Takes back what default privileges gave away, and what PUBLIC has on a new function. finalize.sql
-- calls it for everything, an update script for what that script adds.
CREATE FUNCTION sso_attr.close_to_others(class oid, object oid) RETURNS void
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
    other record;
BEGIN
    FOR other IN
        SELECT DISTINCT o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role
        FROM (
            SELECT format('SCHEMA %s', n.oid::regnamespace), n.nspowner, n.nspacl
            FROM pg_namespace AS n
            WHERE class = 'pg_namespace'::regclass AND n.oid = object
            UNION ALL
            SELECT format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass), c.relowner, c.relacl
            FROM pg_class AS c
            WHERE class = 'pg_class'::regclass AND c.oid = object
            UNION ALL
            -- A right that is revoked from the table goes from its columns too.
            SELECT format('TABLE %s', c.oid::regclass), c.relowner, t.attacl
            FROM pg_class AS c JOIN pg_attribute AS t ON t.attrelid = c.oid
            WHERE class = 'pg_class'::regclass AND c.oid = object
            UNION ALL
            SELECT format('ROUTINE %s', p.oid::regprocedure), p.proowner, COALESCE(p.proacl, acldefault('f', p.proowner))
            FROM pg_proc AS p
            WHERE class = 'pg_proc'::regclass AND p.oid = object
        ) AS o (name, owner, acl)
        CROSS JOIN LATERAL aclexplode(o.acl) AS a
        WHERE a.grantee <> o.owner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s CASCADE', other.name, other.role);
    END LOOP;
END
$$;

-- As EXECUTE, but outside the script of an extension, whose grants pg_dump would leave out: rights that a
-- role is given while an update runs are its own.
CREATE FUNCTION sso_attr.run_outside_script(command text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'run_outside_script_wrapper';

CREATE FUNCTION sso_attr.change_grant(verb text, role regrole, what text) RETURNS void
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
    change text;
    home name;
    propagation text;
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION 'role must not be null' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = role) THEN
        RAISE EXCEPTION 'role % does not exist', role USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM sso_attr.kind() AS k WHERE k.what = change_grant.what AND k.what <> 'owner') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = (SELECT format('what must be %s', string_agg(quote_literal(k.what), ' or '))
                       FROM sso_attr.kind() AS k WHERE k.what <> 'owner'),
            HINT = (SELECT format('%s.', string_agg(format('%L opens %s', k.what, k.opens), '; '))
                    FROM sso_attr.kind() AS k WHERE k.what <> 'owner');
    END IF;
    SELECT n.nspname INTO STRICT home
    FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'sso_attr';
    SELECT format(CASE verb
            WHEN 'grant' THEN 'BEGIN
                GRANT EXECUTE ON FUNCTION %1$s TO %2$s;
                IF NOT pg_catalog.has_schema_privilege(%3$L, %4$L, ''USAGE'') THEN
                    GRANT USAGE ON SCHEMA %4$I TO %2$s;
                END IF;
            END'
            ELSE 'BEGIN REVOKE EXECUTE ON FUNCTION %1$s FROM %2$s; END'
        END, string_agg(f.function::text, ', '), role, pg_get_userbyid(role), home)
    INTO STRICT change
    FROM sso_attr.api(what) AS f (function);
    IF sso_attr.is_distributed() THEN
        -- Citus itself would take only some of it to the other nodes, and only from the coordinator.
        propagation := current_setting('citus.enable_ddl_propagation', true);
        PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
        PERFORM sso_attr.run_on_other_nodes(format('DO %L',
            regexp_replace(change, '^BEGIN', 'BEGIN SET LOCAL citus.enable_ddl_propagation TO off;')));
    END IF;
    PERFORM sso_attr.run_outside_script(format('DO %L', change));
    IF propagation IS NOT NULL THEN
        PERFORM set_config('citus.enable_ddl_propagation', propagation, true);
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
-- their kind.
CREATE FUNCTION sso_attr.extend_grants() RETURNS void
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
    grantee record;
BEGIN
    FOR grantee IN
        SELECT a.grantee::regrole AS role, kind.what
        FROM sso_attr.kind() AS kind
        CROSS JOIN LATERAL sso_attr.api(kind.what) AS f (oid)
        JOIN pg_proc AS p ON p.oid = f.oid AND p.proname = kind.functions[1]
        CROSS JOIN LATERAL aclexplode(p.proacl) AS a
        WHERE kind.what <> 'owner' AND a.privilege_type = 'EXECUTE' AND a.grantee NOT IN (0, p.proowner)
    LOOP
        PERFORM sso_attr.change_grant('grant', grantee.role, grantee.what);
    END LOOP;
END
$$;
