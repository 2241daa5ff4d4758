-- Key custody by SQL: a key is known by its check value before it writes, rekey moves values to the
-- primary key, and sso_attr_keys() tells when a key can go.
\set VERBOSITY terse
\! printf '1:%064d\n' 1 > "$SSO_ATTR_KEYRING"
TRUNCATE sso_attr.session, sso_attr.attribute, sso_attr.key_check;
SELECT sso_session_create('keys') AS ust \gset

-- In the keyring, but unused: nothing to compare with.
SELECT * FROM sso_attr_keys();
-- A key that only a rolled back transaction used is not known ...
BEGIN;
SELECT sso_attr_create(:'ust', 'a', 'secret-a', encrypt => true);
SELECT count(*) FROM sso_attr.key_check;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT sso_attr_create(:'ust', 'a', 'secret-a', encrypt => true);
ROLLBACK TO s;
SELECT sso_attr_create(:'ust', 'a', 'secret-a', encrypt => true);
SELECT sso_attr_create(:'ust', 'b', 'secret-b', 60, true);
COMMIT;
SELECT sso_attr_create(:'ust', 'c', 'clear');
-- ... and is known once, however often it is used.
SELECT key_id, octet_length(check_value), rekeyed_at FROM sso_attr.key_check;
SELECT key_id, is_primary, available, matches, attributes, last_expires_at FROM sso_attr_keys();

-- Another primary key: old values stay readable, new ones are sealed with it.
\! printf '2:%064d\n1:%064d\n' 2 1 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_create(:'ust', 'd', 'secret-d', encrypt => true);
SELECT sso_attr_get_all(:'ust');
SELECT key_id, is_primary, available, matches, attributes, last_expires_at IS NULL AS never FROM sso_attr_keys();

-- Rekey by rows, then the rest; times are not touched.
CREATE TEMPORARY TABLE before AS SELECT name, created_at, updated_at, expires_at FROM sso_attr_list(:'ust');
SELECT sso_attr_rekey(0), sso_attr_rekey(1);
SELECT sso_attr_rekey();
SELECT sso_attr_rekey();
SELECT sso_attr_rekey(-1);
SELECT key_id, is_primary, available, matches, attributes FROM sso_attr_keys();
SELECT count(*) FROM (SELECT name, created_at, updated_at, expires_at FROM sso_attr_list(:'ust') EXCEPT TABLE before) AS moved;

-- The old key goes: nothing needs it.
\! printf '2:%064d\n' 2 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get_all(:'ust');
SELECT key_id, is_primary, available, matches, attributes FROM sso_attr_keys();

-- Other bytes under a known id: refused by id for reading and writing, clear attributes unaffected.
\! printf '2:%064d\n' 3 > "$SSO_ATTR_KEYRING"
\set VERBOSITY default
SELECT sso_attr_get(:'ust', 'a');
SELECT sso_attr_create(:'ust', 'e', 'secret-e', encrypt => true);
SELECT sso_attr_update(:'ust', 'a', 'secret-e');
\set VERBOSITY terse
SELECT sso_attr_update(:'ust', 'c', 'still clear');
SELECT sso_attr_get(:'ust', 'c');
SELECT key_id, is_primary, available, matches, attributes FROM sso_attr_keys();

-- A key that is gone is named; rekey leaves what it cannot open and says so.
\! printf '4:%064d\n' 4 > "$SSO_ATTR_KEYRING"
\set VERBOSITY default
SELECT sso_attr_get(:'ust', 'a');
\set VERBOSITY terse
SELECT sso_attr_rekey();
SELECT key_id, is_primary, available, matches, attributes FROM sso_attr_keys();

-- A transaction that is rolled back makes no key known, however often the primary key changed in it.
TRUNCATE sso_attr.attribute, sso_attr.key_check;
\! printf '5:%064d\n' 5 > "$SSO_ATTR_KEYRING"
BEGIN;
SAVEPOINT s;
SELECT sso_attr_set(:'ust', 'a', 'by key 5', encrypt => true);
RELEASE s;
\! printf '6:%064d\n' 6 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_set(:'ust', 'b', 'by key 6', encrypt => true);
\! printf '5:%064d\n' 5 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_set(:'ust', 'c', 'by key 5', encrypt => true);
SELECT check_value AS five FROM sso_attr.key_check WHERE key_id = 5 \gset
ROLLBACK;
\! printf '5:%064d\n' 7 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_set(:'ust', 'a', 'by other bytes', encrypt => true);
\! printf '5:%064d\n' 5 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_set(:'ust', 'b', 'by key 5', encrypt => true);
-- Nor does one that put the check value there by other means, as a restore does.
TRUNCATE sso_attr.attribute, sso_attr.key_check;
BEGIN;
INSERT INTO sso_attr.key_check (key_id, check_value, created_at) VALUES (5, :'five', now());
SELECT sso_attr_set(:'ust', 'a', 'by key 5', encrypt => true);
ROLLBACK;
\! printf '5:%064d\n' 7 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_set(:'ust', 'a', 'by other bytes', encrypt => true);
\! printf '5:%064d\n' 5 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_set(:'ust', 'b', 'by key 5', encrypt => true);
\! printf '5:%064d\n' 7 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get_all(:'ust');

-- However many values cannot be opened, the check values are looked at once, and by index even where
-- no table may be scanned, as in the worker.
INSERT INTO sso_attr.attribute (session_id, created_at, updated_at, name, sealed)
SELECT session_id, created_at, updated_at, 'moved' || n, sealed FROM sso_attr.attribute, generate_series(1, 50) AS n WHERE name = 'a';
\! printf '6:%064d\n5:%064d\n' 6 7 > "$SSO_ATTR_KEYRING"
\c
BEGIN;
SET LOCAL enable_seqscan = off;
SELECT sso_attr_rekey();
SELECT seq_scan, idx_scan FROM pg_stat_xact_all_tables WHERE relid = 'sso_attr.key_check'::regclass;
ROLLBACK;
\! printf '1:%064d\n' 1 > "$SSO_ATTR_KEYRING"
TRUNCATE sso_attr.session, sso_attr.attribute, sso_attr.key_check;
