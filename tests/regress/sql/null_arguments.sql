-- No function is STRICT, so what NULL means is each argument's own matter: every function is
-- called once with NULL in each of its arguments, the others being good.
\pset format unaligned
\pset tuples_only on
SELECT sso_session_create('null-ann') AS ust \gset
SELECT count(*) FROM pg_proc WHERE proname ~ '^sso_' AND proisstrict AND pronargs > 0;
CREATE TABLE test.good (function regprocedure, arguments text[]);
INSERT INTO test.good SELECT p.oid, g.arguments FROM (VALUES
    ('sso_session_create', '{''null-other'',''app'',"''192.0.2.1''::inet",''agent'',60,''null-arguments-token-1'',1,NULL}'::text[]),
    ('sso_session_create', '{''null-other'',''app'',"''192.0.2.1''::text",''agent'',60,''null-arguments-token-1'',1,NULL}'),
    ('sso_session_get', '{$1}'),
    ('sso_session_verify', '{$1}'),
    ('sso_session_id', '{$1}'),
    ('sso_session_renew', '{$1,60,NULL}'),
    ('sso_session_load', '{$1}'),
    ('sso_session_use', '{$1}'),
    ('sso_current_attr', '{''here''}'),
    ('sso_session_save', '{$1,"''{\"new\":1}''","ARRAY[''here'']",60,true,"ARRAY[''new'']",NULL}'),
    ('sso_session_rotate', '{$1,''null-ann'',''null-arguments-token-2''}'),
    ('sso_session_end', '{$1}'),
    ('sso_session_end_one', '{''null-none'',''00000000-0000-0000-0000-000000000000''}'),
    ('sso_session_end_all', '{''null-none'',$1}'),
    ('sso_session_list', '{''null-none''}'),
    ('sso_attr_create', '{$1,''new'',1,60,false}'),
    ('sso_attr_update', '{$1,''here'',1,60,false}'),
    ('sso_attr_set', '{$1,''here'',1,60,false}'),
    ('sso_attr_create_json', '{$1,''new'',''1'',60,false}'),
    ('sso_attr_update_json', '{$1,''here'',''1'',60,false}'),
    ('sso_attr_set_json', '{$1,''here'',''1'',60,false}'),
    ('sso_attr_compare_and_set', '{$1,''here'',''1'',''2'',60,false}'),
    ('sso_attr_increment', '{$1,''here'',1,60}'),
    ('sso_attr_get', '{$1,''here''}'),
    ('sso_attr_get_text', '{$1,''here''}'),
    ('sso_attr_take', '{$1,''here''}'),
    ('sso_attr_exists', '{$1,''here''}'),
    ('sso_attr_names', '{$1}'),
    ('sso_attr_list', '{$1}'),
    ('sso_attr_delete', '{$1,''here''}'),
    ('sso_attr_set_expiry', '{$1,''here'',60}'),
    ('sso_attr_create_many', '{$1,"''[{\"name\":\"new\",\"value\":1}]''",60,false}'),
    ('sso_attr_update_many', '{$1,"''[{\"name\":\"here\",\"value\":1}]''",60,false}'),
    ('sso_attr_set_many', '{$1,"''[{\"name\":\"here\",\"value\":1}]''",60,false}'),
    ('sso_attr_set_expiry_many', '{$1,"''[{\"name\":\"here\"}]''",60}'),
    ('sso_attr_get_many', '{$1,"ARRAY[''here'']"}'),
    ('sso_attr_get_all', '{$1}'),
    ('sso_attr_exists_many', '{$1,"ARRAY[''here'']"}'),
    ('sso_attr_delete_many', '{$1,"ARRAY[''here'']"}')) AS g (name, arguments)
JOIN pg_proc AS p ON p.proname = g.name AND (p.proname <> 'sso_session_create' OR g.arguments[3] LIKE '%' || format_type(p.proargtypes[2], NULL));
-- None is left out, with all its arguments.
SELECT p.oid::regprocedure FROM pg_proc AS p LEFT JOIN test.good AS g ON g.function = p.oid AND cardinality(g.arguments) = p.pronargs
WHERE p.proname ~ '^sso_(session|attr)_' AND p.proname !~ '^sso_attr_(grant|revoke|keys|rekey|check|purge|purge_status|set_logged|stats|version|distribute)$' AND g.function IS NULL;
-- Whatever a call did is undone before the next one.
CREATE FUNCTION test.attempt_and_undo(call text, ust text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    PERFORM sso_attr_set(ust, 'here', 1);
    outcome := test.attempt(call, ust);
    RAISE EXCEPTION USING MESSAGE = COALESCE(outcome, '(null)'), ERRCODE = 'ZZZZZ';
EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN
    RETURN CASE WHEN length(SQLERRM) > 5 THEN 'ok' ELSE SQLERRM END;
END
$$;
SELECT g.function, p.proargnames[i] AS argument,
       test.attempt_and_undo(format('%s(%s)', p.proname, array_to_string(g.arguments[:i - 1] || (CASE WHEN p.proname = 'sso_session_create' AND i = 3 THEN 'NULL::' || format_type(p.proargtypes[2], NULL) ELSE 'NULL' END) || g.arguments[i + 1:], ', ', 'NULL')), :'ust') AS outcome
FROM test.good AS g JOIN pg_proc AS p ON p.oid = g.function, generate_series(1, cardinality(g.arguments)) AS i
ORDER BY g.function::text COLLATE "C", i;

-- What NULL stands for, where it is no error.
SELECT sso_session_verify(NULL), sso_session_end(NULL);
SELECT sso_attr_create(:'ust', 'value', NULL), sso_attr_create(:'ust', 'protection', 1, NULL, NULL);
SELECT name, value, encrypted, expires_at IS NULL FROM sso_attr_list(:'ust');
-- A null among the names, whatever the others.
SELECT test.attempt('sso_attr_get_many($1, ''{here,NULL}'')', :'ust'), test.attempt('sso_attr_exists_many($1, ''{NULL}'')', :'ust'), test.attempt('sso_attr_delete_many($1, ''{NULL,here}'')', :'ust');
-- The arguments come before the session.
SELECT test.attempt('sso_attr_get(''no token'', NULL)'), test.attempt('sso_attr_set(NULL, NULL, 1)'), test.attempt('sso_attr_set(''no token'', ''n'', 1, -1)'),
       test.attempt('sso_attr_create_many(NULL, NULL)'), test.attempt('sso_attr_delete_many(NULL, NULL)'), test.attempt('sso_session_end_all(NULL, ''no token'')');
SELECT test.attempt('sso_attr_grant(NULL)'), test.attempt('sso_attr_grant(''postgres'', NULL)'), test.attempt('sso_attr_revoke(NULL)'), test.attempt('sso_attr_revoke(''postgres'', ''everything'')');
-- NULL rows are all rows.
BEGIN;
SELECT sso_attr_purge(NULL) >= 0;
ROLLBACK;
DROP FUNCTION test.attempt_and_undo;
DROP TABLE test.good;
