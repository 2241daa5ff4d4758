-- Run by the role that calls, once: tokens, and types whose casts and operators are the role's own code.

-- The casts and operators watch that they never run with other rights than the caller's.
CREATE FUNCTION fuzz.watch() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_user OPERATOR(pg_catalog.<>) session_user THEN
        RAISE EXCEPTION 'code of the caller runs as %', current_user USING ERRCODE = 'ESC00';
    END IF;
END
$$;

-- Slots 0 to 7 are live with attributes, 6 and 7 until the end of the run; 8 to 11 ended; 12 to 15
-- are what calls returned.
CREATE TABLE fuzz.token (slot integer PRIMARY KEY, ust text, session_id uuid);
INSERT INTO fuzz.token SELECT slot FROM generate_series(0, 15) AS slot;

CREATE FUNCTION fuzz.refill() RETURNS void LANGUAGE plpgsql SET search_path TO public, pg_temp AS $$
DECLARE
    live record;
    opened text;
BEGIN
    FOR live IN SELECT slot, ust FROM fuzz.token WHERE slot < 8 ORDER BY slot FOR UPDATE LOOP
        CONTINUE WHEN sso_session_verify(live.ust);
        UPDATE fuzz.token SET ust = live.ust WHERE slot = 8 + live.slot % 4;
        opened := CASE WHEN live.slot < 6 THEN sso_session_create('u' || live.slot % 5, 'app', '10.0.0.1', 'agent')
                       ELSE sso_session_create('kept', expiration => 86400) END;
        PERFORM sso_attr_set_many(opened, jsonb_agg(item)) FROM (
            SELECT jsonb_build_object('name', 'n' || i, 'encrypt', i % 2 = 1, 'value', CASE i % 4
                WHEN 0 THEN to_jsonb(i) WHEN 1 THEN to_jsonb('text ' || i)
                WHEN 2 THEN jsonb_build_array(i, NULL) ELSE to_jsonb(i * 1.5) END) AS item
            FROM generate_series(0, 7) AS i
        ) AS items;
        UPDATE fuzz.token SET ust = opened, session_id = (SELECT s.session_id FROM sso_session_get(opened) AS s)
        WHERE slot = live.slot;
    END LOOP;
END
$$;

CREATE TYPE fuzz.mood AS ENUM ('glad', 'sad');
CREATE DOMAIN fuzz.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN fuzz.document AS jsonb;
CREATE DOMAIN fuzz.words AS text[];
CREATE TYPE fuzz.pair AS (a text, b fuzz.mood);
CREATE TYPE fuzz.span AS RANGE (subtype = float8);

CREATE TYPE fuzz.raising AS ENUM ('x');
CREATE FUNCTION fuzz.to_json(fuzz.raising) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    RAISE EXCEPTION 'no json from me';
END
$$;
CREATE CAST (fuzz.raising AS json) WITH FUNCTION fuzz.to_json(fuzz.raising);

-- JSON that json_in has never seen.
CREATE TYPE fuzz.broken AS ENUM ('x');
CREATE FUNCTION fuzz.to_json(fuzz.broken) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    RETURN (SELECT ('"' || h.t || '"')::json FROM pg_temp.hostile AS h ORDER BY random() LIMIT 1);
END
$$;
CREATE CAST (fuzz.broken AS json) WITH FUNCTION fuzz.to_json(fuzz.broken);

CREATE TYPE fuzz.deep AS ENUM ('x');
CREATE FUNCTION fuzz.to_json(fuzz.deep) RETURNS json LANGUAGE sql
AS $$ SELECT (repeat('[', 3000) || repeat(']', 3000))::json $$;
CREATE CAST (fuzz.deep AS json) WITH FUNCTION fuzz.to_json(fuzz.deep);

-- Ends the session that the call is about, or calls again, while the call converts its value.
CREATE TYPE fuzz.ending AS ENUM ('x');
CREATE FUNCTION fuzz.to_json(fuzz.ending) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    PERFORM public.sso_session_end(t.ust) FROM fuzz.token AS t WHERE t.slot IN (0, 1);
    RETURN '1';
END
$$;
CREATE CAST (fuzz.ending AS json) WITH FUNCTION fuzz.to_json(fuzz.ending);

CREATE TYPE fuzz.writing AS ENUM ('x');
CREATE FUNCTION fuzz.to_json(fuzz.writing) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    PERFORM public.sso_attr_set(t.ust, 'n1', 'written meanwhile'::text, 60, true) FROM fuzz.token AS t WHERE t.slot < 4;
    BEGIN
        PERFORM public.sso_attr_update(t.ust, 'none', 1) FROM fuzz.token AS t WHERE t.slot = 0;
    EXCEPTION WHEN no_data_found OR invalid_authorization_specification THEN
        NULL;
    END;
    RETURN '{"a": 1}';
END
$$;
CREATE CAST (fuzz.writing AS json) WITH FUNCTION fuzz.to_json(fuzz.writing);

CREATE TYPE fuzz.recursive AS ENUM ('x');
CREATE FUNCTION fuzz.to_json(fuzz.recursive) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.sso_attr_set(t.ust, 'n2', 'x'::fuzz.recursive) FROM fuzz.token AS t WHERE t.slot = 0;
    RETURN '1';
END
$$;
CREATE CAST (fuzz.recursive AS json) WITH FUNCTION fuzz.to_json(fuzz.recursive);

-- Found first where search_path is "fuzz, pg_catalog".
CREATE FUNCTION fuzz.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    RETURN $1 OPERATOR(pg_catalog.=) $2;
END
$$;
CREATE OPERATOR fuzz.= (FUNCTION = fuzz.equal, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION fuzz.equal(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    RETURN true;
END
$$;
CREATE OPERATOR fuzz.= (FUNCTION = fuzz.equal, LEFTARG = uuid, RIGHTARG = uuid);
CREATE FUNCTION fuzz.less(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    RETURN false;
END
$$;
CREATE OPERATOR fuzz.< (FUNCTION = fuzz.less, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE OPERATOR fuzz.> (FUNCTION = fuzz.less, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE FUNCTION fuzz.to_jsonb(anyelement) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    RETURN pg_catalog.to_jsonb($1);
END
$$;
CREATE FUNCTION fuzz.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fuzz.watch();
    RETURN 'infinity';
END
$$;
