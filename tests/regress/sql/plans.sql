-- What keeps it fast: updates that keep the expiry are HOT, statements go by index, reads assign no
-- transaction id; and what the statements rely on holds.
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
\set VERBOSITY sqlstate
SELECT sso_session_create('plans-ann') AS ust \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
SELECT sso_attr_create(:'ust', 'a', 1), sso_attr_create(:'ust', 'b', 1, 3600), sso_attr_create(:'ust', 'c', 1, encrypt => true);

CREATE VIEW test.hot AS
    SELECT c.oid::regclass::text AS what, pg_stat_get_xact_tuples_updated(c.oid) AS updated, pg_stat_get_xact_tuples_hot_updated(c.oid) AS hot FROM pg_class AS c WHERE c.oid IN ('sso_attr.attribute'::regclass, 'sso_attr.session'::regclass);
BEGIN;
SELECT updated AS before, hot AS hot_before FROM test.hot WHERE what = 'sso_attr.attribute' \gset
SELECT sso_attr_update(:'ust', 'a', 2), sso_attr_update(:'ust', 'b', 2), sso_attr_update(:'ust', 'c', 2), sso_attr_set(:'ust', 'b', 3);
SELECT sso_attr_update_many(:'ust', '[{"name":"a","value":4},{"name":"b","value":4},{"name":"c","value":4}]'), sso_attr_set_many(:'ust', '[{"name":"a","value":5},{"name":"b","value":5}]');
SELECT sso_attr_update(:'ust', 'a', 6, encrypt => true), sso_attr_set(:'ust', 'c', 6, encrypt => false);
SELECT sso_attr_compare_and_set(:'ust', 'a', '6', '7'), sso_attr_increment(:'ust', 'b'), sso_attr_increment(:'ust', 'c', 2), sso_session_save(:'ust', '{"a": 8, "b": 9}') IS NOT NULL;
SELECT updated - :before, hot - :hot_before FROM test.hot WHERE what = 'sso_attr.attribute';
COMMIT;
-- An expiry that moves within ten minutes leaves the index too; one that moves to never does not.
UPDATE sso_attr.attribute SET expires_at = '2100-01-01 00:00:30+00' WHERE session_id = :'id' AND name = 'b';
BEGIN;
SELECT updated AS before, hot AS hot_before FROM test.hot WHERE what = 'sso_attr.attribute' \gset
UPDATE sso_attr.attribute SET expires_at = '2100-01-01 00:09:30+00' WHERE session_id = :'id' AND name = 'b';
SELECT updated - :before, hot - :hot_before FROM test.hot WHERE what = 'sso_attr.attribute';
SELECT sso_attr_set_expiry(:'ust', 'b', NULL);
SELECT updated - :before, hot - :hot_before FROM test.hot WHERE what = 'sso_attr.attribute';
COMMIT;
-- The bin is what date_bin says, before and after its origin, and endless ends stay what they are.
SELECT count(*) AS tried, count(*) FILTER (WHERE sso_attr.purge_bin(t) IS DISTINCT FROM date_bin('10 minutes', t, '2000-01-01 00:00:00+00')) AS wrong
FROM (SELECT timestamptz '2000-01-01 00:00:00+00' + n * interval '7 hours 3.000001 seconds' FROM generate_series(-5000, 200000) AS n
      UNION ALL VALUES ('infinity'::timestamptz), ('-infinity'), ('2026-05-01 12:10:00+00'), ('2026-05-01 12:09:59.999999+00'), ('290000-01-01 00:00:01+00'), (NULL)) AS end_of (t);

-- A session that is renewed nine times within ten minutes crosses one border of the index at most.
BEGIN;
SET LOCAL client_min_messages = warning;
TRUNCATE sso_attr.session CASCADE;
SELECT sso_session_create('plans-carol', expiration => 36000) AS carol \gset
SELECT updated AS before, hot AS hot_before FROM test.hot WHERE what = 'sso_attr.session' \gset
SELECT count(sso_session_renew(:'carol', 36000 + i * 63)) FROM generate_series(1, 9) AS i;
SELECT updated - :before, hot - :hot_before >= 8 FROM test.hot WHERE what = 'sso_attr.session';
ROLLBACK;

-- Reads assign no transaction id, in a transaction of their own and after an error.
BEGIN;
SELECT sso_attr_get(:'ust', 'a'), sso_attr_get_text(:'ust', 'c'), sso_attr_exists(:'ust', 'a'), sso_attr_get_all(:'ust'), sso_attr_get_many(:'ust', '{a,z}'), sso_attr_exists_many(:'ust', '{a,z}'), sso_session_verify(:'ust'), sso_session_verify('no token');
SELECT count(*) FROM sso_attr_names(:'ust'), sso_attr_list(:'ust'), sso_session_get(:'ust'), sso_session_list('plans-ann');
SELECT pg_current_xact_id_if_assigned();
COMMIT;

