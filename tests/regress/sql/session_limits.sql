-- How many sessions a user has, how long they may be idle, and when they were last seen.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

-- keep_newest: so many remain, the new one among them; those of others and of nobody are not counted.
SELECT sso_session_create('limit-ann', 'one') AS one, sso_session_create('limit-ANN', 'other') AS other, sso_session_create(NULL, 'nobody') AS nobody \gset
SELECT sso_session_create('limit-ann', 'two') AS two \gset
SELECT sso_session_create('limit-ann', 'three') AS three \gset
SELECT sso_attr_set(:'one', 'a', 1), session_id AS one_id FROM sso_session_get(:'one') \gset
SELECT sso_session_create('limit-ann', 'four', keep_newest => 4) AS four \gset
SELECT string_agg(current_app, ' ') FROM sso_session_list('limit-ann');
SELECT sso_session_create('limit-ann', 'five', keep_newest => 3) AS five \gset
SELECT string_agg(current_app, ' ') FROM sso_session_list('limit-ann');
SELECT sso_session_verify(:'one'), sso_session_verify(:'two'), sso_session_verify(:'three'), sso_session_verify(:'other'), sso_session_verify(:'nobody');
SELECT count(*) FROM sso_attr.session WHERE id = :'one_id';
SELECT count(*) FROM sso_attr.attribute WHERE session_id = :'one_id';
-- The oldest by creation go, whatever was seen last; what is over counts for nothing.
SELECT sso_session_renew(:'three', 90000) IS NOT NULL;
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'limit-ann' AND current_app = 'five';
SELECT sso_session_create('limit-ann', 'six', keep_newest => 3) AS six \gset
SELECT string_agg(current_app, ' ') FROM sso_session_list('limit-ann');
SELECT sso_session_create('limit-ann', 'seven', keep_newest => 2147483647) AS seven \gset
SELECT sso_session_create('limit-ann', 'eight', keep_newest => NULL) AS eight \gset
SELECT string_agg(current_app, ' ') FROM sso_session_list('limit-ann');
SELECT sso_session_create('limit-ann', 'nine', keep_newest => 1, ust => 'limit-token-of-ann-nine');
SELECT string_agg(current_app, ' ') FROM sso_session_list('limit-ann');
SELECT sso_session_create('limit-ann', 'ten', '192.0.2.1'::text, keep_newest => 1) IS NOT NULL;
SELECT string_agg(current_app, ' ') FROM sso_session_list('limit-ann');
SELECT sso_session_create('limit-new', 'first', keep_newest => 1) IS NOT NULL, sso_session_end_all('limit-new');
-- At least one, and a user's; where the new session is refused, none has ended.
SELECT sso_session_create('limit-ann', keep_newest => 0);
SELECT sso_session_create('limit-ann', keep_newest => -1);
SELECT sso_session_create('limit-ann', keep_newest => -2147483648);
SELECT sso_session_create(keep_newest => 1);
SELECT sso_session_create(NULL, 'app', ''::text, keep_newest => 1);
SELECT sso_session_create('limit-token', ust => 'limit-token-that-is-in-use');
SELECT sso_session_create('limit-ann', keep_newest => 1, ust => 'limit-token-that-is-in-use');
SELECT sso_session_create('limit-ann', keep_newest => 1, expiration => -1);
SELECT string_agg(current_app, ' ') FROM sso_session_list('limit-ann');
\set VERBOSITY default
SELECT sso_session_create('limit-ann', keep_newest => 0);
SELECT sso_session_create(keep_newest => 1);
\set VERBOSITY sqlstate
-- Many, in one transaction.
SELECT count(DISTINCT sso_session_create('limit-many', i::text, NULL::inet, keep_newest => 3)) FROM generate_series(1, 20) AS i;
SELECT string_agg(current_app, ' ') FROM sso_session_list('limit-many');

