-- Renewal moves the end from now on, never past the cap, and writes nothing where it would not matter:
-- a request in every second must not be a row version in every second.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

SELECT sso_session_create('renew-ann', expiration => 36000) AS ust \gset
SELECT session_id AS id FROM sso_session_get(:'ust') \gset

-- Less than a granule, a 360th of the time asked for and at most a minute: the row is not touched, the end in force is returned.
SELECT ctid::text || xmin AS version FROM sso_attr.session WHERE id = :'id' \gset
SELECT sso_session_renew(:'ust', 36000) = expires_at FROM sso_session_get(:'ust');
SELECT sso_session_renew(:'ust', 36000.5) = expires_at FROM sso_session_get(:'ust');
SELECT ctid::text || xmin = :'version' FROM sso_attr.session WHERE id = :'id';
SELECT pg_current_xact_id_if_assigned() FROM sso_session_renew(:'ust', 36000);

-- More than a granule: a new version, and what is returned is what is stored.
SELECT sso_session_renew(:'ust', 72000) AS renewed \gset
SELECT ctid::text || xmin = :'version' FROM sso_attr.session WHERE id = :'id';
SELECT expires_at = :'renewed', expires_at - clock_timestamp() BETWEEN interval '1199 min' AND interval '1200 min'
FROM sso_attr.session WHERE id = :'id';

-- A shorter life is a renewal too; the default is the session's own idle limit, whatever the setting is by now and whatever earlier renewals asked for.
SELECT sso_session_renew(:'ust', 60) - clock_timestamp() BETWEEN interval '50 s' AND interval '60 s';
SET sso_attr.session_expiration = '2h';
SELECT sso_session_renew(:'ust') - clock_timestamp() BETWEEN interval '9 h 59 min 50 s' AND interval '10 h';
SELECT sso_session_renew(:'ust', NULL) - clock_timestamp() BETWEEN interval '9 h 59 min 50 s' AND interval '10 h';
SELECT sso_session_create('renew-idle') AS idle \gset
RESET sso_attr.session_expiration;
SELECT sso_session_renew(:'idle', 60) < sso_session_renew(:'idle'), sso_session_renew(:'idle') - clock_timestamp() BETWEEN interval '1 h 59 min 50 s' AND interval '2 h';
SELECT sso_session_end(:'idle');

SELECT sso_session_renew(:'ust', 86400) AS day \gset
SELECT sso_session_renew(:'ust', 86400 + 20) = :'day', sso_session_renew(:'ust', 86400 + 90) > :'day';

-- The cap counts from the creation.
SELECT sso_session_renew(:'ust', 'Infinity') = created_at + interval '720 h' FROM sso_session_get(:'ust');
UPDATE sso_attr.session SET created_at = created_at - interval '719 h' WHERE id = :'id';
SELECT sso_session_renew(:'ust', 7200) = created_at + interval '720 h' FROM sso_session_get(:'ust');
SELECT sso_session_renew(:'ust', 60) < created_at + interval '720 h' FROM sso_session_get(:'ust');

-- Lowering the setting ends sessions at once, raising it gives them back; their rows are not touched.
SET sso_attr.session_max_lifetime = '29 d';
SELECT sso_session_verify(:'ust');
SELECT count(*) FROM sso_session_list('renew-ann');
SELECT sso_session_renew(:'ust');
SELECT sso_attr_set(:'ust', 'a', 1);
SELECT sso_session_end(:'ust');
SET sso_attr.session_max_lifetime = '30 d';
SELECT sso_session_verify(:'ust');
SELECT count(*) FROM sso_session_list('renew-ann');
-- Under a lower cap that is not reached, the end shown is the cap.
SELECT sso_session_create('renew-bob', expiration => 7200) AS bob \gset
SET sso_attr.session_max_lifetime = '1h';
SELECT expires_at - created_at FROM sso_session_get(:'bob');
SELECT expires_at - created_at FROM sso_session_list('renew-bob');
-- A token of a session past the cap can be adopted again, and those are not counted as live.
SELECT sso_session_create('renew-carol', ust => 'renewal-token-of-carol-1') \g /dev/null
UPDATE sso_attr.session SET created_at = created_at - interval '2 h' WHERE user_id = 'renew-carol';
SELECT sso_session_create('renew-dave', ust => 'renewal-token-of-carol-1') IS NOT NULL;
UPDATE sso_attr.session SET created_at = created_at - interval '2 h' WHERE user_id = 'renew-dave';
SELECT sso_session_end_all('renew-dave');
SET sso_attr.session_max_lifetime = 0;
SELECT sso_session_renew(:'ust', 'Infinity');
SELECT expires_at, sso_session_verify(:'ust') FROM sso_session_get(:'ust');
SELECT sso_session_renew(:'ust', 60) - clock_timestamp() BETWEEN interval '50 s' AND interval '60 s';
RESET sso_attr.session_max_lifetime;

-- What is not live is not revived, and the argument is checked first.
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE id = :'id';
SELECT sso_session_renew(:'ust');
SELECT sso_session_renew('no token');
SELECT sso_session_renew(:'bob', 0);
SELECT sso_session_renew(:'bob', -1);
SELECT sso_session_renew('no token', 'NaN');
SELECT sso_session_renew(:'bob', 1e13);
