-- sso_attr_purge removes what has expired, in the caller's transaction, and counts it; what it did
-- and what awaits it is in sso_attr_purge_status.
\set VERBOSITY sqlstate
SELECT name, boot_val, unit, context FROM pg_settings WHERE name LIKE 'sso\_attr.purge%' ORDER BY name;
TRUNCATE sso_attr.session, sso_attr.attribute;
SELECT total_removed AS before FROM sso_attr_purge_status() \gset

-- Nothing expired: nothing removed, nothing written.
SELECT sso_session_create('live') AS live \gset
SELECT sso_attr_set(:'live', 'kept', 1);
BEGIN;
SELECT sso_attr_purge(), pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
COMMIT;

-- An attribute of a live session, a session with attributes, one without.
SELECT sso_attr_set(:'live', 'gone', 2, 3600);
SELECT sso_session_create('over') AS over \gset
SELECT sso_attr_set_many(:'over', '[{"name":"a","value":1},{"name":"b","value":2,"expiration":60}]');
SELECT sso_session_create('over') IS NOT NULL AS empty_one;
UPDATE sso_attr.attribute SET expires_at = now() - interval '1 hour' WHERE name = 'gone';
UPDATE sso_attr.session SET expires_at = now() - interval '1 second' WHERE user_id = 'over';
SELECT oldest_expired = (SELECT expires_at FROM sso_attr.attribute WHERE name = 'gone') AS oldest
FROM sso_attr_purge_status();
BEGIN;
SELECT sso_attr_purge();
ROLLBACK;
SELECT count(*) FROM sso_attr.attribute;
SELECT sso_attr_purge(0), sso_attr_purge(2), sso_attr_purge(2), sso_attr_purge(2);
SELECT last_removed, total_removed - :before AS removed, oldest_expired, last_error,
       last_start <= last_end AND last_end <= clock_timestamp() AS in_order
FROM sso_attr_purge_status();
SELECT user_id, sso_attr_names(:'live') FROM sso_attr.session;
SELECT count(*) FROM sso_attr.purge_run;

-- Every batch size removes all, whichever way sessions and attributes are spread.
SELECT count(sso_attr_set(ust, 'n' || n, n))
FROM (SELECT s, sso_session_create('many') AS ust FROM generate_series(0, 9) AS s OFFSET 0) AS sessions
CROSS JOIN LATERAL generate_series(1, s) AS n;
UPDATE sso_attr.session SET expires_at = '-infinity' WHERE user_id = 'many';
SELECT sso_attr_purge(7), sso_attr_purge(13), sso_attr_purge();
SELECT user_id FROM sso_attr.session;

-- Sessions past the age limit go, whatever end is stored.
SELECT sso_session_create('aged', expiration => 'Infinity') IS NOT NULL AS aged;
UPDATE sso_attr.session SET id = '00000000-0000-7000-8000-000000000000', created_at = now() - interval '31 days'
WHERE user_id = 'aged';
BEGIN;
SET LOCAL sso_attr.session_max_lifetime = 0;
SELECT sso_attr_purge();
COMMIT;
SELECT sso_attr_purge();
SELECT user_id FROM sso_attr.session;

-- A bound that is none.
SELECT sso_attr_purge(-1);

-- In every time zone what is live stays.
SET TIME ZONE 'America/New_York';
SELECT sso_attr_purge();
SET TIME ZONE 'Asia/Tokyo';
SELECT sso_attr_purge();

-- For operators only.
CREATE ROLE purge_app;
CREATE ROLE purge_operator;
SELECT sso_attr_grant('purge_app'), sso_attr_grant('purge_operator', 'operator');
SET ROLE purge_app;
SELECT sso_attr_purge();
SELECT * FROM sso_attr_purge_status();
SET ROLE purge_operator;
SELECT sso_attr_purge();
SELECT count(*) FROM sso_attr_purge_status();
SELECT count(*) FROM sso_attr.purge_run;
RESET ROLE;
SELECT sso_attr_revoke('purge_app'), sso_attr_revoke('purge_operator', 'operator');
DROP OWNED BY purge_app, purge_operator;
DROP ROLE purge_app, purge_operator;

SELECT sso_session_end_all(user_id) FROM (SELECT DISTINCT user_id FROM sso_attr.session) AS users;
