-- A token is one text: the same secret spelt in another way, or put together from what stands in the
-- table, opens nothing.
\pset format unaligned
\pset tuples_only on
\set adopted 'spelling-of-exactly-32-bytes-abc'
SELECT octet_length(:'adopted'), sso_session_create('spelling-ann', ust => :'adopted') = :'adopted';
SELECT count(sso_attr_set(:'adopted', 'here', 1));
-- The session's id and the adopted text where an issued token has its id and its secret.
SELECT 'sso_' || translate(encode(uuid_send(id) || convert_to(:'adopted', 'UTF8'), 'base64'), E'+/\n', '-_') AS second
FROM sso_attr.session WHERE user_id = 'spelling-ann' \gset
SELECT length(:'second'), sso_session_verify(:'second'), test.attempt('sso_attr_get($1, ''here'')', :'second'), sso_session_end(:'second');
SELECT sso_session_verify(:'adopted'), sso_session_end(:'adopted');