-- end_one: true for a live session of that user, and once.
SELECT session_id AS this FROM sso_session_list('limit-many') LIMIT 1 \gset
SELECT session_id AS foreign_id FROM sso_session_get(:'other') \gset
SELECT session_id AS nobodys FROM sso_session_get(:'nobody') \gset
SELECT sso_session_end_one('limit-MANY', :'this'), sso_session_end_one('limit-many', :'foreign_id'), sso_session_end_one('limit-many', :'nobodys'), sso_session_end_one('limit-many', '00000000-0000-0000-0000-000000000000');
SELECT count(*) FROM sso_session_list('limit-many');
SELECT sso_session_end_one('limit-many', :'this'), sso_session_end_one('limit-many', :'this');
SELECT count(*) FROM sso_session_list('limit-many');
SELECT count(*) FROM sso_attr.session WHERE id = :'this';
SELECT sso_session_verify(:'other'), sso_session_verify(:'nobody');
UPDATE sso_attr.session SET expires_at = clock_timestamp() WHERE user_id = 'limit-many';
SELECT DISTINCT sso_session_end_one('limit-many', id) FROM sso_attr.session WHERE user_id = 'limit-many';
SELECT sso_session_end_one('', :'this');
SELECT sso_session_end_one(repeat('u', 256), :'this');
SELECT sso_session_end_one('limit-many', NULL);
-- Past the cap it is not live.
SET sso_attr.session_max_lifetime = '1h';
UPDATE sso_attr.session SET created_at = created_at - interval '2 h' WHERE id = :'foreign_id';
SELECT sso_session_end_one('limit-ANN', :'foreign_id');
RESET sso_attr.session_max_lifetime;
SELECT sso_session_end_one('limit-ANN', :'foreign_id');

-- last_seen_at is the creation, then the last renewal that wrote; reads and attributes do not move it.
SELECT sso_session_create('limit-seen', expiration => 36000) AS ust \gset
SELECT last_seen_at = created_at FROM sso_session_get(:'ust');
UPDATE sso_attr.session SET last_seen_at = '2001-01-01', created_at = created_at - interval '1 h' WHERE user_id = 'limit-seen';
SELECT sso_attr_set(:'ust', 'a', 1), sso_session_verify(:'ust'), length(sso_session_rotate(:'ust', NULL, 'limit-token-of-seen-one')), sso_session_renew('limit-token-of-seen-one', 36000) IS NOT NULL;
SELECT last_seen_at = '2001-01-01' FROM sso_session_list('limit-seen');
SELECT sso_session_renew('limit-token-of-seen-one', 72000) IS NOT NULL;
SELECT clock_timestamp() - last_seen_at BETWEEN interval '0' AND interval '1 min', last_seen_at > created_at + interval '59 min' FROM sso_session_get('limit-token-of-seen-one');
SELECT g = l FROM sso_session_get('limit-token-of-seen-one') AS g, sso_session_list('limit-seen') AS l;

-- The idle limit is what the session was opened with, by seconds, by a time, or by the setting.
CREATE FUNCTION test.renewed(ust text) RETURNS interval LANGUAGE sql AS $$
    UPDATE sso_attr.session SET expires_at = clock_timestamp() + interval '1 s' WHERE id = (SELECT session_id FROM sso_session_get(ust));
    SELECT date_trunc('minute', sso_session_renew(ust) - clock_timestamp() + interval '20 s');
