-- Nobody but the owner has a right on anything of the extension, whatever the default privileges are.
SELECT sso_attr.close_to_others(d.classid, d.objid)
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_extension AS e ON d.refobjid OPERATOR(pg_catalog.=) e.oid
WHERE e.extname OPERATOR(pg_catalog.=) 'sso_attr' AND d.deptype OPERATOR(pg_catalog.=) 'e'
  AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass;

COMMENT ON SCHEMA sso_attr IS 'Tables and internals of the extension sso_attr; applications call the functions sso_* instead.';

COMMENT ON TABLE sso_attr.session IS 'Sessions. A row whose expires_at has passed is not live and waits for the purge.';
COMMENT ON COLUMN sso_attr.session.id IS 'Public half of the token: UUID version 7, or version 8 from the SHA-256 of an adopted token.';
COMMENT ON COLUMN sso_attr.session.created_at IS 'When the session was opened; sso_attr.session_max_lifetime counts from here.';
COMMENT ON COLUMN sso_attr.session.expires_at IS 'When the session ends unless renewed; infinity = never.';
COMMENT ON COLUMN sso_attr.session.purge_bin IS 'expires_at rounded down to ten minutes, indexed for the purge, so that most renewals are HOT.';
COMMENT ON COLUMN sso_attr.session.secret_digest IS 'SHA-256 of the secret half of the token; the secret itself is stored nowhere.';
COMMENT ON COLUMN sso_attr.session.user_id IS 'Whose session it is, as the application names users.';
COMMENT ON COLUMN sso_attr.session.current_app IS 'Application in which the session was opened.';
COMMENT ON COLUMN sso_attr.session.remote_addr IS 'Network address from which the session was opened.';
COMMENT ON COLUMN sso_attr.session.user_agent IS 'User agent that opened the session, at most 1024 characters of it.';
COMMENT ON INDEX sso_attr.session_by_user IS 'For sso_session_list and sso_session_end_all.';
COMMENT ON INDEX sso_attr.session_by_purge_bin IS 'For the purge: sessions that can expire, oldest first.';

COMMENT ON TABLE sso_attr.attribute IS 'Attributes of sessions. A row whose expires_at has passed is absent to every function and waits for the purge.';
COMMENT ON COLUMN sso_attr.attribute.session_id IS 'Session that the attribute belongs to and dies with.';
COMMENT ON COLUMN sso_attr.attribute.created_at IS 'When the attribute was created, or created anew over an expired one.';
COMMENT ON COLUMN sso_attr.attribute.updated_at IS 'When value, protection or expiry were last written.';
COMMENT ON COLUMN sso_attr.attribute.expires_at IS 'When the attribute ends by itself; infinity = with its session.';
COMMENT ON COLUMN sso_attr.attribute.purge_bin IS 'expires_at rounded down to ten minutes, indexed for the purge, so that most changes of the expiry are HOT.';
COMMENT ON COLUMN sso_attr.attribute.name IS 'Name, 1 to 255 characters, sorted by bytes.';
COMMENT ON COLUMN sso_attr.attribute.value IS 'Value in clear; NULL where it is sealed.';
COMMENT ON COLUMN sso_attr.attribute.sealed IS 'Encrypted value: version, algorithm, key id, nonce, ciphertext, tag (SECURITY.md); NULL where the value is in clear.';
COMMENT ON CONSTRAINT attribute_in_clear_or_sealed ON sso_attr.attribute IS 'Exactly one of value and sealed is there.';
COMMENT ON INDEX sso_attr.attribute_by_purge_bin IS 'For the purge: attributes that can expire by themselves, oldest first.';

COMMENT ON TABLE sso_attr.key_check IS 'Encryption keys that have written data, by a value that tells a key from another without revealing it.';
COMMENT ON COLUMN sso_attr.key_check.key_id IS 'Id of the key in the keyring.';
COMMENT ON COLUMN sso_attr.key_check.check_value IS 'First 16 bytes of SHA-256 over a domain string and the key.';
COMMENT ON COLUMN sso_attr.key_check.created_at IS 'When the key first wrote data.';
COMMENT ON COLUMN sso_attr.key_check.rekeyed_at IS 'When the background rekey last found no value of this key; NULL = not since another key is primary.';
COMMENT ON INDEX sso_attr.key_check_by_id IS 'For the check values of a key, also in the worker, where tables are not scanned.';

COMMENT ON COLUMN sso_attr.purge_run.id IS 'Order of the records.';
COMMENT ON SEQUENCE sso_attr.purge_run_id_seq IS 'For sso_attr.purge_run.id.';

COMMENT ON FUNCTION sso_attr.purge_bin(timestamptz) IS 'expires_at rounded down to ten minutes: date_bin(''10 minutes'', expires_at, ''2000-01-01 00:00 UTC''), infinity staying infinity.';
COMMENT ON FUNCTION sso_attr.kind() IS 'Which function is of which kind; a function on no list is nobody''s but the owner''s.';
COMMENT ON FUNCTION sso_attr.api(text) IS 'The functions that sso_attr_grant opens for a kind of role.';
COMMENT ON FUNCTION sso_attr.close_to_others(oid, oid) IS 'Takes back every right on one object of everyone but its owner; update scripts call it for what they add.';
COMMENT ON FUNCTION sso_attr.change_grant(text, regrole, text) IS 'What sso_attr_grant and sso_attr_revoke do.';
COMMENT ON FUNCTION sso_attr.extend_grants() IS 'Gives functions that an update added to the roles granted before; update scripts call it.';

