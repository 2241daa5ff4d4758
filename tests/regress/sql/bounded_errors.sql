-- No number and no length of names makes an error long: a quoted name is cut, a list says how many more.
\pset format unaligned
\pset tuples_only on
SELECT sso_session_create('bounded-ann') AS ust \gset
CREATE FUNCTION test.error(call text, ust text, OUT code text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT ' || call USING ust;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
CREATE FUNCTION test.many(key text, count integer, VARIADIC more text[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object('name', key || i || repeat(chr(1), 240)) || jsonb_object(more)) FROM generate_series(1, count) AS i
$$;
SELECT count(sso_attr_create_many(:'ust', test.many('there ', 1000, 'value', '1')));
SELECT what, e.code, e.message, octet_length(e.detail) < 128 * 1024, right(e.detail, 14) FROM
    (VALUES (1, 'update_many', 'sso_attr_update_many($1, test.many(''gone '', 1000, ''value'', ''1''))'),
            (2, 'set_expiry_many', 'sso_attr_set_expiry_many($1, test.many(''gone '', 1000))'),
            (3, 'create_many, existing', 'sso_attr_create_many($1, test.many(''there '', 1000, ''value'', ''1''))'),
            (4, 'create_many, repeated', 'sso_attr_create_many($1, test.many(''gone '', 1000, ''value'', ''1'') || test.many(''gone '', 1000, ''value'', ''1''))')) AS c (c, what, call),
    test.error(call, :'ust') AS e
ORDER BY c;
-- One name or key is quoted as far as it says anything: about 64 characters.
SELECT what, e.code, e.message ~ 'x{60}' OR e.detail ~ 'x{60}', e.message ~ 'x{80}' OR e.detail ~ 'x{80}', octet_length(concat(e.message, e.detail, e.hint)) < 1000 FROM
    (VALUES (1, 'missing', 'sso_attr_update($1, repeat(''x'', 255), 1)'),
            (2, 'unknown key', 'sso_attr_set_many($1, jsonb_build_array(jsonb_build_object(''name'', ''n'', repeat(''x'', 100000), 1)))'),
            (3, 'unknown key of set_expiry_many', 'sso_attr_set_expiry_many($1, jsonb_build_array(jsonb_build_object(''name'', ''n'', repeat(''x'', 100000), 1)))')) AS c (c, what, call),
    test.error(call, :'ust') AS e
ORDER BY c;
DROP FUNCTION test.error, test.many;
SELECT sso_session_end(:'ust');
