-- The keyring file is read when it is needed and again when it changes; one that is missing,
-- malformed or readable by others is refused, and a broken new one leaves the last good one in use.
-- Without any, everything but encryption works. Each \c is a backend that has read nothing yet.
\pset format unaligned
\pset tuples_only on
\set ust keyring-test-token-of-ann
SELECT sso_session_create('keyring-ann', ust => :'ust') IS NOT NULL;
SELECT sso_attr_create(:'ust', 'sealed', 'by key 1', encrypt => true), sso_attr_create(:'ust', 'clear', 1);
\! cp -p "$SSO_ATTR_KEYRING" "$SSO_ATTR_KEYRING.kept"

-- A new primary key seals, the old one still opens, at once and in a backend that had the old ring.
\! { printf '# the new one\n\n 7:%064d \n' 7; cat "$SSO_ATTR_KEYRING.kept"; } > "$SSO_ATTR_KEYRING"
SELECT sso_attr_create(:'ust', 'new', 'by key 7', encrypt => true);
SELECT a.name, l.value, get_byte(a.sealed, 5) AS key
FROM sso_attr_list(:'ust') AS l, sso_session_get(:'ust') AS s JOIN sso_attr.attribute AS a USING (session_id) WHERE a.name = l.name AND l.encrypted;

-- A ring that lost its key: reading says which; writing goes on under the primary one.
\! cat "$SSO_ATTR_KEYRING.kept" > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'new');
SELECT sso_attr_get(:'ust', 'sealed'), sso_attr_get(:'ust', 'clear');
SELECT sso_attr_update(:'ust', 'new', 'by key 1 now');
SELECT sso_attr_get(:'ust', 'new');

-- A broken file: a backend with a good ring warns and goes on with it, one without it refuses.
\! echo 'not a key' > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
SELECT sso_attr_get(:'ust', 'sealed');
\c
SELECT sso_attr_get(:'ust', 'sealed');
\! : > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
\! { cat "$SSO_ATTR_KEYRING.kept" "$SSO_ATTR_KEYRING.kept"; } > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
\! printf '1:%063d\n' 1 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
\! printf '4294967296:%064d\n' 1 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');

-- Readable by group or others.
\! cat "$SSO_ATTR_KEYRING.kept" > "$SSO_ATTR_KEYRING"; chmod 640 "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
\! chmod 604 "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
\! chmod 600 "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');

-- Not there, not a file.
\c
\! rm "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
\! mkdir "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
\! rmdir "$SSO_ATTR_KEYRING"

-- Without a keyring every verb works that needs no key, and none puts a secret in clear or loses it.
\set VERBOSITY sqlstate
SELECT call, test.attempt(call, :'ust')
FROM (VALUES ('sso_attr_get($1, ''clear'')'), ('sso_attr_exists($1, ''sealed'')'), ('string_agg(n, '','') FROM sso_attr_names($1) AS n'),
             ('sso_attr_update($1, ''clear'', 2)'), ('sso_attr_set($1, ''clear'', 3)'), ('sso_attr_set($1, ''fresh'', 1)'), ('sso_attr_create($1, ''fresh2'', 1)'),
             ('sso_attr_update_many($1, ''[{"name":"clear","value":4}]'')'), ('sso_attr_set_many($1, ''[{"name":"clear","value":5}]'')'),
             ('sso_attr_get_many($1, ''{clear,fresh}'')'), ('sso_attr_delete_many($1, ''{fresh,fresh2}'')'), ('sso_attr_set_expiry($1, ''sealed'', 60)'),
             ('sso_attr_get($1, ''sealed'')'), ('sso_attr_get_all($1)'), ('count(*) FROM sso_attr_list($1)'), ('sso_attr_take($1, ''sealed'')'),
             ('sso_attr_create($1, ''x'', 1, encrypt => true)'), ('sso_attr_update($1, ''clear'', 1, encrypt => true)'), ('sso_attr_set($1, ''clear'', 1, encrypt => true)'),
             ('sso_attr_update($1, ''sealed'', 1)'), ('sso_attr_set($1, ''sealed'', 1)'), ('sso_attr_update_many($1, ''[{"name":"sealed","value":1}]'')'),
             ('sso_attr_set_many($1, ''[{"name":"sealed","value":1}]'')'), ('sso_attr_set_many($1, ''[{"name":"clear","value":1},{"name":"x","value":1,"encrypt":true}]'')'),
             ('sso_attr_update($1, ''gone'', 1, encrypt => true)'), ('sso_attr_update($1, ''gone'', 1)'),
             ('sso_attr_update($1, ''new'', ''in clear now'', encrypt => false)'), ('sso_attr_get($1, ''new'')'), ('sso_attr_get($1, ''clear'')'), ('sso_attr_delete($1, ''new'')'),
             ('sso_attr_set(''no token'', ''x'', 1, encrypt => true)')) AS c (call);

-- Back with its keys, everything is there.
\! mv "$SSO_ATTR_KEYRING.kept" "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');

-- Another key under the id that wrote the data does not open it.
\! cp -p "$SSO_ATTR_KEYRING" "$SSO_ATTR_KEYRING.kept"; printf '1:%064d\n' 2 > "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
\! mv "$SSO_ATTR_KEYRING.kept" "$SSO_ATTR_KEYRING"
SELECT sso_attr_get(:'ust', 'sealed');
SELECT sso_session_end(:'ust');
