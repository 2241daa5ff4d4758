-- What the specs share. A permutation begins with `start` or `clean`, so that none leaves anything to the next.
CREATE EXTENSION sso_attr;

-- The tokens that sessions are opened with.
CREATE FUNCTION ust(number integer = 1) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'spec-token-of-session-' || number;
$$;

CREATE PROCEDURE clean() LANGUAGE sql AS $$
    DELETE FROM sso_attr.session;
    DELETE FROM sso_attr.user;
$$;

-- One session, ann's, with these attributes in clear and sealed.
CREATE PROCEDURE start(clear jsonb = '{}', sealed jsonb = '{}', expiration double precision = NULL)
LANGUAGE plpgsql AS $$
BEGIN
    CALL clean();
    PERFORM sso_session_create('ann', ust => ust(), expiration => expiration);
    PERFORM sso_session_save(ust(), clear || sealed, encrypt => ARRAY(SELECT jsonb_object_keys(sealed)));
END
$$;

CREATE PROCEDURE purge() LANGUAGE sql AS $$
    SELECT sso_attr_purge();
$$;

-- The data of a batch.
CREATE FUNCTION items(value integer, VARIADIC names text[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object('name', name, 'value', value)) FROM unnest(names) AS name;
$$;
CREATE FUNCTION ends(expiration integer, VARIADIC names text[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object('name', name, 'expiration', expiration)) FROM unnest(names) AS name;
$$;

-- What a call returns, or the SQLSTATE of its error, after which the transaction goes on.
CREATE FUNCTION attempt(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE 'SELECT ' || call INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;

-- Shows a value in one line, where a SELECT takes five. For looks only: of several sessions that wait at once, the
-- one that is heard first is not always the one that was served first.
CREATE PROCEDURE say(what anyelement) LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '%', what;
END
$$;

-- What the tables hold, of sessions that are over too. Sessions are told apart by their applications.
CREATE FUNCTION stored() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s; %s', (
        SELECT COALESCE(string_agg(app, ', ' ORDER BY app), 'no session')
        FROM sso_attr.session,
             COALESCE(current_app, CASE WHEN alias_of IS NULL THEN 'session' ELSE 'alias' END) AS app
    ), (
        SELECT COALESCE(string_agg(concat_ws(' ', name, COALESCE(value::text, 'sealed')), ', ' ORDER BY name), 'nothing')
        FROM sso_attr.attribute
    ));
$$;

-- What the session whose token is ust() shows of itself.
CREATE FUNCTION listed() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE(string_agg(concat_ws(' ', name, value, CASE WHEN encrypted THEN 'sealed' END,
                                         CASE WHEN expires_at IS NOT NULL THEN 'ends' END), ', ' ORDER BY name), 'nothing')
    FROM sso_attr_list(ust());
$$;
CREATE FUNCTION loaded() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE((SELECT attributes::text FROM sso_session_load(ust())), 'nothing');
$$;
CREATE FUNCTION names() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(name, ', ') FROM sso_attr_names(ust()) AS name;
$$;

-- The applications of ann's live sessions, and those of the sessions that four tokens lead to.
CREATE FUNCTION apps() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE(string_agg(app, ', ' ORDER BY app), 'none')
    FROM sso_session_list('ann'), COALESCE(current_app, 'session') AS app;
$$;
CREATE FUNCTION apps_by_token() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(COALESCE((SELECT current_app FROM sso_session_load(ust(number))), 'none'), ', ')
    FROM generate_series(1, 4) AS number;
$$;
