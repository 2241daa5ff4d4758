-- An attribute's own end: kept, moved, taken off; seconds from now, fractions rounded up.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\pset null '(null)'

SELECT sso_session_create('expiry-ann') AS ust \gset
CREATE VIEW test.ends AS
    SELECT a.name, a.value, CASE WHEN a.expires_at = 'infinity' THEN 'never'
                                 ELSE date_trunc('minute', a.expires_at - clock_timestamp() + interval '1 min')::text END AS ends_in
    FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id WHERE s.user_id = 'expiry-ann' ORDER BY a.name;

-- create and set: absent, NULL and Infinity are never.
SELECT sso_attr_create(:'ust', 'a', 1), sso_attr_create(:'ust', 'b', 1, NULL), sso_attr_create(:'ust', 'c', 1, 'Infinity'), sso_attr_create(:'ust', 'd', 1, 600);
SELECT sso_attr_set(:'ust', 'e', 1), sso_attr_set(:'ust', 'f', 1, NULL), sso_attr_set(:'ust', 'g', 1, 'Infinity'), sso_attr_set(:'ust', 'h', 1, 600);
SELECT * FROM test.ends;
-- "Never" is shown as NULL.
SELECT name, expires_at FROM sso_attr_list(:'ust') WHERE name IN ('a', 'g');
SELECT bool_and(expires_at > now()) FROM sso_attr_list(:'ust') WHERE name IN ('d', 'h');

-- update, and set over one that is there: absent and NULL keep it, a number moves it, Infinity takes it off.
SELECT sso_attr_update(:'ust', 'a', 2), sso_attr_update(:'ust', 'd', 2), sso_attr_set(:'ust', 'e', 2), sso_attr_set(:'ust', 'h', 2);
SELECT * FROM test.ends;
SELECT sso_attr_update(:'ust', 'd', 3, NULL), sso_attr_set(:'ust', 'h', 3, NULL);
SELECT * FROM test.ends WHERE name IN ('d', 'h');
SELECT sso_attr_update(:'ust', 'a', 4, 1200), sso_attr_update(:'ust', 'd', 4, 1200), sso_attr_set(:'ust', 'e', 4, 1200), sso_attr_set(:'ust', 'h', 4, 1200);
SELECT * FROM test.ends;
SELECT sso_attr_update(:'ust', 'd', 5, 'Infinity'), sso_attr_set(:'ust', 'h', 5, 'Infinity');
SELECT * FROM test.ends WHERE name IN ('d', 'h');

-- set_expiry: NULL and Infinity are never; the value stays.
SELECT sso_attr_set_expiry(:'ust', 'a', 1800);
SELECT * FROM test.ends WHERE name = 'a';
SELECT sso_attr_set_expiry(:'ust', 'a', NULL);
SELECT * FROM test.ends WHERE name = 'a';
SELECT sso_attr_set_expiry(:'ust', 'a', 60), sso_attr_set_expiry(:'ust', 'a', 'Infinity');
SELECT * FROM test.ends WHERE name = 'a';
SELECT sso_attr_set_expiry(:'ust', 'a', 30), sso_attr_set_expiry(:'ust', 'a', extract(epoch FROM interval '15 minutes'));
SELECT * FROM test.ends WHERE name = 'a';

-- Fractions count, and are rounded up to a microsecond: the shortest life is one.
SELECT sso_attr_set(:'ust', 'a', 1, 1.25), sso_attr_set(:'ust', 'b', 1, 1e-9), sso_attr_set(:'ust', 'c', 1, 1.0000001);
SELECT a.expires_at - a.updated_at FROM sso_attr.attribute AS a JOIN sso_session_get(:'ust') USING (session_id) WHERE name IN ('a', 'b', 'c') ORDER BY name;
SELECT sso_attr_delete_many(:'ust', '{a,b,c}') > 0;

-- An attribute may be given an end after its session's, and is gone with it all the same.
SELECT sso_attr_set(:'ust', 'a', 1, 1e9);
SELECT a.expires_at > s.expires_at FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id WHERE s.user_id = 'expiry-ann' AND a.name = 'a';

-- What is no time to live, for every function that takes one.
CREATE TABLE test.bad (expiration double precision);
INSERT INTO test.bad VALUES (0), ('-0'), (-1), (-1e-9), ('-Infinity'), ('NaN'), (1e13), (9.3e12), (1e308);
SELECT expiration, array_agg(DISTINCT test.attempt(format(call, expiration), :'ust'))
FROM test.bad, (VALUES ('sso_attr_create($1, ''n'', 1, ''%s'')'), ('sso_attr_update($1, ''d'', 1, ''%s'')'), ('sso_attr_set($1, ''d'', 1, ''%s'')'),
    ('sso_attr_set_expiry($1, ''d'', ''%s'')'), ('sso_attr_create_many($1, ''[{"name":"n","value":1}]'', ''%s'')'),
    ('sso_attr_update_many($1, ''[{"name":"d","value":1}]'', ''%s'')'), ('sso_attr_set_many($1, ''[{"name":"d","value":1}]'', ''%s'')'),
    ('sso_attr_set_expiry_many($1, ''[{"name":"d"}]'', ''%s'')')) AS f (call)
GROUP BY expiration ORDER BY expiration;
SELECT * FROM test.ends WHERE name IN ('d', 'n');
-- The last moment that timestamptz has can be reached.
SELECT test.attempt('sso_attr_set($1, ''far'', 1, extract(epoch FROM ''294276-12-31 23:59:59+00'' - clock_timestamp()))', :'ust');
SELECT test.attempt('sso_attr_set($1, ''far'', 1, extract(epoch FROM ''294276-12-31 23:59:59+00'' - clock_timestamp()) + 10)', :'ust');
-- An interval is no number of seconds: there is no such overload, and none that NULL could mean instead.
SELECT sso_attr_set(:'ust', 'd', 1, interval '1 hour');
SELECT sso_attr_set(:'ust', 'd', 6, NULL, NULL);
SELECT * FROM test.ends WHERE name = 'd';
DROP TABLE test.bad;
DROP VIEW test.ends;
