-- Everything starts here: the extension goes into a database of its own, in one statement.
CREATE EXTENSION sso_attr;
SELECT extname, extrelocatable FROM pg_extension WHERE extname = 'sso_attr';

-- What the other files share: a call's outcome, with its SQLSTATE where it fails. $1 is the token.
CREATE SCHEMA test;
CREATE FUNCTION test.attempt(call text, ust text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE 'SELECT ' || call INTO result USING ust;
    RETURN COALESCE(NULLIF(result, ''), CASE WHEN result IS NULL THEN '(null)' ELSE '(void)' END);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;

-- A call of every verb that takes a session, on an attribute "here" that is there.
CREATE TABLE test.verb (
    position integer GENERATED ALWAYS AS IDENTITY,
    call text
);
INSERT INTO test.verb (call) VALUES
    ('count(*) FROM sso_session_get($1)'),
    ('sso_session_renew($1) IS NOT NULL'),
    ('sso_attr_create($1, ''new'', 1)'),
    ('sso_attr_update($1, ''here'', 2)'),
    ('sso_attr_set($1, ''here'', 3)'),
    ('sso_attr_get($1, ''here'')'),
    ('sso_attr_get_text($1, ''here'')'),
    ('sso_attr_exists($1, ''here'')'),
    ('string_agg(n, '','') FROM sso_attr_names($1) AS n'),
    ('count(*) FROM sso_attr_list($1)'),
    ('sso_attr_set_expiry($1, ''here'', 60)'),
    ('sso_attr_create_many($1, ''[{"name":"new2","value":1}]'')'),
    ('sso_attr_update_many($1, ''[{"name":"here","value":4}]'')'),
    ('sso_attr_set_many($1, ''[{"name":"here","value":5}]'')'),
    ('sso_attr_set_expiry_many($1, ''[{"name":"here"}]'')'),
    ('sso_attr_create_json($1, ''new3'', ''1'')'),
    ('sso_attr_update_json($1, ''here'', ''6'')'),
    ('sso_attr_set_json($1, ''here'', ''7'')'),
    ('sso_attr_compare_and_set($1, ''here'', ''7'', ''8'')'),
    ('sso_attr_increment($1, ''here'')'),
    ('sso_session_save($1, ''{"here":10}'', ''{new3}'') IS NOT NULL'),
    ('sso_attr_get_many($1, ''{here,gone}'')'),
    ('sso_attr_get_all($1)'),
    ('sso_attr_exists_many($1, ''{here,gone}'')'),
    ('sso_attr_delete_many($1, ''{new,new2}'')'),
    ('sso_attr_take($1, ''here'')'),
    ('sso_attr_delete($1, ''here'')'),
    ('length(sso_session_rotate($1))');
GRANT USAGE ON SCHEMA test TO PUBLIC;
GRANT SELECT ON test.verb TO PUBLIC;
