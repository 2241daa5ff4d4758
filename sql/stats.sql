-- Figures of one pair of tables, sessions and their attributes. The caller closes the ways that read more
-- than an index gives, and has the owner's rights.
CREATE FUNCTION sso_attr.pair_stats(session text, attribute text) RETURNS TABLE (
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
CREATE FUNCTION sso_attr_stats() RETURNS TABLE (
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
