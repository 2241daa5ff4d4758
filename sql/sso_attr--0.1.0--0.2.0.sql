-- Adds sso_session_id, which everyone with the functions of a holder can call, and sso_attr_distribute.

CREATE OR REPLACE FUNCTION @extschema@.sso_session_id(ust text) RETURNS uuid
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'sso_session_id_wrapper';

COMMENT ON FUNCTION @extschema@.sso_session_id(text) IS
'The id of the session that a token names, from the token alone: whether there is such a session is not looked at. NULL for what is no token. For choosing a server or a partition by it. That of an adopted token is derived from its hash; where sso_session_rotate has adopted it, the session keeps an id of its own. Errors: 22021 text that is not UTF-8.';

-- As in sql/distribute.sql.
-- The tables on this node: the pairs of shards that it holds; where they are not distributed, the pair itself.
CREATE OR REPLACE FUNCTION sso_attr.node_tables() RETURNS TABLE (session text, attribute text)
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'node_tables_wrapper';

CREATE OR REPLACE FUNCTION sso_attr.is_distributed() RETURNS boolean
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'is_distributed_wrapper';

-- Has each other node of a cluster run a command, in transactions of their own.
CREATE OR REPLACE FUNCTION sso_attr.run_on_other_nodes(command text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'run_on_other_nodes_wrapper';

CREATE OR REPLACE FUNCTION sso_attr.purge_node(max_rows bigint) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'purge_node_wrapper';

CREATE OR REPLACE FUNCTION sso_attr.rekey_node(max_rows bigint) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'rekey_node_wrapper';

-- What a node needs beside the tables, which Citus puts there: the extension, the rights that have been granted
-- here, and no function in a parallel worker, where Citus does not work. To be called again for a new node, and
-- after an update.
CREATE OR REPLACE FUNCTION sso_attr.equip_nodes() RETURNS void
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

CREATE OR REPLACE FUNCTION @extschema@.sso_attr_distribute(shard_count integer DEFAULT NULL) RETURNS void
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

-- As in sql/stats.sql.
-- Figures of one pair of tables, sessions and their attributes. The caller closes the ways that read more
-- than an index gives, and has the owner's rights.
CREATE OR REPLACE FUNCTION sso_attr.pair_stats(session text, attribute text) RETURNS TABLE (
    sessions_live bigint,
    sessions_expired bigint,
    attributes_live bigint,
    attributes_expired bigint,
    sealed_share double precision,
    weight double precision,
    session_table_bytes bigint,
    session_index_bytes bigint,
    session_dead_rows bigint,
    attribute_table_bytes bigint,
    attribute_index_bytes bigint,
    attribute_dead_rows bigint,
    oldest timestamptz
)
-- Citus would hide its shards in pg_class.
LANGUAGE plpgsql STABLE SET search_path TO pg_catalog, pg_temp SET citus.override_table_visibility TO off
AS $$
BEGIN
    -- Rows are counted among the first 10,000 that may be due. Within one bin the ends are in no order,
    -- so some rows of the last bin may not be due.
    RETURN QUERY EXECUTE format('
        WITH session_due AS MATERIALIZED (
            SELECT count(*) AS rows, min(s.expires_at) AS oldest
            FROM (
                SELECT expires_at FROM %1$s
                WHERE purge_bin < ''infinity'' AND purge_bin <= statement_timestamp()
                ORDER BY purge_bin, id LIMIT 10000
            ) AS s
            WHERE s.expires_at <= statement_timestamp()
        ), attribute_due AS MATERIALIZED (
            SELECT count(*) AS rows, min(a.expires_at) AS oldest
            FROM (
                SELECT expires_at FROM %2$s
                WHERE purge_bin < ''infinity'' AND purge_bin <= statement_timestamp()
                ORDER BY purge_bin, session_id LIMIT 10000
            ) AS a
            WHERE a.expires_at <= statement_timestamp()
        ), relation AS MATERIALIZED (
            -- As the planner does: rows for each page when it was last counted, times the pages there are.
            SELECT c.oid, c.relname,
                   CASE
                       WHEN size.main = 0 THEN 0
                       WHEN c.reltuples >= 0 AND c.relpages > 0 THEN
                           c.reltuples::float8 / c.relpages * (size.main / size.block)
                   END AS rows,
                   pg_table_size(c.oid) AS table_bytes,
                   pg_indexes_size(c.oid) AS index_bytes,
                   pg_stat_get_dead_tuples(c.oid) AS dead_rows
            FROM pg_class AS c
            CROSS JOIN LATERAL (
                SELECT pg_relation_size(c.oid) AS main, current_setting(''block_size'')::int8 AS block
            ) AS size
            WHERE c.oid = ANY (ARRAY[%1$L, %2$L]::regclass[]::oid[])
        )
        SELECT CASE WHEN session.rows IS NOT NULL THEN GREATEST(session.rows - session_due.rows, 0)::int8 END,
               session_due.rows,
               CASE WHEN attribute.rows IS NOT NULL THEN GREATEST(attribute.rows - attribute_due.rows, 0)::int8 END,
               attribute_due.rows,
               (SELECT 1 - t.null_frac::float8 FROM pg_stats AS t
                WHERE t.schemaname = ''sso_attr'' AND t.tablename = attribute.relname AND t.attname = ''sealed''
                  AND NOT t.inherited),
               GREATEST(attribute.rows, 1),
               session.table_bytes, session.index_bytes, session.dead_rows,
               attribute.table_bytes, attribute.index_bytes, attribute.dead_rows,
               LEAST(session_due.oldest, attribute_due.oldest)
        FROM session_due CROSS JOIN attribute_due
        JOIN relation AS session ON session.oid = %1$L::regclass
        JOIN relation AS attribute ON attribute.oid = %2$L::regclass', session, attribute);
END
$$;

-- Figures to watch, with the owner's rights and without a scan of the tables, whatever their statistics
-- say. Where the tables are distributed they are those of this node's shards together.
CREATE OR REPLACE FUNCTION @extschema@.sso_attr_stats() RETURNS TABLE (
    sessions_live bigint,
    sessions_expired bigint,
    attributes_live bigint,
    attributes_expired bigint,
    sealed_share double precision,
    keys_used bigint,
    session_table_bytes bigint,
    session_index_bytes bigint,
    session_dead_rows bigint,
    attribute_table_bytes bigint,
    attribute_index_bytes bigint,
    attribute_dead_rows bigint,
    purge_backlog bigint,
    purge_backlog_seconds double precision,
    last_sweep_end timestamptz,
    last_sweep_error text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp SET enable_seqscan TO off SET enable_bitmapscan TO off SET jit TO off
AS $$
DECLARE
    -- By itself: Citus would ask another node all that is asked along with what every node has.
    keys CONSTANT bigint := (SELECT count(DISTINCT k.key_id) FROM sso_attr.key_check AS k);
    sweep record;
BEGIN
    SELECT r.ended_at, r.error INTO sweep FROM sso_attr.purge_run AS r ORDER BY r.ended_at DESC, r.id DESC LIMIT 1;
    RETURN QUERY
        SELECT sum(p.sessions_live)::int8, COALESCE(sum(p.sessions_expired), 0)::int8,
               sum(p.attributes_live)::int8, COALESCE(sum(p.attributes_expired), 0)::int8,
               sum(p.sealed_share * p.weight) / sum(p.weight) FILTER (WHERE p.sealed_share IS NOT NULL),
               keys,
               COALESCE(sum(p.session_table_bytes), 0)::int8, COALESCE(sum(p.session_index_bytes), 0)::int8,
               COALESCE(sum(p.session_dead_rows), 0)::int8,
               COALESCE(sum(p.attribute_table_bytes), 0)::int8, COALESCE(sum(p.attribute_index_bytes), 0)::int8,
               COALESCE(sum(p.attribute_dead_rows), 0)::int8,
               COALESCE(sum(p.sessions_expired + p.attributes_expired), 0)::int8,
               -- Not by an interval, which has no infinity before PostgreSQL 17.
               COALESCE(date_part('epoch', statement_timestamp()) - date_part('epoch', min(p.oldest)), 0),
               sweep.ended_at, sweep.error
        FROM sso_attr.node_tables() AS t CROSS JOIN LATERAL sso_attr.pair_stats(t.session, t.attribute) AS p;
END
$$;

-- As in sql/grants.sql.
CREATE OR REPLACE FUNCTION sso_attr.kind() RETURNS TABLE (what text, includes text[], opens text, functions name[])
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

CREATE OR REPLACE FUNCTION sso_attr.change_grant(verb text, role regrole, what text) RETURNS void
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

COMMENT ON FUNCTION sso_attr.node_tables() IS 'The tables on this node of a cluster: the pairs of shards that it holds; where they are not distributed, the pair itself.';
COMMENT ON FUNCTION sso_attr.is_distributed() IS 'Whether the tables are those of a cluster.';
COMMENT ON FUNCTION sso_attr.run_on_other_nodes(text) IS 'Has each other node of a cluster run a command, in transactions of their own; nothing within a script of an extension, which each node runs.';
COMMENT ON FUNCTION sso_attr.purge_node(bigint) IS 'What sso_attr_purge does on one node.';
COMMENT ON FUNCTION sso_attr.rekey_node(bigint) IS 'What sso_attr_rekey does on one node.';
COMMENT ON FUNCTION sso_attr.pair_stats(text, text) IS 'What sso_attr_stats shows of one pair of tables.';
COMMENT ON FUNCTION sso_attr.equip_nodes() IS 'Gives the other nodes of a cluster the extension and the rights that have been granted here; called again after a node has been added or the extension updated.';
COMMENT ON FUNCTION @extschema@.sso_attr_distribute(integer) IS
'Distributes the tables over the nodes of a cluster of Citus (13.2 or later), with what is in them, in one transaction; called once, on the coordinator. shard_count: into how many parts (NULL = citus.shard_count). Users stay together on one node. The other nodes get the extension and the rights that were granted before; SELECT sso_attr.equip_nodes() gives them to a node that is added later. There is no way back but a dump. Errors: 22023 bad shard_count, 55000 no Citus in this database, an older one, tables that are distributed already or another node than the coordinator, 08000 a node that cannot be equipped.';
COMMENT ON FUNCTION @extschema@.sso_attr_grant(regrole, text) IS
'Opens functions to a role: ''holder'' = what needs a live token and acts on its session alone, ''app'' = that, and opening sessions, listing and ending those of a user, ''login'' = users and passwords, ''monitor'' = figures to watch, ''operator'' = those, and purge, rekey, check and distribute. Tables stay closed. In a cluster the other nodes do the same, in transactions of their own. Errors: 22023 for another kind or for no role, 42501 unless called by the owner or a superuser, 08000 another node has not done it.';
COMMENT ON FUNCTION @extschema@.sso_attr_purge(bigint) IS
'Removes what has expired, at most max_rows sessions and attributes (NULL = all), in the caller''s transaction, and returns how many rows it removed. Rows that others have locked are left for the next call. In a cluster the other nodes do so before, in transactions of their own; one that fails is left out, with a WARNING. Errors: 22023 max_rows is negative.';
COMMENT ON FUNCTION @extschema@.sso_attr_purge_status() IS
'One row: start, end and removed rows of the last sweep that removed something or failed, the rows removed in total, the earliest end among the rows that await removal, and the error of that sweep (NULL where it had none). In a cluster, all of this node.';
COMMENT ON FUNCTION @extschema@.sso_attr_rekey(bigint) IS
'Encrypts values of other keys anew under the primary one, at most max_rows (NULL = all), in the caller''s transaction, and returns how many. Rows that are locked, or that cannot be opened (a WARNING counts them), are left. In a cluster the other nodes do so before, in transactions of their own; one that fails is left out, with a WARNING. With preloading the worker does the same by itself in small transactions. Errors: 22023 negative max_rows, 55000 no usable keyring, XX001 primary key is not the one that wrote the data.';
COMMENT ON FUNCTION @extschema@.sso_attr_stats() IS
'One row of figures to watch, by indexes and statistics, without a scan of the tables. Estimates: sessions_live and attributes_live (rows by the last ANALYZE or VACUUM, less those that have expired; NULL before the first one), sealed_share (of the last ANALYZE, 0 to 1; NULL before it), session_dead_rows and attribute_dead_rows (of the cumulative statistics). Counted among the 10,000 rows of each table that may be due first: sessions_expired, attributes_expired (past their own end), their sum purge_backlog, and purge_backlog_seconds (since the earliest end among them; 0 where there are none). Exact: keys_used (that have written data), sizes in bytes (table with its TOAST, indexes), last_sweep_end and last_sweep_error (of the last sweep that removed something or failed). In a cluster, all but keys_used of this node.';

SELECT sso_attr.close_to_others('pg_catalog.pg_proc'::pg_catalog.regclass, added)
FROM pg_catalog.unnest(ARRAY[
    '@extschema@.sso_session_id(text)', '@extschema@.sso_attr_distribute(integer)',
    'sso_attr.node_tables()', 'sso_attr.is_distributed()', 'sso_attr.run_on_other_nodes(text)',
    'sso_attr.purge_node(bigint)', 'sso_attr.rekey_node(bigint)', 'sso_attr.pair_stats(text, text)', 'sso_attr.equip_nodes()'
]::pg_catalog.regprocedure[]) AS added;
SELECT sso_attr.extend_grants();
