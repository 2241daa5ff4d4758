-- Citus: the tables of one server become those of a cluster. src/store/cluster.rs says where each goes.

-- The tables on this node: the pairs of shards that it holds; where they are not distributed, the pair itself.
CREATE FUNCTION sso_attr.node_tables() RETURNS TABLE (session text, attribute text)
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'node_tables_wrapper';

CREATE FUNCTION sso_attr.is_distributed() RETURNS boolean
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'is_distributed_wrapper';

-- Has each other node of a cluster run a command, in transactions of their own.
CREATE FUNCTION sso_attr.run_on_other_nodes(command text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'run_on_other_nodes_wrapper';

CREATE FUNCTION sso_attr.purge_node(max_rows bigint) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'purge_node_wrapper';

CREATE FUNCTION sso_attr.rekey_node(max_rows bigint) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'rekey_node_wrapper';

-- What a node needs beside the tables, which Citus puts there: the extension, the rights that have been granted
-- here, and no function in a parallel worker, where Citus does not work. To be called again for a new node, and
-- after an update.
CREATE FUNCTION sso_attr.equip_nodes() RETURNS void
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS $$
DECLARE
    member CONSTANT oid[] := ARRAY(
        SELECT d.objid FROM pg_depend AS d JOIN pg_extension AS e ON d.refobjid = e.oid
        WHERE e.extname = 'sso_attr' AND d.deptype = 'e'
          AND d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass);
    home CONSTANT regnamespace := (SELECT extnamespace FROM pg_extension WHERE extname = 'sso_attr');
    version CONSTANT text := (SELECT extversion FROM pg_extension WHERE extname = 'sso_attr');
    restricted text;
    rights text;
BEGIN
    SELECT string_agg(format('ALTER FUNCTION %s PARALLEL RESTRICTED', p.oid::regprocedure), '; ')
    INTO restricted
    FROM pg_proc AS p WHERE p.oid = ANY (member) AND p.proname ^@ 'sso_' AND p.proparallel <> 'u';
    SELECT string_agg(g.command, '; ')
    INTO rights
    FROM (
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO %s', p.oid::regprocedure, a.grantee::regrole)
        FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS a
        WHERE p.oid = ANY (member) AND a.grantee NOT IN (0, p.proowner)
        UNION ALL
        SELECT format('GRANT USAGE ON SCHEMA %s TO %s', home, a.grantee::regrole)
        FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
        WHERE n.oid = home AND a.privilege_type = 'USAGE' AND a.grantee NOT IN (0, n.nspowner)
    ) AS g (command);
    PERFORM sso_attr.run_on_other_nodes(format('DO %L', format(
        'BEGIN
            SET LOCAL citus.enable_ddl_propagation TO off;
            SET LOCAL client_min_messages TO warning;
            SET LOCAL search_path TO pg_catalog, pg_temp;
            CREATE SCHEMA IF NOT EXISTS %1$s;
            CREATE EXTENSION IF NOT EXISTS sso_attr SCHEMA %1$s VERSION %2$L;
            IF (SELECT extversion FROM pg_extension WHERE extname = ''sso_attr'') <> %2$L THEN
                RAISE EXCEPTION ''the extension has another version there'';
            END IF;
            %3$s; %4$s
        END', home, version, restricted, rights || ';')));
    EXECUTE format('DO %L', format('BEGIN %s; END', restricted));
END
$$;

CREATE FUNCTION sso_attr_distribute(shard_count integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp SET client_min_messages TO warning
AS $$
DECLARE
    -- The earliest that this has been tested with.
    oldest CONSTANT integer[] := '{13,2}';
    version CONSTANT text := (SELECT extversion FROM pg_extension WHERE extname = 'citus');
    is_coordinator boolean;
BEGIN
    IF shard_count NOT BETWEEN 1 AND 64000 THEN
        RAISE EXCEPTION 'shard_count must be between 1 and 64000' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF version IS NULL THEN
        RAISE EXCEPTION 'extension citus is not installed in this database'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Set up a cluster of Citus first: this makes the tables of one server those of a cluster.';
    END IF;
    IF string_to_array(substring(version from '^\d+\.\d+'), '.')::integer[] < oldest THEN
        RAISE EXCEPTION 'citus % is too old', version
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('Update it to %s or later.', array_to_string(oldest, '.'));
    END IF;
    IF sso_attr.is_distributed() THEN
        RAISE EXCEPTION 'tables are distributed already' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT l.groupid = 0 INTO STRICT is_coordinator FROM pg_dist_local_group AS l;
    IF NOT is_coordinator THEN
        RAISE EXCEPTION 'this node is not the coordinator of the cluster' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- First, since the other nodes do this in transactions of their own.
    PERFORM sso_attr.equip_nodes();
    -- A trigger on a shard could not write to the distributed table.
    DROP TRIGGER IF EXISTS follow_expires_at ON sso_attr.attribute;
    DROP TRIGGER IF EXISTS follow_expires_at ON sso_attr.session;
    PERFORM create_distributed_table('sso_attr.session', 'id', colocate_with => 'none', shard_count => shard_count);
    PERFORM create_distributed_table('sso_attr.attribute', 'session_id', colocate_with => 'sso_attr.session');
    PERFORM create_distributed_table('sso_attr.user', NULL, colocate_with => 'none');
    PERFORM create_reference_table('sso_attr.key_check');
    -- The rows have been copied; these would stay in the way of nothing but the disk.
    PERFORM truncate_local_data_after_distributing_table(t)
    FROM unnest(ARRAY['sso_attr.session', 'sso_attr.user', 'sso_attr.key_check']::regclass[]) AS t;
END
$$;