COMMENT ON FUNCTION sso_attr_grant(regrole, text) IS
'Opens functions to a role: ''app'' = sessions and attributes, ''operator'' = keys, rekey, purge and status. Tables stay closed. Errors: 22023 for another kind or for no role, 42501 unless called by the owner or a superuser.';
COMMENT ON FUNCTION sso_attr_revoke(regrole, text) IS
'Takes back what sso_attr_grant gave, but for USAGE of the extension''s schema. Errors: as sso_attr_grant.';

COMMENT ON FUNCTION sso_attr_keys() IS
'Encryption keys, one row each: is_primary = seals new values, available = in the keyring, matches = the same bytes that wrote the data (NULL where that cannot be told), attributes = values sealed with it, last_expires_at = when the last of them ends by itself, NULL for never. A key whose attributes are 0 can leave the keyring once no transaction is left that began before another key became primary. Reads the whole table. Errors: 55000 no usable keyring.';
COMMENT ON FUNCTION sso_attr_rekey(bigint) IS
'Encrypts values of other keys anew under the primary one, at most max_rows (NULL = all), in the caller''s transaction, and returns how many. Rows that are locked, or that cannot be opened (a WARNING counts them), are left. With preloading the worker does the same by itself in small transactions. Errors: 22023 negative max_rows, 55000 no usable keyring, XX001 primary key is not the one that wrote the data.';

COMMENT ON FUNCTION sso_session_create(text, text, inet, text, double precision, text) IS
'Opens a session and returns its token (UST), which is shown only here. expiration: seconds from now, Infinity = up to the cap, NULL = sso_attr.session_expiration; capped by sso_attr.session_max_lifetime. ust: adopts a token issued elsewhere, 22 to 512 characters not beginning with sso_. user_id: 1 to 255 characters, current_app up to 255, user_agent cut at 1024. Errors: 22023 bad argument, 54000 text too long, 23505 adopted token in use by a live session or replaced by a rotation.';
COMMENT ON FUNCTION sso_session_get(text) IS
'All about a live session, one row; expires_at is NULL for never. Errors: 28000 session not live.';
COMMENT ON FUNCTION sso_session_verify(text) IS
'Whether a text is the token of a live session; any text, NULL included, is answered without an error.';
COMMENT ON FUNCTION sso_session_renew(text, double precision) IS
'Moves the end of a session, counted from now in seconds (NULL = sso_attr.session_expiration), never past its creation plus sso_attr.session_max_lifetime, and returns the end in force, NULL for never. Writes nothing where the end would move by less than a 360th of the time asked for (at most a minute). Errors: 28000 session not live, 22023 bad expiration.';
COMMENT ON FUNCTION sso_session_rotate(text) IS
'Gives a session a new token and returns it; the old one is dead at once, attributes stay as they are. To be called when the user''s rights change, as at login. Errors: 28000 session not live.';
COMMENT ON FUNCTION sso_session_end(text) IS
'Ends a session and removes its attributes; true if it was live, false without an error for anything else.';
COMMENT ON FUNCTION sso_session_end_all(text, text) IS
'Ends every session of a user, except that of keep_ust, and returns how many were live. Errors: 28000 keep_ust is no live session of that user (nothing is ended then), 22023 bad user_id.';
COMMENT ON FUNCTION sso_session_list(text) IS
'The live sessions of a user, newest first, as sso_session_get shows them. Errors: 22023 bad user_id.';