$$;
SELECT test.renewed(sso_session_create('limit-idle', expiration => 7200)), test.renewed(sso_session_create('limit-idle', expires_at => clock_timestamp() + interval '3 h')), test.renewed(sso_session_create('limit-idle'));
SELECT sso_session_create('limit-idle', expiration => 1.5) AS brief \gset
SELECT idle_limit FROM sso_attr.session WHERE id = (SELECT session_id FROM sso_session_get(:'brief'));
SELECT sso_session_renew(:'brief') - clock_timestamp() BETWEEN interval '1 s' AND interval '1.5 s';
SET sso_attr.session_max_lifetime = '2h';
SELECT test.renewed(sso_session_create('limit-idle', expiration => 86400)), test.renewed(sso_session_create('limit-idle', expiration => 'Infinity')), test.renewed(sso_session_create('limit-idle', expires_at => 'infinity'));
SET sso_attr.session_max_lifetime = 0;
SELECT sso_session_renew(sso_session_create('limit-idle', expiration => 'Infinity')), sso_session_renew(sso_session_create('limit-idle', expires_at => 'infinity'));
-- A limit that is higher than the cap counts again once the cap is gone.
SET sso_attr.session_max_lifetime = '1h';
SELECT sso_session_create('limit-idle', expiration => 7200) AS long \gset
SELECT expires_at - created_at FROM sso_session_get(:'long');
SET sso_attr.session_max_lifetime = 0;
SELECT test.renewed(:'long');
RESET sso_attr.session_max_lifetime;
DROP FUNCTION test.renewed;

-- A time in the place of seconds: to the microsecond, capped; one that has passed is no error, and over at once.
SELECT sso_session_create('limit-time', expires_at => date_trunc('day', clock_timestamp()) + interval '2 d 0.000001 s') AS ust \gset
SELECT expires_at = date_trunc('day', created_at) + interval '2 d 0.000001 s' FROM sso_session_get(:'ust');
SELECT sso_session_renew(:'ust', expires_at => date_trunc('day', clock_timestamp()) + interval '3 d') = date_trunc('day', clock_timestamp()) + interval '3 d';
SELECT sso_session_renew(:'ust', expires_at => '2999-01-01') = created_at + interval '720 h', sso_session_renew(:'ust', expires_at => 'infinity') = created_at + interval '720 h' FROM sso_session_get(:'ust');
SELECT sso_session_create('limit-time', expires_at => '2999-01-01') AS far \gset
SELECT expires_at - created_at FROM sso_session_get(:'far');
SELECT sso_session_renew(:'ust', expires_at => clock_timestamp() - interval '1 s') < clock_timestamp();
SELECT sso_session_verify(:'ust');
SELECT sso_session_renew(:'ust', expires_at => '2999-01-01');
CREATE FUNCTION test.is_live(ust text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN sso_session_verify(ust); END';
SELECT test.is_live(sso_session_create('limit-past', expires_at => t)), test.is_live(sso_session_create('limit-past', 'app', ''::text, expires_at => t)) FROM unnest('{2999-01-01,2001-01-01,-infinity,4713-01-01 BC}'::timestamptz[]) AS t;
SELECT test.is_live(sso_session_create('limit-past', expires_at => clock_timestamp()));
SELECT sso_session_end_all('limit-past');
SELECT sso_session_create('limit-live') AS ust, sso_session_create('limit-live') AS other \gset
SELECT abs(extract(epoch FROM clock_timestamp() - sso_session_renew(:'ust', expires_at => '-infinity'))) < 60, abs(extract(epoch FROM clock_timestamp() - sso_session_save(:'other', '{}', expires_at => '4713-01-01 BC'))) < 60;
SELECT sso_session_verify(:'ust'), sso_session_verify(:'other');
DROP FUNCTION test.is_live;
-- A token that was adopted for a session that was over at once can be adopted again.
SELECT sso_session_create('limit-past', ust => 'limit-token-of-the-past', expires_at => '2001-01-01'), sso_session_create('limit-past', ust => 'limit-token-of-the-past', expires_at => '2001-01-01');
-- Both are one too many, everywhere.
SELECT sso_session_create('limit-both', expiration => 60, expires_at => now());
SELECT sso_session_create('limit-both', 'app', ''::text, expiration => 60, expires_at => now());
SELECT sso_session_renew(sso_session_create('limit-both'), 60, now());
SELECT sso_session_renew('no token', 60, now());
\set VERBOSITY default
SELECT sso_session_create('limit-both', expiration => 60, expires_at => now());
SELECT count(sso_session_end_all(u)) FROM unnest('{limit-ann,limit-ANN,limit-token,limit-many,limit-seen,limit-idle,limit-time,limit-past,limit-live,limit-both}'::text[]) AS u;
