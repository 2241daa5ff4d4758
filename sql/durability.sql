-- Whether sessions and their attributes outlive a crash. Users, keys and what the purge did always do.
CREATE FUNCTION sso_attr_set_logged(logged boolean) RETURNS void
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS $$
BEGIN
    -- No logged table may refer to one that is not.
    IF logged THEN
        ALTER TABLE sso_attr.session SET LOGGED;
        ALTER TABLE sso_attr.attribute SET LOGGED;
    ELSIF NOT logged THEN
        ALTER TABLE sso_attr.attribute SET UNLOGGED;
        ALTER TABLE sso_attr.session SET UNLOGGED;
    ELSE
        RAISE EXCEPTION 'logged must not be null' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
