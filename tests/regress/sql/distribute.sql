-- sso_attr_distribute without a cluster: what it refuses, and whom; and how the purge, a rekey and the figures go
-- over the shards of a node. What stands for Citus here: its setting, a row that says it is installed, and its
-- catalogs, with two shards of the tables on this node and one elsewhere. All of it is rolled back.
\pset format unaligned
\set SHOW_CONTEXT never
\set VERBOSITY terse
SELECT sso_attr_distribute();
SELECT sso_attr_distribute(0);
CREATE ROLE distribute_operator;
CREATE ROLE distribute_app;
SELECT sso_attr_grant('distribute_operator', 'operator'), sso_attr_grant('distribute_app');
SET ROLE distribute_app;
SELECT sso_attr_distribute();
SELECT sso_attr.equip_nodes();
SET ROLE distribute_operator;
SELECT sso_attr_distribute();
SELECT sso_attr.purge_node(1);
SELECT sso_attr.rekey_node(1);
SELECT sso_attr.run_on_other_nodes('SELECT');
RESET ROLE;
SELECT * FROM sso_attr.node_tables();
SELECT sso_attr.is_distributed();

SELECT format('dbname=%s options=-ccitus.version=none', current_database()) AS as_in_a_cluster \gset
\c :as_in_a_cluster
SET allow_system_table_mods = on;
SET client_min_messages = warning;
-- The setting alone is not a cluster.
SELECT sso_attr_distribute();
SELECT * FROM sso_attr.node_tables();
BEGIN;
TRUNCATE sso_attr.session, sso_attr.attribute, sso_attr.key_check;
SELECT sso_session_create('distribute') AS ust \gset
SELECT sso_attr_set(:'ust', 'n', 1);
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) VALUES (1, 'citus', 10, 'public'::regnamespace, false, '13.1-1');
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass);
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass, shardid bigint, shardminvalue text);
CREATE TABLE pg_catalog.pg_dist_placement (shardid bigint, groupid integer);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid integer);
CREATE TABLE pg_catalog.pg_dist_node (nodeid integer, nodename text, nodeport integer, groupid integer, isactive boolean, noderole text);
CREATE FUNCTION pg_catalog.master_run_on_worker(text[], integer[], text[], boolean, OUT node_name text, OUT node_port integer, OUT success boolean, OUT result text) RETURNS SETOF record LANGUAGE sql
AS $$ SELECT $1[1], $2[1], $3[1] !~ 'fails', CASE WHEN $3[1] ~ 'purge_node|rekey_node' THEN '3' ELSE $3[1] END $$;
INSERT INTO pg_dist_local_group VALUES (0);
SAVEPOINT ready;
SELECT sso_attr_distribute();
ROLLBACK TO ready;
UPDATE pg_extension SET extversion = '13.2-1' WHERE extname = 'citus';
UPDATE pg_dist_local_group SET groupid = 4;
SAVEPOINT node;
SELECT sso_attr_distribute();
ROLLBACK TO node;

-- Not distributed, the tables are what they were, though there is a cluster.
SELECT * FROM sso_attr.node_tables();
INSERT INTO pg_dist_partition VALUES ('sso_attr.session'), ('sso_attr.attribute');
SAVEPOINT distributed;
SELECT sso_attr_distribute();
ROLLBACK TO distributed;
-- A node without shards has no tables.
SELECT * FROM sso_attr.node_tables();
SELECT sso_attr_purge(), sso_attr_rekey();
SELECT sessions_live, attributes_live, session_table_bytes, purge_backlog FROM sso_attr_stats();

-- Two shards of three are here.
CREATE TABLE sso_attr.session_101 (LIKE sso_attr.session INCLUDING ALL);
CREATE TABLE sso_attr.attribute_201 (LIKE sso_attr.attribute INCLUDING ALL, FOREIGN KEY (session_id) REFERENCES sso_attr.session_101 ON DELETE CASCADE);
CREATE TABLE sso_attr.session_102 (LIKE sso_attr.session INCLUDING ALL);
CREATE TABLE sso_attr.attribute_202 (LIKE sso_attr.attribute INCLUDING ALL, FOREIGN KEY (session_id) REFERENCES sso_attr.session_102 ON DELETE CASCADE);
INSERT INTO pg_dist_shard SELECT t::regclass, n + o, (n * 10)::text FROM generate_series(1, 3) AS n, (VALUES ('sso_attr.session', 100), ('sso_attr.attribute', 200)) AS s (t, o);
INSERT INTO pg_dist_placement SELECT shardid, CASE WHEN shardid % 100 = 3 THEN 5 ELSE 4 END FROM pg_dist_shard;
SELECT * FROM sso_attr.node_tables();
SELECT count(*) FROM (SELECT sso_session_create('shards') AS ust FROM generate_series(1, 20) OFFSET 0) AS s, LATERAL sso_attr_set_many(ust, '[{"name":"a","value":1},{"name":"b","value":2,"expiration":60},{"name":"c","value":3,"encrypt":true}]');
DELETE FROM sso_attr.session WHERE user_id = 'distribute';
INSERT INTO sso_attr.session_101 SELECT * FROM sso_attr.session ORDER BY id LIMIT 8;
INSERT INTO sso_attr.session_102 SELECT * FROM sso_attr.session ORDER BY id OFFSET 8;
INSERT INTO sso_attr.attribute_201 SELECT * FROM sso_attr.attribute WHERE session_id IN (SELECT id FROM sso_attr.session_101);
INSERT INTO sso_attr.attribute_202 SELECT * FROM sso_attr.attribute WHERE session_id IN (SELECT id FROM sso_attr.session_102);
-- An alias is where its own id is.
INSERT INTO sso_attr.session (id, alias_of, created_at, last_seen_at, expires_at, purge_bin, secret_digest)
SELECT gen_random_uuid(), s.id, now(), now(), 'infinity', 'infinity', '' FROM (SELECT * FROM sso_attr.session_102 ORDER BY id LIMIT 2) AS s;
CREATE VIEW test.left AS SELECT (SELECT count(*) FROM sso_attr.session_101) AS s1, (SELECT count(*) FROM sso_attr.attribute_201) AS a1, (SELECT count(*) FROM sso_attr.session_102) AS s2, (SELECT count(*) FROM sso_attr.attribute_202) AS a2,
    (SELECT count(*) FROM sso_attr.session WHERE alias_of IS NULL) AS elsewhere, (SELECT count(*) FROM sso_attr.session WHERE alias_of IS NOT NULL) AS aliases;
