-- An error that somebody else's code raises within a call reaches the caller as it was raised, whatever
-- its SQLSTATE, with every field and its own context.
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION test.fail() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'odd' USING ERRCODE = 'ZZ123', DETAIL = 'a detail', HINT = 'a hint', SCHEMA = 'a schema',
        TABLE = 'a table', COLUMN = 'a column', CONSTRAINT = 'a constraint', DATATYPE = 'a type';
END
$$;
CREATE FUNCTION test.fields(call text, ust text, OUT state text, OUT message text, OUT detail text, OUT hint text, OUT schema_name text,
                            OUT table_name text, OUT column_name text, OUT constraint_name text, OUT type_name text, OUT context text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT ' || call USING ust;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
        schema_name = SCHEMA_NAME, table_name = TABLE_NAME, column_name = COLUMN_NAME, constraint_name = CONSTRAINT_NAME,
        type_name = PG_DATATYPE_NAME, context = PG_EXCEPTION_CONTEXT;
    context := split_part(context, E'\n', 1);
END
$$;

-- A caller's own cast to json.
CREATE TYPE test.odd AS ENUM ('odd');
CREATE FUNCTION test.to_json(test.odd) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM test.fail(); RETURN NULL; END $$;
CREATE CAST (test.odd AS json) WITH FUNCTION test.to_json(test.odd);
SELECT sso_session_create('others-ann') AS ust \gset
SELECT * FROM test.fields('sso_attr_set($1, ''here'', ''odd''::test.odd)', :'ust');

-- The tables' owner's own trigger, within a statement of ours.
SELECT sso_attr_set_many(:'ust', '[{"name":"here","value":1},{"name":"there","value":1}]');
CREATE FUNCTION test.on_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM test.fail(); RETURN NULL; END $$;
CREATE TRIGGER odd BEFORE UPDATE ON sso_attr.attribute FOR EACH ROW EXECUTE FUNCTION test.on_update();
SELECT * FROM test.fields('sso_attr_update($1, ''here'', 2)', :'ust');
SELECT * FROM test.fields('sso_attr_update_many($1, ''[{"name":"here","value":2},{"name":"there","value":2}]'')', :'ust');
-- Often enough in one transaction that none of them may be left behind.
SELECT DISTINCT test.attempt('sso_attr_update($1, ''here'', 2)', :'ust') FROM generate_series(1, 20);
DROP TRIGGER odd ON sso_attr.attribute;
SELECT sso_attr_get_all(:'ust');

SELECT sso_session_end(:'ust');
DROP CAST (test.odd AS json);
DROP FUNCTION test.fields, test.to_json, test.on_update, test.fail;
DROP TYPE test.odd;
