-- Nobody but the owner has rights on anything of the extension, whatever the default privileges are.
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
COMMENT ON COLUMN sso_attr.session.secret_digest IS 'SHA-256 of the secret half of the token, or of an adopted token; the secret itself is stored nowhere. Empty in an alias.';
COMMENT ON COLUMN sso_attr.session.user_id IS 'Whose session it is, as the application names users; NULL = anonymous.';
COMMENT ON COLUMN sso_attr.session.alias_of IS 'Session that a token which was adopted on rotation leads to; NULL = this is a session itself.';
COMMENT ON COLUMN sso_attr.session.last_seen_at IS 'When the session was opened or last renewed.';
COMMENT ON COLUMN sso_attr.session.idle_limit IS 'Microseconds that a renewal without an expiration gives it; NULL = never expires.';
COMMENT ON COLUMN sso_attr.session.current_app IS 'Application in which the session was opened.';
COMMENT ON COLUMN sso_attr.session.remote_addr IS 'Network address from which the session was opened.';
COMMENT ON COLUMN sso_attr.session.user_agent IS 'User agent that opened the session, at most 1024 characters of it.';
COMMENT ON INDEX sso_attr.session_by_user IS 'For sso_session_list and sso_session_end_all.';
COMMENT ON INDEX sso_attr.session_by_alias_of IS 'For removing the aliases of a session.';
COMMENT ON TRIGGER follow_expires_at ON sso_attr.session IS 'Lets purge_bin follow an expires_at that was moved by hand.';
COMMENT ON TRIGGER follow_expires_at ON sso_attr.attribute IS 'Lets purge_bin follow an expires_at that was moved by hand.';
COMMENT ON FUNCTION sso_attr.follow_expires_at() IS 'What the triggers of that name do.';
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
COMMENT ON FUNCTION sso_attr.run_outside_script(text) IS 'Runs a command as if no script of an extension were running, so that a dump has the rights that it grants.';
COMMENT ON FUNCTION sso_attr.change_grant(text, regrole, text) IS 'What sso_attr_grant and sso_attr_revoke do.';
COMMENT ON FUNCTION sso_attr.extend_grants() IS 'Gives functions that an update added to the roles granted before; update scripts call it.';

COMMENT ON FUNCTION sso_attr.node_tables() IS 'The tables on this node of a cluster: the pairs of shards that it holds; where they are not distributed, the pair itself.';
COMMENT ON FUNCTION sso_attr.is_distributed() IS 'Whether the tables are those of a cluster.';
COMMENT ON FUNCTION sso_attr.run_on_other_nodes(text) IS 'Has each other node of a cluster run a command, in transactions of their own; nothing within a script of an extension, which each node runs.';
COMMENT ON FUNCTION sso_attr.purge_node(bigint) IS 'What sso_attr_purge does on one node.';
COMMENT ON FUNCTION sso_attr.rekey_node(bigint) IS 'What sso_attr_rekey does on one node.';
COMMENT ON FUNCTION sso_attr.pair_stats(text, text) IS 'What sso_attr_stats shows of one pair of tables.';
COMMENT ON FUNCTION sso_attr.equip_nodes() IS 'Gives the other nodes of a cluster the extension and the rights that have been granted here; called again after a node has been added or the extension updated.';

COMMENT ON FUNCTION sso_attr_distribute(integer) IS
'Distributes the tables over the nodes of a cluster of Citus (13.2 or later), with what is in them, in one transaction; called once, on the coordinator. shard_count: into how many parts (NULL = citus.shard_count). Users stay together on one node. The other nodes get the extension and the rights that were granted before; SELECT sso_attr.equip_nodes() gives them to a node that is added later. There is no way back but a dump. Errors: 22023 bad shard_count, 55000 no Citus in this database, an older one, tables that are distributed already or another node than the coordinator, 08000 a node that cannot be equipped.';