SELECT * FROM test.left;
SELECT oldest_expired FROM sso_attr_purge_status();
UPDATE sso_attr.attribute_201 SET expires_at = now() - interval '1 hour', purge_bin = '-infinity' WHERE name = 'b';
UPDATE sso_attr.session_102 SET expires_at = now() - interval '2 hours', purge_bin = '-infinity' WHERE id IN (SELECT alias_of FROM sso_attr.session);
-- What is in the whole tables stands for what is on other nodes.
UPDATE sso_attr.attribute SET expires_at = now() - interval '3 hours' WHERE name = 'b';
SELECT sessions_expired, attributes_expired, purge_backlog, purge_backlog_seconds BETWEEN 7200 AND 7260 AS late FROM sso_attr_stats();
SELECT oldest_expired = now() - interval '2 hours' AS oldest FROM sso_attr_purge_status();
SELECT sso_attr_purge(3) AS three, sso_attr.purge_node(1000) AS the_others, sso_attr_purge() AS none;
SELECT * FROM test.left;
SELECT total_removed > 0, oldest_expired FROM sso_attr_purge_status();
SELECT (SELECT session_table_bytes FROM sso_attr_stats()) = pg_table_size('sso_attr.session_101') + pg_table_size('sso_attr.session_102') AS sizes;

-- A rekey goes over the same shards, and keys are counted over everything.
\! printf '2:%064d\n1:%064d\n' 2 1 > "$SSO_ATTR_KEYRING"
CREATE VIEW test.sealed AS SELECT t, substr(sealed, 6, 1) AS key, count(*)
    FROM (SELECT 1 AS t, sealed FROM sso_attr.attribute_201 UNION ALL SELECT 2, sealed FROM sso_attr.attribute_202 UNION ALL SELECT 3, sealed FROM sso_attr.attribute) AS a WHERE sealed IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2;
SELECT sso_attr_rekey(10);
SELECT * FROM test.sealed;
SELECT sso_attr_rekey(), sso_attr.rekey_node(1000) AS none;
SELECT * FROM test.sealed;
SELECT key_id, attributes FROM sso_attr_keys();
\! printf '1:%064d\n' 1 > "$SSO_ATTR_KEYRING"

-- Each other node is told in turn as far as rows are left; one that does not do its part is left out, but not where a
-- grant is to hold on all of them.
INSERT INTO pg_dist_node VALUES (1, 'here', 5432, 4, true, 'primary'), (2, 'one', 5432, 0, true, 'primary'), (3, 'two', 5433, 5, true, 'primary'), (4, 'a standby', 5433, 5, true, 'secondary'), (5, 'is off', 5432, 6, false, 'primary');
CREATE TABLE test.told (command text);
CREATE FUNCTION test.answer(node text, command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO test.told VALUES (format('%s: %s', node, regexp_replace(regexp_replace(command, '\s+', ' ', 'g'), ', .*? (TO|FROM)', ' ... \1')));
    RETURN CASE WHEN command ~ 'purge_node|rekey_node' THEN '3' ELSE 'done' END;
END
$$;
CREATE OR REPLACE FUNCTION pg_catalog.master_run_on_worker(text[], integer[], text[], boolean, OUT node_name text, OUT node_port integer, OUT success boolean, OUT result text) RETURNS SETOF record LANGUAGE sql
AS $$ SELECT $1[1], $2[1], $1[1] <> COALESCE(current_setting('test.off', true), ''), test.answer($1[1], $3[1]) $$;
SELECT sso_attr_purge(4) AS purged, sso_attr_rekey(6) AS rekeyed, sso_attr_purge() AS all;
SELECT sso_attr_grant('distribute_app', 'monitor');
SELECT command FROM test.told;
TRUNCATE test.told;
SET LOCAL test.off = 'one';
SELECT sso_attr_purge();
SAVEPOINT off;
\set VERBOSITY default
SELECT sso_attr_revoke('distribute_app', 'monitor');
\set VERBOSITY terse
ROLLBACK TO off;
SELECT command FROM test.told;
ROLLBACK;
SELECT format('dbname=%s', current_database()) AS as_before \gset
\c :as_before
DROP OWNED BY distribute_operator, distribute_app;
DROP ROLE distribute_operator, distribute_app;
