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
\! printf '1:%064d\n' 1 > "$SSO_ATTR_KEYRING"
TRUNCATE sso_attr.session, sso_attr.attribute, sso_attr.key_check;
