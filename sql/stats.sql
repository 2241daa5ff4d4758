-- Figures to watch, with the owner's rights and without a scan of the tables, whatever their statistics
-- say: the settings close the ways that read more than an index gives.
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
LANGUAGE sql STABLE SECURITY DEFINER
SET enable_seqscan TO off SET enable_bitmapscan TO off SET jit TO off
BEGIN ATOMIC
    -- Rows are counted among the first 10,000 that may be due. Within one bin the ends are in no order,
    -- so some rows of the last bin may not be due.
    WITH session_due AS MATERIALIZED (
        SELECT pg_catalog.count(*) AS rows, pg_catalog.min(s.expires_at) AS oldest
        FROM (
            SELECT expires_at FROM sso_attr.session
            WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity'
              AND purge_bin OPERATOR(pg_catalog.<=) pg_catalog.statement_timestamp()
            ORDER BY purge_bin, id LIMIT 10000
        ) AS s
        WHERE s.expires_at OPERATOR(pg_catalog.<=) pg_catalog.statement_timestamp()
    ), attribute_due AS MATERIALIZED (
        SELECT pg_catalog.count(*) AS rows, pg_catalog.min(a.expires_at) AS oldest
        FROM (
            SELECT expires_at FROM sso_attr.attribute
            WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity'
              AND purge_bin OPERATOR(pg_catalog.<=) pg_catalog.statement_timestamp()
            ORDER BY purge_bin, session_id LIMIT 10000
        ) AS a
        WHERE a.expires_at OPERATOR(pg_catalog.<=) pg_catalog.statement_timestamp()
    ), relation AS MATERIALIZED (
        -- As the planner does: rows for each page when it was last counted, times the pages there are.
        SELECT c.oid,
               CASE
                   WHEN size.main OPERATOR(pg_catalog.=) 0 THEN 0
                   WHEN c.reltuples OPERATOR(pg_catalog.>=) 0 AND c.relpages OPERATOR(pg_catalog.>) 0 THEN
                       c.reltuples::pg_catalog.float8 OPERATOR(pg_catalog./) c.relpages::pg_catalog.float8
                       OPERATOR(pg_catalog.*) (size.main OPERATOR(pg_catalog./) size.block)::pg_catalog.float8
               END AS rows,
               pg_catalog.pg_table_size(c.oid) AS table_bytes,
               pg_catalog.pg_indexes_size(c.oid) AS index_bytes,
               pg_catalog.pg_stat_get_dead_tuples(c.oid) AS dead_rows
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL (
            SELECT pg_catalog.pg_relation_size(c.oid) AS main,
                   pg_catalog.current_setting('block_size')::pg_catalog.int8 AS block
        ) AS size
        WHERE c.oid OPERATOR(pg_catalog.=) ANY (ARRAY[
            'sso_attr.session'::pg_catalog.regclass, 'sso_attr.attribute'::pg_catalog.regclass
        ]::pg_catalog.oid[])
    )
    SELECT CASE WHEN session.rows IS NOT NULL THEN
               GREATEST(session.rows OPERATOR(pg_catalog.-) session_due.rows::pg_catalog.float8, 0)::pg_catalog.int8
           END,
           session_due.rows,
           CASE WHEN attribute.rows IS NOT NULL THEN
               GREATEST(attribute.rows OPERATOR(pg_catalog.-) attribute_due.rows::pg_catalog.float8, 0)::pg_catalog.int8
           END,
           attribute_due.rows,
           (SELECT 1 OPERATOR(pg_catalog.-) t.null_frac::pg_catalog.float8 FROM pg_catalog.pg_stats AS t
            WHERE t.schemaname OPERATOR(pg_catalog.=) 'sso_attr' AND t.tablename OPERATOR(pg_catalog.=) 'attribute'
              AND t.attname OPERATOR(pg_catalog.=) 'sealed' AND NOT t.inherited),
           (SELECT pg_catalog.count(DISTINCT k.key_id) FROM sso_attr.key_check AS k),
           session.table_bytes, session.index_bytes, session.dead_rows,
           attribute.table_bytes, attribute.index_bytes, attribute.dead_rows,
           session_due.rows OPERATOR(pg_catalog.+) attribute_due.rows,
           -- Not by an interval, which has no infinity before PostgreSQL 17.
           COALESCE(pg_catalog.date_part('epoch', pg_catalog.statement_timestamp()) OPERATOR(pg_catalog.-)
                    pg_catalog.date_part('epoch', LEAST(session_due.oldest, attribute_due.oldest)), 0),
           sweep.ended_at, sweep.error
    FROM session_due CROSS JOIN attribute_due
    JOIN relation AS session ON session.oid OPERATOR(pg_catalog.=) 'sso_attr.session'::pg_catalog.regclass
    JOIN relation AS attribute ON attribute.oid OPERATOR(pg_catalog.=) 'sso_attr.attribute'::pg_catalog.regclass
    LEFT JOIN (
        SELECT r.ended_at, r.error FROM sso_attr.purge_run AS r ORDER BY r.ended_at DESC, r.id DESC LIMIT 1
    ) AS sweep ON true;
END;
