-- sso_attr_check lists the rows that the functions have not written, and no others; nothing else keeps them out.
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
BEGIN;
SET LOCAL client_min_messages = warning;
TRUNCATE sso_attr.session CASCADE;
-- Whatever the functions write is right: sealed, expiring, endless, renewed, over, anonymous, and another id of a session.
SELECT sso_session_create('check-ann') AS ust, sso_session_create() AS anonymous, sso_session_create('check-over', expires_at => '2001-01-01') AS over, sso_session_create('check-adopted', ust => 'check-token-that-is-adopted') AS adopted \gset
SELECT sso_session_rotate(:'anonymous', 'check-bound', 'check-token-that-rotates-1') AS rotated, sso_session_renew(:'ust', 90000) AS renewed \gset
SET LOCAL sso_attr.session_max_lifetime = 0;
SELECT sso_session_renew('check-token-that-is-adopted', 'Infinity');
SELECT sso_attr_set(:'ust', 'clear', 1), sso_attr_set(:'ust', 'sealed', 1, 60, true), sso_attr_set(:'ust', repeat('日', 255), NULL), sso_attr_increment(:'ust', 'n', 1, 60), sso_attr_set_expiry(:'ust', 'clear', 7200), sso_attr_set_many(:'ust', '[{"name": "many", "value": 1, "expiration": 60}, {"name": "sealed", "value": 2, "expiration": null}]') IS NOT NULL;
SELECT sso_session_save(:'ust', '{"saved": 1, "n": 2}', '{many}', encrypt => '{n}') IS NOT NULL;
SELECT count(*) FROM sso_attr_check();
-- Moved by hand, an end takes its bin along.
UPDATE sso_attr.attribute SET expires_at = '2100-01-01 00:15:00+00';
UPDATE sso_attr.session SET expires_at = '2100-01-01 00:15:00+00';
SELECT count(*) FROM sso_attr_check();
-- Every way to be wrong is listed, of a row that is wrong in two ways both; an expired one is no exception.
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
INSERT INTO sso_attr.attribute (session_id, name, value, sealed, expires_at, purge_bin, created_at, updated_at) VALUES
    (:'id', 'both', '1', '\x01', 'infinity', 'infinity', now(), now()), (:'id', 'neither', NULL, NULL, 'infinity', 'infinity', now(), now()),
    (:'id', '', '1', NULL, 'infinity', 'infinity', now(), now()), (:'id', repeat('n', 256), '1', NULL, 'infinity', 'infinity', now(), now()),
    (:'id', 'no bin', '1', NULL, '2100-01-01 00:15:00+00', 'infinity', now(), now()), (:'id', 'exact bin', '1', NULL, '2100-01-01 00:15:00+00', '2100-01-01 00:15:00+00', now(), now()),
    (:'id', 'both, over', '1', '\x01', '2001-01-01 00:15:00+00', 'infinity', now(), now());
SELECT left(name, 10), problem FROM sso_attr_check() WHERE session_id = :'id' ORDER BY name, problem COLLATE "C";
UPDATE sso_attr.session SET secret_digest = '\x00' WHERE user_id = 'check-over';
UPDATE sso_attr.session SET purge_bin = 'infinity' WHERE user_id = 'check-adopted';
UPDATE sso_attr.session SET secret_digest = sha256('') WHERE alias_of IS NOT NULL;
SELECT s.user_id, s.alias_of IS NOT NULL, c.name, c.problem FROM sso_attr_check() AS c JOIN sso_attr.session AS s ON s.id = c.session_id WHERE c.session_id <> :'id' ORDER BY s.user_id, c.problem COLLATE "C";
-- It shows no value and no digest.
SELECT count(*) FROM sso_attr_check() AS c WHERE c::text ~ 'x01|x00';
-- Neither a search path nor a temporary object changes what it does.
CREATE TEMP TABLE attribute (session_id uuid);
CREATE FUNCTION pg_temp.purge_bin(timestamptz) RETURNS timestamptz LANGUAGE sql AS 'SELECT now()';
SET LOCAL search_path = pg_temp, public;
SELECT count(*) FROM sso_attr_check();
ROLLBACK;
SELECT count(*) FROM sso_attr_check();