COMMENT ON FUNCTION sso_attr_grant(regrole, text) IS
'Opens functions to a role: ''holder'' = what needs a live token and acts on its session alone, ''app'' = that, and opening sessions, listing and ending those of a user, ''login'' = users and passwords, ''monitor'' = figures to watch, ''operator'' = those, and purge, rekey, check and distribute. Tables stay closed. In a cluster the other nodes do the same, in transactions of their own. Errors: 22023 for another kind or for no role, 42501 unless called by the owner or a superuser, 08000 another node has not done it.';
COMMENT ON FUNCTION sso_attr_revoke(regrole, text) IS
'Takes back what sso_attr_grant gave, but for USAGE of the extension''s schema. Errors: as sso_attr_grant.';

COMMENT ON FUNCTION sso_attr_keys() IS
'Encryption keys, one row each: is_primary = seals new values, available = in the keyring, matches = the same bytes that wrote the data (NULL where that cannot be told), attributes = values sealed with it, last_expires_at = when the last of them ends by itself, NULL for never. A key whose attributes are 0 can leave the keyring once no transaction is left that began before another key became primary. Reads the whole table. Errors: 55000 no usable keyring.';
COMMENT ON FUNCTION sso_attr_rekey(bigint) IS
'Encrypts values of other keys anew under the primary one, at most max_rows (NULL = all), in the caller''s transaction, and returns how many. Rows that are locked, or that cannot be opened (a WARNING counts them), are left. In a cluster the other nodes do so before, in transactions of their own; one that fails is left out, with a WARNING. With preloading the worker does the same by itself in small transactions. Errors: 22023 negative max_rows, 55000 no usable keyring, XX001 primary key is not the one that wrote the data.';

