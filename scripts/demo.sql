-- What `make demo` runs: psql's own session is the application.
\set ON_ERROR_STOP on
\pset footer off
CREATE EXTENSION sso_attr;

\echo
\echo '== log in: a session, named by its token (UST)'
SELECT sso_session_create('admin1', 'CRM', '127.0.0.1', 'Firefox 139.0') AS ust \gset
SELECT left(:'ust', 12) || '... ' || length(:'ust') || ' characters' AS ust, user_id, current_app, remote_addr,
       expires_at - created_at AS lifetime
FROM sso_session_get(:'ust');

\echo '== create an attribute, then update it'
SELECT sso_attr_create(:'ust', 'my-attribute-abc', 'my-value1') \g /dev/null
SELECT sso_attr_update(:'ust', 'my-attribute-abc', 'my-value2') \g /dev/null
SELECT sso_attr_get(:'ust', 'my-attribute-abc');

\echo '== create several, one encrypted, one expiring, then update them all in one step'
SELECT sso_attr_create_many(:'ust', '[
    {"name": "my-attr1", "value": "my-value1"},
    {"name": "my-attr2", "value": "my-value2", "encrypt": true},
    {"name": "my-attr3", "value": "my-value3", "expiration": 3600}]') \g /dev/null
SELECT sso_attr_update_many(:'ust', '[
    {"name": "my-attr1", "value": "my-value1-abc"},
    {"name": "my-attr2", "value": "my-value2-abc"},
    {"name": "my-attr3", "value": "my-value3-abc"}]') \g /dev/null
SELECT name, value, encrypted, date_trunc('second', expires_at - now() + interval '0.5 s') AS ends_in
FROM sso_attr_list(:'ust');

\echo '== what the table holds of the encrypted one'
SELECT value, encode(sealed, 'hex') AS stored_bytes FROM sso_attr.attribute WHERE name = 'my-attr2';

\echo '== update is strict: a name that is not there is an error, and nothing is changed'
\set ON_ERROR_STOP off
SELECT sso_attr_update(:'ust', 'no-such-name', 'value');
SELECT sso_attr_update_many(:'ust', '[{"name": "my-attr1", "value": 1}, {"name": "no-such-name", "value": 2}]');
\set ON_ERROR_STOP on

\echo '== the values after update'
SELECT sso_attr_get(:'ust', 'my-attribute-abc') AS "my-attribute-abc", sso_attr_get(:'ust', 'my-attr1') AS "my-attr1",
       sso_attr_get(:'ust', 'my-attr2') AS "my-attr2 (decrypted)", sso_attr_get(:'ust', 'my-attr3') AS "my-attr3 (expires)";

-- For the search that follows.
CHECKPOINT;
\pset tuples_only on
\pset format unaligned
\o :ust_file
SELECT :'ust';
