-- What has expired is not there, for any verb, whether or not a purge has run; an expired session
-- has nothing at all. Moving expires_at by hand is enough.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

SELECT sso_session_create('expired-ann') AS ust \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset
CREATE PROCEDURE test.expire(of_session uuid) LANGUAGE sql AS $$
    UPDATE sso_attr.attribute SET expires_at = clock_timestamp(), created_at = '2001-01-01', updated_at = '2001-01-01'
    WHERE session_id = of_session AND name = 'over'
$$;
SELECT sso_attr_create(:'ust', 'live', 1), sso_attr_create(:'ust', 'over', 1);
CALL test.expire(:'id');

-- Reads do not see it.
SELECT sso_attr_get(:'ust', 'over'), sso_attr_get_text(:'ust', 'over'), sso_attr_exists(:'ust', 'over');
SELECT sso_attr_names(:'ust');
SELECT name FROM sso_attr_list(:'ust');
SELECT sso_attr_get_all(:'ust'), sso_attr_get_many(:'ust', '{live,over}'), sso_attr_exists_many(:'ust', '{live,over}');

-- Strict verbs raise, and it stays as it is.
SELECT sso_attr_update(:'ust', 'over', 2);
SELECT sso_attr_update(:'ust', 'over', 2, expiration => 60);
SELECT sso_attr_set_expiry(:'ust', 'over', 60);
SELECT sso_attr_set_expiry(:'ust', 'over', NULL);
SELECT sso_attr_update_many(:'ust', '[{"name":"live","value":2},{"name":"over","value":2,"expiration":null}]');
SELECT sso_attr_set_expiry_many(:'ust', '[{"name":"live"},{"name":"over"}]');
SELECT sso_attr_take(:'ust', 'over'), sso_attr_delete(:'ust', 'over'), sso_attr_delete_many(:'ust', '{over}');
SELECT value FROM sso_attr.attribute WHERE session_id = :'id' ORDER BY name;

-- create, set and the batches start it afresh: new created_at, no old expiry, no old protection.
CREATE VIEW test.over AS
    SELECT s.user_id, a.value, a.sealed IS NOT NULL AS is_sealed, a.created_at = a.updated_at AS is_new,
           a.created_at > '2001-01-02' AS is_recent, a.expires_at > clock_timestamp() AS is_live,
           a.expires_at < a.created_at + interval '1 day' AS is_short
    FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id WHERE a.name = 'over';
SELECT sso_attr_create(:'ust', 'over', 3);
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_create(:'ust', 'over', 4, expiration => 60, encrypt => true);
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_set(:'ust', 'over', 5);
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_set(:'ust', 'over', 6, expiration => 60);
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_set(:'ust', 'over', 7, encrypt => true);
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_set(:'ust', 'over', 7, encrypt => NULL);
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_create_many(:'ust', '[{"name":"over","value":8},{"name":"fresh","value":1}]');
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_set_many(:'ust', '[{"name":"over","value":9,"encrypt":true},{"name":"live","value":9}]');
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_set_many(:'ust', '[{"name":"over","value":10,"expiration":60},{"name":"live","value":10}]');
SELECT * FROM test.over WHERE user_id = 'expired-ann';
CALL test.expire(:'id');
SELECT sso_attr_set_many(:'ust', '[{"name":"over","value":11}]');
SELECT * FROM test.over WHERE user_id = 'expired-ann';
SELECT sso_attr_get_all(:'ust');
-- One of the batch that is there still refuses the whole.
CALL test.expire(:'id');
SELECT sso_attr_create_many(:'ust', '[{"name":"over","value":12},{"name":"fresh","value":12}]');
SELECT sso_attr_get_all(:'ust');

-- Expiry is exact and needs no worker: it is over at the very moment.
SELECT sso_attr_set(:'ust', 'brief', 1, expiration => 0.001);
SELECT pg_sleep(0.002) \g /dev/null
SELECT sso_attr_exists(:'ust', 'brief');

-- The clock is the call's, also within a transaction.
BEGIN;
SELECT sso_attr_set(:'ust', 'brief', 1, expiration => 0.001);
SELECT pg_sleep(0.002) \g /dev/null
SELECT sso_attr_exists(:'ust', 'brief');
SELECT sso_attr_set(:'ust', 'brief', 2, expiration => 3600);
SELECT sso_attr_get(:'ust', 'brief');
COMMIT;

-- A time before the type's beginning is over as well.
UPDATE sso_attr.attribute SET expires_at = '-infinity' WHERE session_id = :'id' AND name = 'brief';
SELECT sso_attr_exists(:'ust', 'brief'), sso_attr_delete(:'ust', 'brief');

-- A session that is over has nothing: every verb raises, the missing name notwithstanding.
SELECT sso_attr_set(:'ust', 'here', 1);
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE id = :'id';
SELECT call, test.attempt(call, :'ust') FROM test.verb ORDER BY position;
SELECT sso_session_verify(:'ust'), sso_session_end(:'ust');
SELECT count(*) FROM sso_session_list('expired-ann');
SELECT value FROM sso_attr.attribute WHERE session_id = :'id' AND name = 'here';
-- So has one that has ended.
UPDATE sso_attr.session SET expires_at = 'infinity' WHERE id = :'id';
SELECT sso_session_end(:'ust');
SELECT DISTINCT test.attempt(call, :'ust') FROM test.verb;
DROP VIEW test.over;
DROP PROCEDURE test.expire;