COMMENT ON FUNCTION sso_session_create(text, text, inet, text, double precision, text, integer, timestamptz) IS
'Opens a session and returns its token (UST), which is shown only here. user_id: NULL opens an anonymous session, which sso_session_rotate binds to its user. expiration: seconds until it ends (NULL = sso_attr.session_expiration, Infinity = up to the cap), remembered as its idle limit; expires_at: the same as a time. ust: a token issued elsewhere to adopt. keep_newest: ends the user''s oldest live sessions so that at most so many remain, this one among them (exactly so under READ COMMITTED). Capped by sso_attr.session_max_lifetime. Errors: 22023 bad argument, 54000 user_id or current_app too long, 23505 token in use.';
COMMENT ON FUNCTION sso_session_create(text, text, text, text, double precision, text, integer, timestamptz) IS
'As sso_session_create with an inet, for an address as text: '''' is none, a list is refused. Errors: as there, 22023 no address.';
COMMENT ON FUNCTION sso_session_get(text) IS
'A live session; expires_at is NULL for never. Errors: 28000 session not live.';
COMMENT ON FUNCTION sso_session_load(text) IS
'A live session as sso_session_get shows it, and all its attributes as one object; no row for anything else. Errors: 22021 text that is not UTF-8, 55000 and XX001 as sso_attr_get.';
COMMENT ON FUNCTION sso_session_save(text, jsonb, text[], double precision, boolean, text[], timestamptz) IS
'Writes the names and values of changed as sso_attr_set does, deletes the names in removed, or with replace all others, and renews the session; returns when it ends, NULL for never. Names in encrypt are sealed. Errors: 28000 session not live (a session that has ended never comes back), 22023 bad argument, 54000 name or value too long, 55000 encryption without a keyring.';
COMMENT ON FUNCTION sso_session_id(text) IS
'The id of the session that a token names, from the token alone: whether there is such a session is not looked at. NULL for what is no token. For choosing a server or a partition by it. That of an adopted token is derived from its hash; where sso_session_rotate has adopted it, the session keeps an id of its own. Errors: 22021 text that is not UTF-8.';
COMMENT ON FUNCTION sso_session_verify(text) IS
'Whether a text is the token of a live session. Errors: 22021 text that is not UTF-8.';
COMMENT ON FUNCTION sso_session_renew(text, double precision, timestamptz) IS
'Moves the end of a session to expiration seconds from now (NULL = its own idle limit) or to expires_at, never past its creation plus sso_attr.session_max_lifetime, and returns the end in force, NULL for never. Writes nothing where the end would move by less than a 360th of the time asked for (at most a minute). Errors: 28000 session not live, 22023 bad expiration or both given.';
COMMENT ON FUNCTION sso_session_rotate(text, text, text) IS
'Gives a session a new token and returns it, new_ust where that is given; the old one is dead at once, attributes stay as they are. user_id binds an anonymous session to its user, once. To be called when the user''s rights change, as at login. Errors: 28000 session not live, 22023 the session is another user''s or a bad argument, 23505 new_ust is in use.';
COMMENT ON FUNCTION sso_session_end_one(text, uuid) IS
'Ends one of a user''s sessions by the session_id that sso_session_list shows; true if it was live and that user''s. Errors: 22023 bad argument.';
COMMENT ON FUNCTION sso_session_end(text) IS
'Ends a session and removes its attributes; true if it was live, false without an error for anything else. It waits for nobody who writes attributes, whose rows go with the purge; only for a renewal, a rotation or another end of the same session that is under way.';
COMMENT ON FUNCTION sso_session_end_all(text, text) IS
'Ends every session of a user, except that of keep_ust, and returns how many were live. Errors: 28000 keep_ust is no live session of that user (nothing is ended then), 22023 bad user_id.';
COMMENT ON FUNCTION sso_session_list(text) IS
'The live sessions of a user, newest first, as sso_session_get shows them. Errors: 22023 bad user_id.';

COMMENT ON FUNCTION sso_attr_create(text, text, anycompatible, double precision, boolean) IS
'Creates an attribute and returns true. value: anything that to_jsonb takes, a plain string is stored as a JSON string, NULL as JSON null. expiration: seconds from now, NULL or Infinity = with its session. encrypt: true stores it sealed. Errors: 23505 it is there already, 28000 session not live, 22023 bad argument, 54000 name or value too long, 55000 encryption without a keyring.';
COMMENT ON FUNCTION sso_attr_update(text, text, anycompatible, double precision, boolean) IS
'Replaces the value of an attribute that is there and returns true. expiration: seconds from now, Infinity = never, NULL = stays as it is. encrypt: true seals, false stores in clear, NULL = stays as it is. Errors: P0002 it is not there, 28000 session not live, 22023 bad argument, 54000 name or value too long, 55000 encryption without a keyring.';
COMMENT ON FUNCTION sso_attr_set(text, text, anycompatible, double precision, boolean) IS
'Creates an attribute as sso_attr_create does, and returns true, or replaces it as sso_attr_update does, and returns false. Errors: 28000 session not live, 22023 bad argument, 54000 name or value too long, 55000 encryption without a keyring.';
COMMENT ON FUNCTION sso_attr_create_json(text, text, jsonb, double precision, boolean) IS
'As sso_attr_create, for drivers and ORMs: it takes jsonb and nothing else, so that a number cannot arrive as a text.';
COMMENT ON FUNCTION sso_attr_update_json(text, text, jsonb, double precision, boolean) IS
'As sso_attr_update, for drivers and ORMs: it takes jsonb and nothing else, so that a number cannot arrive as a text.';
COMMENT ON FUNCTION sso_attr_set_json(text, text, jsonb, double precision, boolean) IS
'As sso_attr_set, for drivers and ORMs: it takes jsonb and nothing else, so that a number cannot arrive as a text.';
COMMENT ON FUNCTION sso_attr_compare_and_set(text, text, jsonb, jsonb, double precision, boolean) IS
'Replaces a value if it equals expected, as jsonb compares; false where it does not, and nothing is changed. Errors: as sso_attr_update.';
COMMENT ON FUNCTION sso_attr_increment(text, text, numeric, double precision) IS
'Adds to a number in one step and returns the sum; its end and its protection stay. One that is not there is created as by, ending after expiration seconds. Errors: 22023 the value is no number, 22003 the sum is out of range, 28000 session not live, 22023 bad argument, 54000 name too long.';
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
'Moves the end of an attribute, seconds from now, NULL or Infinity = never, and returns true. Errors: P0002 it is not there, 28000 session not live, 22023 bad argument.';

COMMENT ON FUNCTION sso_attr_create_many(text, jsonb, double precision, boolean) IS
'Creates attributes, all or none, and returns the number of items. data: array of objects with name, value and, where they differ from the call''s parameters, expiration and encrypt. Errors: 23505 any is there already or is named twice (DETAIL lists them, the first hundred if there are more), 22023 bad item (the message names it), 28000, 54000, 55000 as sso_attr_create.';
COMMENT ON FUNCTION sso_attr_update_many(text, jsonb, double precision, boolean) IS
'Replaces the values of attributes that are all there, all or none, and returns the number of items. data: as for sso_attr_create_many; of a name given twice the last wins. Errors: P0002 any is not there (DETAIL lists them, the first hundred if there are more), 22023 bad item (the message names it), 28000, 54000, 55000 as sso_attr_update.';
COMMENT ON FUNCTION sso_attr_set_many(text, jsonb, double precision, boolean) IS
'Creates or replaces attributes, all or none, and returns the number of items. data: as for sso_attr_update_many. Errors: 22023 bad item (the message names it), 28000, 54000, 55000 as sso_attr_set.';
COMMENT ON FUNCTION sso_attr_set_expiry_many(text, jsonb, double precision) IS
'Moves the ends of attributes that are all there, all or none, and returns the number of items. data: array of objects with name and expiration; absent in both item and call = never. Errors: P0002 any is not there (DETAIL lists them, the first hundred if there are more), 22023 bad item, 28000 session not live.';
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
'Removes what has expired, at most max_rows sessions and attributes (NULL = all), in the caller''s transaction, and returns how many rows it removed. Rows that others have locked are left for the next call. In a cluster the other nodes do so before, in transactions of their own; one that fails is left out, with a WARNING. Errors: 22023 max_rows is negative.';
COMMENT ON FUNCTION sso_attr_purge_status() IS
'One row: start, end and removed rows of the last sweep that removed something or failed, the rows removed in total, the earliest end among the rows that await removal, and the error of that sweep (NULL where it had none). In a cluster, all of this node.';
COMMENT ON FUNCTION sso_attr_stats() IS
'One row of figures to watch, by indexes and statistics, without a scan of the tables. Estimates: sessions_live and attributes_live (rows by the last ANALYZE or VACUUM, less those that have expired; NULL before the first one), sealed_share (of the last ANALYZE, 0 to 1; NULL before it), session_dead_rows and attribute_dead_rows (of the cumulative statistics). Counted among the 10,000 rows of each table that may be due first: sessions_expired, attributes_expired (past their own end), their sum purge_backlog, and purge_backlog_seconds (since the earliest end among them; 0 where there are none). Exact: keys_used (that have written data), sizes in bytes (table with its TOAST, indexes), last_sweep_end and last_sweep_error (of the last sweep that removed something or failed). In a cluster, all but keys_used of this node.';

COMMENT ON FUNCTION sso_attr_set_logged(boolean) IS
'Whether sessions and attributes are written to WAL (true, as they are at first). false: writes are cheaper; a crash or an immediate shutdown empties both tables, standbys cannot read them (0A000), base backups and publications leave them out. Rewrites and locks both tables. Users and keys are always logged. Errors: 22023 null, 42501 caller does not own the tables, 55006 in use by the same transaction.';

COMMENT ON FUNCTION sso_attr_version() IS
'One row: extension (the version that CREATE or ALTER EXTENSION installed), library (that of the loaded library, which is newer between an update of the files and ALTER EXTENSION sso_attr UPDATE), pgrx (that it was built with), built_for (the release of PostgreSQL whose headers it was built with) and server (the release that runs). Where a release of PostgreSQL asks for extensions to be rebuilt, built_for must not be older than that release.';

COMMENT ON FUNCTION sso_attr_check() IS
'Rows that the functions have not written, with what is wrong; the functions report them as XX001 when they read them. Scans both tables.';

COMMENT ON FUNCTION sso_session_use(text) IS
'Makes a live session the current one until the transaction ends, or a savepoint before this call is rolled back; for any other text, NULL included, there is no current session then, and it returns false. Errors: 22021 text that is not UTF-8.';
COMMENT ON FUNCTION sso_current_user_id() IS
'The user of the current session; NULL where there is none, it is anonymous, or it is over. In a policy: owner = (SELECT sso_current_user_id()), which is computed once for each statement.';
COMMENT ON FUNCTION sso_current_session_id() IS
'The id of the current session; NULL where there is none or it is over.';
COMMENT ON FUNCTION sso_current_attr(text) IS
'The value of an attribute of the current session; NULL where there is no such attribute or session. Errors: 22023 null name, 55000 and XX001 as sso_attr_get.';

COMMENT ON FUNCTION sso_user_create(text, text, text) IS
'Creates a user and returns its user_id, a UUID version 7 where none is given. username: 1 to 255 characters; names that differ by case or Unicode composition only are the same. password: 8 to 1024 bytes, any text. Errors: 23505 username or user_id is taken, 22023 bad argument, 54000 username, user_id or password too long.';
COMMENT ON FUNCTION sso_user_login(text, text, text, inet, text, double precision, text, integer) IS
'Opens a session for the user whose password this is and returns its token (UST); NULL where it is refused, for whatever reason and at the same work: sso_user_list tells why. It must be committed then, as a rollback takes the count of failures back. The other parameters are those of sso_session_create. Errors: 22023 another bad argument, 54000 current_app too long, 23505 token in use, 53000 sso_attr.login_memory is too small.';
COMMENT ON FUNCTION sso_user_login(text, text, text, text, text, double precision, text, integer) IS
'As sso_user_login with an inet, for an address as text: '''' is none, a list is refused. Errors: as there, 22023 no address.';
COMMENT ON FUNCTION sso_user_verify(text, text) IS
'Whether this is the user''s password, counted and refused as by sso_user_login, without opening a session: for asking again before something important. Errors: 53000 sso_attr.login_memory is too small.';
COMMENT ON FUNCTION sso_user_set_password(text, text, text) IS
'Sets a user''s password, clears the count of failures and ends the user''s sessions, except that of keep_ust. Errors: P0002 no such user, 28000 keep_ust is no live session of that user (nothing is changed then), 22023 bad argument, 54000 password too long.';
COMMENT ON FUNCTION sso_user_lock(text, timestamptz) IS
'Has logins of a user refused until then (NULL = until sso_user_unlock) and returns true; sessions stay. Errors: P0002 no such user, 22023 bad argument.';
COMMENT ON FUNCTION sso_user_unlock(text) IS
'Takes back a lock and the wait after failures, and returns true. Errors: P0002 no such user, 22023 bad argument.';
COMMENT ON FUNCTION sso_user_delete(text) IS
'Deletes a user and ends the user''s sessions; false where there is no such user. Errors: 22023 null username.';
COMMENT ON FUNCTION sso_user_exists(text) IS
'Whether there is a user of that name. Errors: 22023 null username.';
COMMENT ON FUNCTION sso_user_list() IS
'All users by name: failures = wrong passwords in a row, last_refusal = why a login was last refused (''wrong password'', ''waiting'', ''locked''), waits_until = end of the wait after failures, locked_until = end of a lock, NULL for never.';
