-- Arguments are checked before the session: a wrong one is 22023 whatever the token is, so that who
-- tries a call out is told what is wrong with it.
\pset format unaligned
\pset tuples_only on
SELECT sso_session_create('arguments-ann') AS ust \gset
SELECT token, call, test.attempt(format(call, seconds), ust) FROM
    (VALUES (1, 'none', 'nope'), (2, 'live', :'ust')) AS t (t, token, ust),
    (VALUES (1, 'sso_attr_create($1, ''a'', 1, %s)'), (2, 'sso_attr_update($1, ''a'', 1, %s)'), (3, 'sso_attr_set($1, ''a'', 1, %s)'),
            (4, 'sso_attr_set_expiry($1, ''a'', %s)'), (5, 'sso_session_renew($1, %s)'),
            (6, 'sso_attr_create_many($1, ''[{"name":"a","value":1}]'', %s)'), (7, 'sso_attr_update_many($1, ''[{"name":"a","value":1}]'', %s)'),
            (8, 'sso_attr_set_many($1, ''[{"name":"a","value":1,"expiration":%s}]'')'), (9, 'sso_attr_set_expiry_many($1, ''[{"name":"a","expiration":%s}]'')')) AS c (c, call),
    -- A time beyond the end of timestamptz.
    (VALUES ('9.2229e12')) AS e (seconds)
ORDER BY t, c;
SELECT string_agg(n, ', ') FROM sso_attr_names(:'ust') AS n;
SELECT sso_session_end(:'ust');