-- By index, however many rows there are: no statement of a call scans a table.
INSERT INTO sso_attr.session (id, created_at, last_seen_at, expires_at, purge_bin, secret_digest, user_id)
SELECT ('00000000-0000-8000-8000-' || lpad(i::text, 12, '0'))::uuid, now(), now(), now() + interval '1 day', sso_attr.purge_bin(now() + interval '1 day'), sha256(i::text::bytea), 'plans-filler' || i FROM generate_series(1, 3000) AS i;
INSERT INTO sso_attr.attribute (session_id, created_at, updated_at, name, value)
SELECT id, now(), now(), 'filler' || i, '1' FROM sso_attr.session, generate_series(1, 3) AS i WHERE user_id LIKE 'plans-filler%';
ANALYZE sso_attr.session, sso_attr.attribute;
CREATE FUNCTION test.sequential() RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_stat_get_xact_numscans('sso_attr.session'::regclass) + pg_stat_get_xact_numscans('sso_attr.attribute'::regclass)
$$;
BEGIN;
SELECT test.sequential() AS before \gset
-- More often than it takes for a kept plan to become generic.
DO $$
DECLARE
    token text := sso_session_create('plans-bob');
    verb record;
BEGIN
    FOR i IN 1..8 LOOP
        PERFORM sso_attr_set(token, 'here', i), sso_attr_set(token, 'sealed', i, 60, true);
        FOR verb IN SELECT call FROM test.verb WHERE call !~ 'rotate' ORDER BY position LOOP
            EXECUTE 'SELECT ' || verb.call USING token;
        END LOOP;
        token := sso_session_rotate(token);
        PERFORM sso_session_list('plans-bob'), sso_session_verify(token);
        PERFORM count(*) FROM sso_session_load(token), sso_session_list('plans-bob') AS listed WHERE sso_session_end_one('plans-none', listed.session_id);
        PERFORM sso_session_save(token, '{"here": 1, "saved": 2}', '{sealed}', 36000 + i * 600), sso_session_save(token, '{"here": 2}', replace => true);
        token := sso_session_rotate(token, 'plans-bob', 'token-of-plans-bob-rotated-' || i);
        PERFORM sso_session_create('plans-carol', keep_newest => 2);
        PERFORM sso_session_end_one('plans-carol', session_id) FROM sso_session_list('plans-carol') WHERE i % 3 = 0;
        PERFORM sso_session_create('plans-bob', ust => 'token-of-plans-bob-number-' || i);
        PERFORM sso_session_end('token-of-plans-bob-number-' || i);
    END LOOP;
    PERFORM sso_session_end_all('plans-bob');
END
$$;
SELECT test.sequential() - :before;
ROLLBACK;
DELETE FROM sso_attr.session WHERE user_id LIKE 'plans-filler%';
SELECT count(*) FROM sso_attr.attribute WHERE name LIKE 'filler%';

-- An attribute of a session, and once in it.
INSERT INTO sso_attr.attribute (session_id, created_at, updated_at, name, value) VALUES ('00000000-0000-0000-0000-000000000000', now(), now(), 'a', '1');
INSERT INTO sso_attr.attribute (session_id, created_at, updated_at, name, value) VALUES (:'id', now(), now(), 'a', '1');
-- The bin follows an end that is moved by hand, wherever it is moved to.
CREATE FUNCTION test.bins_after(of_session uuid, moved_to timestamptz) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sso_attr.session SET expires_at = moved_to WHERE id = of_session;
    UPDATE sso_attr.attribute SET expires_at = moved_to WHERE session_id = of_session AND name = 'b';
    RETURN (SELECT concat_ws(' | ', s.purge_bin, a.purge_bin) FROM sso_attr.session AS s JOIN sso_attr.attribute AS a ON a.session_id = s.id AND a.name = 'b' WHERE s.id = of_session);
END
$$;
SET timezone = 'UTC';
SELECT moved_to, test.bins_after(:'id', moved_to) FROM unnest('{infinity,2100-01-01 00:19:59.999999+00,2100-01-01 00:20:00+00,1999-12-31 23:59:59+00,-infinity,infinity}'::timestamptz[]) AS moved_to;
RESET timezone;
SELECT count(*) FROM sso_attr_check();
DROP FUNCTION test.bins_after;
DROP VIEW test.hot;
DROP FUNCTION test.sequential;
