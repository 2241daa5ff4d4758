-- sso_attr_stats() shows what there is without reading the tables: an exporter asks every few seconds.
\set VERBOSITY sqlstate
SET timezone = 'UTC';
TRUNCATE sso_attr.session, sso_attr.attribute, sso_attr.key_check;
-- An empty table has no rows, whatever its statistics.
SELECT sessions_live, sessions_expired, attributes_live, attributes_expired, keys_used, purge_backlog, purge_backlog_seconds FROM sso_attr_stats();

-- Before the first ANALYZE nobody knows how many there are; the transaction keeps autovacuum away.
BEGIN;
SELECT sso_session_create('stats') AS ust \gset
SELECT sso_attr_set(:'ust', 'n', 1);
SELECT sessions_live, sessions_expired, attributes_live, attributes_expired, purge_backlog FROM sso_attr_stats();
ROLLBACK;

-- Four attributes of two sessions, one of them sealed.
SELECT sso_session_create('stats') AS ust \gset
SELECT sso_session_create('stats') AS other \gset
SELECT sso_attr_set_many(:'ust', '[{"name":"a","value":1},{"name":"b","value":2,"expiration":3600},{"name":"c","value":3,"encrypt":true}]'), sso_attr_set(:'other', 'a', 1);
ANALYZE sso_attr.session, sso_attr.attribute;
SELECT sessions_live, sessions_expired, attributes_live, attributes_expired, sealed_share, keys_used, purge_backlog, purge_backlog_seconds FROM sso_attr_stats();
SELECT session_table_bytes = pg_table_size('sso_attr.session') AND session_index_bytes = pg_indexes_size('sso_attr.session')
       AND attribute_table_bytes = pg_table_size('sso_attr.attribute') AND attribute_index_bytes = pg_indexes_size('sso_attr.attribute') AS sizes FROM sso_attr_stats();

-- What has expired is no longer live, counted at once, and the oldest tells how far the purge is behind. An
-- attribute of a session that is over goes with it.
UPDATE sso_attr.attribute SET expires_at = now() - interval '2 hours' WHERE name = 'b';
UPDATE sso_attr.session SET expires_at = now() - interval '1 second' WHERE id = (SELECT session_id FROM sso_session_get(:'other'));
SELECT sessions_live, sessions_expired, attributes_live, attributes_expired, purge_backlog, purge_backlog_seconds BETWEEN 7200 AND 7260 AS two_hours FROM sso_attr_stats();
UPDATE sso_attr.session SET expires_at = '-infinity' WHERE expires_at < now();
SELECT purge_backlog, purge_backlog_seconds FROM sso_attr_stats();
-- Not yet over, though its ten minutes have begun.
UPDATE sso_attr.attribute SET expires_at = now() + interval '1 minute' WHERE name = 'a';
UPDATE sso_attr.attribute SET purge_bin = now() - interval '1 minute' WHERE name = 'a';
SELECT attributes_expired FROM sso_attr_stats();
SELECT sso_attr_purge() > 0 AS removed;
SELECT purge_backlog, purge_backlog_seconds, last_sweep_end = (SELECT last_end FROM sso_attr_purge_status()) AS last_sweep, last_sweep_error FROM sso_attr_stats();
BEGIN;
UPDATE sso_attr.purge_run SET error = 'of a sweep';
SELECT last_sweep_error FROM sso_attr_stats();
ROLLBACK;

-- No table is scanned, although for so few rows in no order the planner takes that to be cheaper; counting
-- ends at 10,000 for each table.
TRUNCATE sso_attr.session, sso_attr.attribute;
\c
BEGIN;
CREATE FUNCTION test.fill(first integer, last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO sso_attr.session (id, created_at, last_seen_at, expires_at, purge_bin, secret_digest)
    SELECT gen_random_uuid(), now(), now(), e, sso_attr.purge_bin(e), sha256('none')
    FROM generate_series(first, last) AS n, LATERAL (SELECT now() - n * interval '1 second' AS e) AS x ORDER BY md5(n::text);
    INSERT INTO sso_attr.attribute (session_id, created_at, updated_at, name, value, expires_at, purge_bin)
    SELECT id, now(), now(), 'a', '1', expires_at, purge_bin FROM sso_attr.session ON CONFLICT DO NOTHING;
$$;
CREATE FUNCTION test.scans() RETURNS numeric LANGUAGE sql AS
    $$ SELECT sum(seq_scan) FROM pg_stat_xact_all_tables WHERE relid IN ('sso_attr.session'::regclass, 'sso_attr.attribute'::regclass) $$;
SELECT test.fill(1, 9000);
ANALYZE sso_attr.session, sso_attr.attribute;
SELECT test.scans() AS scans \gset
SELECT sessions_live, sessions_expired, attributes_live, attributes_expired, purge_backlog, purge_backlog_seconds BETWEEN 9000 AND 9600 AS oldest FROM sso_attr_stats();
SELECT test.scans() - :scans AS scans;
SELECT test.fill(9001, 12000);
ANALYZE sso_attr.session, sso_attr.attribute;
SELECT sessions_live, sessions_expired, attributes_live, attributes_expired, purge_backlog, purge_backlog_seconds BETWEEN 12000 AND 12600 AS oldest FROM sso_attr_stats();
ROLLBACK;

-- For those who watch, with no right on a table, and in a read-only transaction; the settings of the
-- caller stay.
CREATE ROLE stats_app;
CREATE ROLE stats_monitor;
CREATE ROLE stats_other IN ROLE pg_monitor;
SELECT sso_attr_grant('stats_app'), sso_attr_grant('stats_monitor', 'monitor');
SET ROLE stats_app;
SELECT sso_attr_stats();
SET ROLE stats_other;
SELECT sso_attr_stats();
SET ROLE stats_monitor;
BEGIN READ ONLY;
SELECT count(*) FROM sso_attr_stats();
SELECT current_setting('enable_seqscan');
COMMIT;
SELECT FROM sso_attr.session;
RESET ROLE;
SELECT sso_attr_revoke('stats_app'), sso_attr_revoke('stats_monitor', 'monitor');
DROP OWNED BY stats_app, stats_monitor;
DROP ROLE stats_app, stats_monitor, stats_other;
TRUNCATE sso_attr.session, sso_attr.attribute, sso_attr.key_check;
