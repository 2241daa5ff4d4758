-- A session opens, shows itself, is listed and ends; its texts are bounded, its end is capped, and
-- nothing of it is left once it has ended.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

-- What was given is shown; the end counts from the creation, whose clock is the call's.
SELECT sso_session_create('life-ann', 'shop', '192.0.2.7', 'Mozilla/5.0', 600) AS ust \gset
SELECT user_id, current_app, remote_addr, user_agent, expires_at - created_at,
       clock_timestamp() - created_at BETWEEN interval '0' AND interval '1 minute'
FROM sso_session_get(:'ust');
SELECT sso_session_verify(:'ust');

-- Only the user is needed; every argument has its name.
SELECT sso_session_create('life-bob') AS bare \gset
SELECT user_id, current_app, remote_addr, user_agent, expires_at - created_at FROM sso_session_get(:'bare');
SELECT sso_session_create(user_id => 'life-bob', current_app => 'admin', remote_addr => '2001:db8::1/64',
                          user_agent => '', expiration => 1.5) AS named \gset
SELECT user_id, current_app, remote_addr, user_agent, expires_at - created_at FROM sso_session_get(:'named');
SET sso_attr.session_expiration = '5min';
SELECT sso_session_create('life-bob') AS short \gset
SELECT expires_at - created_at FROM sso_session_get(:'short');
RESET sso_attr.session_expiration;

-- The clock runs within a transaction: a session of a long one is not born old.
BEGIN;
SELECT pg_sleep(0.05) \g /dev/null
SELECT sso_session_create('life-late') AS late \gset
SELECT created_at >= now() + interval '50 ms' FROM sso_session_get(:'late');
COMMIT;

-- No end goes past the cap, not the default one, not one given, not Infinity; 0 is no cap.
SELECT sso_session_create('life-cap', expiration => 'Infinity') AS endless \gset
SELECT expires_at - created_at FROM sso_session_get(:'endless');
SELECT sso_session_create('life-cap', expiration => 1e9) AS capped \gset
SELECT expires_at - created_at FROM sso_session_get(:'capped');
SET sso_attr.session_max_lifetime = '10min';
SELECT sso_session_create('life-cap') AS capped \gset
SELECT expires_at - created_at FROM sso_session_get(:'capped');
SET sso_attr.session_max_lifetime = 0;
SELECT sso_session_create('life-cap', expiration => 'Infinity') AS endless \gset
SELECT expires_at FROM sso_session_get(:'endless');
SELECT s.expires_at FROM sso_attr.session AS s JOIN sso_session_get(:'endless') AS g ON g.session_id = s.id;
RESET sso_attr.session_max_lifetime;

-- An expiration is a positive number of seconds that timestamptz can take.
SELECT sso_session_create('life-x', expiration => 0);
SELECT sso_session_create('life-x', expiration => -1);
SELECT sso_session_create('life-x', expiration => 'NaN');
SELECT sso_session_create('life-x', expiration => '-Infinity');
SELECT sso_session_create('life-x', expiration => 1e13);
SELECT sso_session_create('life-x', expiration => 1e300);

-- Bounds of the texts are in characters, not in bytes.
SELECT sso_session_create('');
SELECT sso_session_create(repeat('ü', 255)) AS ust_text \gset
SELECT length(user_id) FROM sso_session_get(:'ust_text');
SELECT sso_session_create(repeat('u', 256));
SELECT sso_session_create(repeat('ü', 256));
SELECT sso_session_create('life-text', '') AS ust_text \gset
SELECT sso_session_create('life-text', repeat('日', 255)) AS ust_text \gset
SELECT length(current_app) FROM sso_session_get(:'ust_text');
SELECT sso_session_create('life-text', repeat('a', 256));
SELECT sso_session_create('life-text', user_agent => repeat('日', 1023) || 'xy') AS ust_text \gset
SELECT length(user_agent), right(user_agent, 2) FROM sso_session_get(:'ust_text');
SELECT sso_session_create('life-text', user_agent => repeat('a', 1024)) AS ust_text \gset
SELECT length(user_agent) FROM sso_session_get(:'ust_text');

-- Live sessions of a user are listed, newest first, others' and expired ones are not.
SELECT sso_session_create('life-carol', 'first') AS first \gset
SELECT sso_session_create('life-carol', 'second') AS second \gset
SELECT sso_session_create('life-carol', 'third') AS third \gset
SELECT sso_session_create('life-carol', 'over') AS over \gset
SELECT sso_session_create('life-CAROL', 'another') AS other \gset
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'life-carol' AND current_app = 'over';
SELECT user_id, current_app, remote_addr, user_agent, expires_at - created_at FROM sso_session_list('life-carol');
SELECT l = g FROM sso_session_list('life-CAROL') AS l, sso_session_get(:'other') AS g;
SELECT count(*) FROM sso_session_list('life-nobody');
SELECT sso_session_list('');
SELECT sso_session_list(repeat('u', 256));

-- The end is true once; what is not live is false, without an error; the attributes go too.
SELECT sso_attr_create(:'first', 'a', 1);
SELECT session_id AS first_id FROM sso_session_get(:'first') \gset
SELECT sso_session_end(:'first'), sso_session_end(:'first');
SELECT sso_session_end(:'over');
SELECT sso_session_end('no token'), sso_session_end(''), sso_session_end(NULL);
SELECT count(*) FROM sso_attr.session WHERE id = :'first_id';
SELECT count(*) FROM sso_attr.attribute WHERE session_id = :'first_id';
SELECT sso_session_verify(:'first');
SELECT sso_session_get(:'first');
SELECT sso_attr_get(:'first', 'a');

-- All of a user's sessions end, except one; those that were live are counted.
SELECT sso_session_create('life-dave') AS one \gset
SELECT sso_session_create('life-dave') AS two \gset
SELECT sso_session_create('life-dave') AS kept \gset
SELECT sso_session_create('life-dave', 'over') AS over \gset
SELECT sso_session_create('life-erin') AS erin \gset
SELECT sso_attr_create(:'one', 'a', 1), sso_attr_create(:'kept', 'a', 1);
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'life-dave' AND current_app = 'over';
-- A session to keep that is not a live one of that user ends nothing.
SELECT sso_session_end_all('life-dave', :'erin');
SELECT sso_session_end_all('life-dave', :'over');
SELECT sso_session_end_all('life-dave', 'no token');
SELECT count(*) FROM sso_session_list('life-dave');
SELECT sso_session_end_all('life-dave', :'kept');
SELECT sso_session_verify(:'one'), sso_session_verify(:'two'), sso_session_verify(:'kept'), sso_session_verify(:'erin');
SELECT sso_attr_get_all(:'kept');
SELECT count(*) FROM sso_attr.session WHERE user_id = 'life-dave';
SELECT sso_session_end_all('life-dave'), sso_session_end_all('life-dave'), sso_session_end_all('life-nobody');
SELECT sso_session_end_all('life-erin', NULL);
SELECT sso_session_end_all('');