COMMENT ON FUNCTION sso_attr_create(text, text, anycompatible, double precision, boolean) IS
'Creates an attribute. value: anything that to_jsonb takes, a plain string is stored as a JSON string, NULL as JSON null. expiration: seconds from now, NULL or Infinity = with its session. encrypt: true stores it sealed. Errors: 23505 it is there already, 28000 session not live, 22023 bad argument, 54000 name or value too long, 55000 encryption without a keyring.';
COMMENT ON FUNCTION sso_attr_update(text, text, anycompatible, double precision, boolean) IS
'Replaces the value of an attribute that is there. expiration: seconds from now, Infinity = never, NULL = stays as it is. encrypt: true seals, false stores in clear, NULL = stays as it is. Errors: P0002 it is not there, 28000 session not live, 22023 bad argument, 54000 name or value too long, 55000 encryption without a keyring.';
COMMENT ON FUNCTION sso_attr_set(text, text, anycompatible, double precision, boolean) IS
'Creates an attribute as sso_attr_create does, or replaces it as sso_attr_update does. Errors: 28000 session not live, 22023 bad argument, 54000 name or value too long, 55000 encryption without a keyring.';
COMMENT ON FUNCTION sso_attr_get(text, text) IS
'The value of an attribute, decrypted; NULL where it is not there. Errors: 28000 session not live, 22023 null name, 55000 key not in the keyring, XX001 sealed value altered or moved.';
COMMENT ON FUNCTION sso_attr_get_text(text, text) IS
'The value as text, as ->> gives it: a string without quotes; NULL where it is not there or is JSON null. Errors: as sso_attr_get.';
COMMENT ON FUNCTION sso_attr_take(text, text) IS
'Gives the value and deletes the attribute in the same step: of concurrent calls one gets it, the others NULL. Errors: as sso_attr_get; the attribute stays where there is one.';
COMMENT ON FUNCTION sso_attr_exists(text, text) IS
'Whether an attribute is there. Errors: 28000 session not live, 22023 null name.';
COMMENT ON FUNCTION sso_attr_names(text) IS
'The names of all attributes of a session, sorted by bytes. Errors: 28000 session not live.';
COMMENT ON FUNCTION sso_attr_list(text) IS
'All attributes of a session, sorted by name, values decrypted; expires_at is NULL for never. Errors: 28000 session not live, 55000 key not in the keyring, XX001 sealed value altered or moved.';
COMMENT ON FUNCTION sso_attr_delete(text, text) IS
'Deletes an attribute; false where it is not there. Errors: 28000 session not live, 22023 null name.';
COMMENT ON FUNCTION sso_attr_set_expiry(text, text, double precision) IS
'Moves the end of an attribute: seconds from now, NULL or Infinity = never. Errors: P0002 it is not there, 28000 session not live, 22023 bad argument.';

COMMENT ON FUNCTION sso_attr_create_many(text, jsonb, double precision, boolean) IS
'Creates attributes, all or none. data: array of objects with name, value and, where they differ from the call''s parameters, expiration and encrypt. Errors: 23505 any is there already or is named twice (DETAIL lists them), 22023 bad item (the message names it), 28000, 54000, 55000 as sso_attr_create.';
COMMENT ON FUNCTION sso_attr_update_many(text, jsonb, double precision, boolean) IS
'Replaces the values of attributes that are all there, all or none. data: as for sso_attr_create_many; of a name given twice the last wins. Errors: P0002 any is not there (DETAIL lists all of them), 22023 bad item (the message names it), 28000, 54000, 55000 as sso_attr_update.';
COMMENT ON FUNCTION sso_attr_set_many(text, jsonb, double precision, boolean) IS
'Creates or replaces attributes, all or none. data: as for sso_attr_update_many. Errors: 22023 bad item (the message names it), 28000, 54000, 55000 as sso_attr_set.';
COMMENT ON FUNCTION sso_attr_set_expiry_many(text, jsonb, double precision) IS
'Moves the ends of attributes that are all there, all or none. data: array of objects with name and expiration; absent in both item and call = never. Errors: P0002 any is not there (DETAIL lists all of them), 22023 bad item, 28000 session not live.';
COMMENT ON FUNCTION sso_attr_get_many(text, text[]) IS
'The values under these names as one object, null under a name that is not there. Errors: 28000 session not live, 22023 null names, 55000 and XX001 as sso_attr_get.';
COMMENT ON FUNCTION sso_attr_get_all(text) IS
'All attributes of a session as one object, {} where there are none. Errors: 28000 session not live, 55000 and XX001 as sso_attr_get.';
COMMENT ON FUNCTION sso_attr_exists_many(text, text[]) IS
'Which of these names are there, as one object of booleans. Errors: 28000 session not live, 22023 null names.';
COMMENT ON FUNCTION sso_attr_delete_many(text, text[]) IS
'Deletes attributes, all in one step, and returns how many were there. Errors: 28000 session not live, 22023 null names.';

COMMENT ON TABLE sso_attr.purge_run IS 'What the purge did last, shown by sso_attr_purge_status; as a rule one row.';
COMMENT ON COLUMN sso_attr.purge_run.id IS 'Tells runs apart that ended at the same time.';
COMMENT ON COLUMN sso_attr.purge_run.started_at IS 'When the sweep began.';
COMMENT ON COLUMN sso_attr.purge_run.ended_at IS 'When this was written.';
COMMENT ON COLUMN sso_attr.purge_run.removed IS 'Attributes and sessions that the sweep removed.';
COMMENT ON COLUMN sso_attr.purge_run.removed_in_total IS 'Those of this run and of the runs whose rows it replaced.';
COMMENT ON COLUMN sso_attr.purge_run.error IS 'Why the sweep ended early; NULL where it did not.';

COMMENT ON FUNCTION sso_attr_purge(bigint) IS
'Removes what has expired, at most max_rows sessions and attributes (NULL = all), in the caller''s transaction, and returns how many rows it removed. Rows that others have locked are left for the next call. Errors: 22023 max_rows is negative.';
COMMENT ON FUNCTION sso_attr_purge_status() IS
'One row: start, end and removed rows of the last sweep that removed something or failed, the rows removed in total, the earliest end among the rows that await removal, and the error of that sweep (NULL where it had none).';
