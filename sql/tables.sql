-- The tables. Everything internal lives in the schema sso_attr, out of reach of PUBLIC.

DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION 'sso_attr needs a database with encoding UTF8'
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;

CREATE SCHEMA sso_attr;

CREATE FUNCTION sso_attr.purge_bin(expires_at timestamptz) RETURNS timestamptz
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'purge_bin_wrapper';

-- No CHECK says what a session or an attribute must be like: PostgreSQL reads the text of each CHECK
-- and each generated column anew for every statement, a quarter of an update's cost. The functions
-- write no other rows and report any other that they read (XX001); sso_attr_check() lists them.

CREATE TABLE sso_attr.session (
    id uuid PRIMARY KEY,
    alias_of uuid,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at timestamptz NOT NULL,
    -- The purge looks for what ended by this, rounded down to ten minutes: an index on the exact
    -- end would make every renewal write all indexes; this way only one in many does. A row that
    -- somebody else inserts without it is looked at by every sweep until it is over.
    purge_bin timestamptz NOT NULL DEFAULT '-infinity',
    idle_limit bigint,
    secret_digest bytea NOT NULL,
    user_id text COLLATE pg_catalog."C",
    current_app text,
    remote_addr inet,
    user_agent text
) WITH (fillfactor = 80);

CREATE INDEX session_by_user ON sso_attr.session (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX session_by_alias_of ON sso_attr.session (alias_of) WHERE alias_of IS NOT NULL;
-- The id makes every place in the index one that a sweep can go on from, so that no batch passes
-- again over what the batches before it have left dead or found locked.
CREATE INDEX session_by_purge_bin ON sso_attr.session (purge_bin, id)
    WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity';

CREATE TABLE sso_attr.attribute (
    session_id uuid NOT NULL REFERENCES sso_attr.session (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT 'infinity',
    purge_bin timestamptz NOT NULL DEFAULT '-infinity',
    name text COLLATE pg_catalog."C" NOT NULL,
    value jsonb,
    sealed bytea,
    PRIMARY KEY (session_id, name)
) WITH (fillfactor = 80);

-- Ciphertext does not compress: do not try.
ALTER TABLE sso_attr.attribute ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE INDEX attribute_by_purge_bin ON sso_attr.attribute (purge_bin, session_id)
    WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity';

-- Whoever moves expires_at by hand need not know of purge_bin. The functions set both, and for an
-- update that sets neither PostgreSQL does not even look at the condition.
CREATE FUNCTION sso_attr.follow_expires_at() RETURNS trigger
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'session' THEN
        UPDATE sso_attr.session SET purge_bin = sso_attr.purge_bin(NEW.expires_at) WHERE id = NEW.id;
    ELSE
        UPDATE sso_attr.attribute SET purge_bin = sso_attr.purge_bin(NEW.expires_at)
        WHERE session_id = NEW.session_id AND name = NEW.name;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER follow_expires_at AFTER UPDATE OF expires_at ON sso_attr.session
    FOR EACH ROW WHEN (NEW.purge_bin OPERATOR(pg_catalog.<>) sso_attr.purge_bin(NEW.expires_at))
    EXECUTE FUNCTION sso_attr.follow_expires_at();
CREATE TRIGGER follow_expires_at AFTER UPDATE OF expires_at ON sso_attr.attribute
    FOR EACH ROW WHEN (NEW.purge_bin OPERATOR(pg_catalog.<>) sso_attr.purge_bin(NEW.expires_at))
    EXECUTE FUNCTION sso_attr.follow_expires_at();

-- Not unique, so that two first uses of a key never wait for each other: equal rows do no harm,
-- different ones under one id are the alarm that they should be.
CREATE TABLE sso_attr.key_check (
    key_id bigint NOT NULL CHECK (key_id OPERATOR(pg_catalog.>=) 0 AND key_id OPERATOR(pg_catalog.<) 4294967296),
    check_value bytea NOT NULL,
    created_at timestamptz NOT NULL,
    rekeyed_at timestamptz
);

CREATE INDEX key_check_by_id ON sso_attr.key_check (key_id);
-- Without it a publication that has the table, as FOR ALL TABLES does, would let nobody update it.
ALTER TABLE sso_attr.key_check REPLICA IDENTITY FULL;

SELECT pg_catalog.pg_extension_config_dump('sso_attr.key_check', '');
-- Nearly every row is deleted within hours. The defaults would let a fifth of each table be dead
-- before a vacuum; a twentieth keeps tables and indexes at their working size, and statistics that
-- follow the rise and fall keep the plans on the indexes. The end of the table stays: giving it back,
-- to ask for it again soon, would lock out everybody meanwhile, on standbys too.
ALTER TABLE sso_attr.session SET (autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05, vacuum_truncate = off);
ALTER TABLE sso_attr.attribute SET (autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05, vacuum_truncate = off);

-- What the purge did last. A run replaces all rows that it can lock with one that carries on their
-- total, so runs never wait for each other, no count is lost, and rows do not pile up.
CREATE TABLE sso_attr.purge_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    removed bigint NOT NULL,
    removed_in_total bigint NOT NULL,
    error text
);

SELECT pg_catalog.pg_extension_config_dump('sso_attr.session', '');
SELECT pg_catalog.pg_extension_config_dump('sso_attr.attribute', '');

-- With the owner's rights, since the tables are closed; nothing in it is looked up by a search path.
CREATE FUNCTION sso_attr_check() RETURNS TABLE (session_id uuid, name text, problem text)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT a.session_id, a.name, p.problem
    FROM sso_attr.attribute AS a
    CROSS JOIN LATERAL (VALUES
        (a.value IS NOT NULL AND a.sealed IS NOT NULL, 'has both a value and a sealed value'),
        (a.value IS NULL AND a.sealed IS NULL, 'has neither a value nor a sealed value'),
        (a.purge_bin OPERATOR(pg_catalog.<>) sso_attr.purge_bin(a.expires_at), 'purge_bin does not follow expires_at'),
        (pg_catalog.char_length(a.name) OPERATOR(pg_catalog.=) 0 OR pg_catalog.char_length(a.name) OPERATOR(pg_catalog.>) 255, 'has a name of no length that functions take')
    ) AS p (is_wrong, problem)
    WHERE p.is_wrong
    UNION ALL
    SELECT s.id, NULL, p.problem
    FROM sso_attr.session AS s
    CROSS JOIN LATERAL (VALUES
        (pg_catalog.octet_length(s.secret_digest) OPERATOR(pg_catalog.<>) CASE WHEN s.alias_of IS NULL THEN 32 ELSE 0 END,
         'has no digest of 32 bytes'),
        (s.purge_bin OPERATOR(pg_catalog.<>) sso_attr.purge_bin(s.expires_at), 'purge_bin does not follow expires_at')
    ) AS p (is_wrong, problem)
    WHERE p.is_wrong;
END;
