-- One store of sessions of one kind, with their tokens known, and the peers' own tables.
CREATE EXTENSION IF NOT EXISTS sso_attr;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE EXTENSION IF NOT EXISTS pg_prewarm;

-- The simplest tables that a careful user writes.
CREATE SCHEMA simple;

CREATE TABLE simple.session (
    id uuid PRIMARY KEY,
    digest bytea NOT NULL,
    user_id text NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX ON simple.session (expires_at);

CREATE TABLE simple.attribute (
    session_id uuid NOT NULL REFERENCES simple.session (id) ON DELETE CASCADE,
    name text NOT NULL,
    value jsonb NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT 'infinity',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, name)
) WITH (fillfactor = 80);
CREATE INDEX ON simple.attribute (expires_at);

-- The extension's own columns, indexes and checks, so that what is compared is the way to a row and
-- not the row.
CREATE SCHEMA bench;

CREATE TABLE bench.session (LIKE sso_attr.session INCLUDING ALL);
CREATE TABLE bench.attribute (
    LIKE sso_attr.attribute INCLUDING ALL,
    FOREIGN KEY (session_id) REFERENCES bench.session (id) ON DELETE CASCADE
);
ALTER TABLE bench.session SET (fillfactor = 80);
ALTER TABLE bench.attribute SET (fillfactor = 80);

-- What most session stores keep: one document for each session.
CREATE TABLE bench.blob (
    session_id uuid PRIMARY KEY,
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    data jsonb NOT NULL
) WITH (fillfactor = 80);

-- Tokens as sso_session_create issues them, but known: time-ordered ids, secrets from a counter.
CREATE TABLE bench.token (
    i integer PRIMARY KEY,
    ust text NOT NULL,
    id uuid NOT NULL,
    digest bytea NOT NULL,
    presented bytea NOT NULL
);

-- A hundred characters that do not compress away.
CREATE FUNCTION bench.filler(seed text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT left(md5(seed) || md5(seed || '1') || md5(seed || '2') || md5(seed || '3'), 100) $$;

-- Items of a batch: prefix0001, prefix0002, ...
CREATE FUNCTION bench.batch(prefix text, items integer, content text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT jsonb_agg(jsonb_build_object('name', prefix || lpad(n::text, 4, '0'), 'value', content || n))
   FROM generate_series(1, items) AS n $$;

-- Sessions first .. last, each with so many attributes in clear, a0001, a0002, ..., and so many sealed ones,
-- s0001, ...; the simplest tables have them all in clear.
CREATE PROCEDURE bench.add_sessions(first integer, last integer, clear integer, sealed integer)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench.token
    SELECT i, 'sso_' || translate(encode(uuid_send(id) || sha256(i::text::bytea), 'base64'), '+/', '-_'),
           id, sha256(sha256(i::text::bytea)), sha256(i::text::bytea)
    FROM (SELECT i, (lpad(to_hex(1763800000000 + i), 12, '0') || '7000' || '8' ||
                     left(md5(i::text), 15))::uuid AS id
          FROM generate_series(first, last) AS i) AS numbered;
    INSERT INTO sso_attr.session (id, created_at, expires_at, purge_bin, secret_digest, user_id)
    SELECT id, now(), now() + '1 day', sso_attr.purge_bin(now() + '1 day'), digest, 'user' || i % 1000 FROM bench.token WHERE i BETWEEN first AND last;
    INSERT INTO sso_attr.attribute (session_id, created_at, updated_at, purge_bin, name, value)
    SELECT id, now(), now(), 'infinity', 'a' || lpad(n::text, 4, '0'), to_jsonb(bench.filler(i::text || n))
    FROM bench.token, generate_series(1, clear) AS n WHERE i BETWEEN first AND last ORDER BY i, n;
    PERFORM sso_attr_create(ust, 's' || lpad(n::text, 4, '0'), bench.filler(i::text || n), encrypt => true)
    FROM bench.token, generate_series(1, sealed) AS n WHERE i BETWEEN first AND last;

    INSERT INTO simple.session
    SELECT id, secret_digest, user_id, expires_at FROM sso_attr.session
    WHERE id IN (SELECT id FROM bench.token WHERE i BETWEEN first AND last) ORDER BY id;
    INSERT INTO simple.attribute (session_id, name, value)
    SELECT session_id, name, coalesce(value, to_jsonb(bench.filler(session_id || name))) FROM sso_attr.attribute
    WHERE session_id IN (SELECT id FROM bench.token WHERE i BETWEEN first AND last)
    ORDER BY session_id, name;
END
$$;

-- The same in the tables like sso_attr's, and as documents.
CREATE PROCEDURE bench.add_peers() LANGUAGE sql AS $$
    INSERT INTO bench.session (id, created_at, expires_at, secret_digest, user_id)
    SELECT id, now(), expires_at, digest, user_id FROM simple.session ORDER BY id;
    INSERT INTO bench.attribute (session_id, created_at, updated_at, name, value)
    SELECT session_id, now(), updated_at, name, value FROM simple.attribute ORDER BY session_id, name;
    INSERT INTO bench.blob
    SELECT s.id, s.digest, s.expires_at, jsonb_object_agg(a.name, a.value)
    FROM simple.session AS s JOIN simple.attribute AS a ON a.session_id = s.id
    GROUP BY s.id;
$$;

-- A secret of each session, sealed by pgcrypto in two ways.
CREATE PROCEDURE bench.add_secrets() LANGUAGE sql AS $$
    INSERT INTO bench.attribute (session_id, created_at, updated_at, name, sealed)
    SELECT id, now(), now(), 'pgp', pgp_sym_encrypt(to_jsonb(bench.filler(i::text))::text, repeat('k', 32))
    FROM bench.token;
    INSERT INTO bench.attribute (session_id, created_at, updated_at, name, sealed)
    SELECT id, now(), now(), 'aes', iv || encrypt_iv(to_jsonb(bench.filler(i::text))::text::bytea,
        repeat('k', 32)::bytea, iv, 'aes')
    FROM bench.token, gen_random_bytes(16) AS iv;
$$;

-- A store that has been in use: transactions that each rewrite ten attributes of a session leave its pages
-- with the room that the next ones need.
CREATE PROCEDURE bench.settle() LANGUAGE plpgsql AS $$
DECLARE
    names text[];
    session uuid;
BEGIN
    SET synchronous_commit = off;
    FOR pass IN 0..1 LOOP
        SELECT array_agg(letter || lpad((10 * pass + n)::text, 4, '0')) INTO names
        FROM unnest('{a,s}'::text[]) AS letter, generate_series(1, 10) AS n;
        FOR session IN SELECT id FROM bench.token ORDER BY md5(pass || ust) LOOP
            UPDATE sso_attr.attribute SET updated_at = now() WHERE session_id = session AND name = ANY (names);
            UPDATE simple.attribute SET updated_at = now() WHERE session_id = session AND name = ANY (names);
            UPDATE bench.attribute SET updated_at = now() WHERE session_id = session AND name = ANY (names);
            COMMIT;
        END LOOP;
    END LOOP;
END
$$;

-- What a measurement has created, so that the next one finds the store as it was.
CREATE PROCEDURE bench.remove_new() LANGUAGE sql AS $$
    DELETE FROM sso_attr.session WHERE user_id = 'new';
    DELETE FROM simple.session WHERE user_id = 'new';
    DELETE FROM sso_attr.attribute WHERE name = 'new';
    DELETE FROM simple.attribute WHERE name = 'new';
$$;

-- The hand-written update in a PL/pgSQL function.
CREATE FUNCTION bench.update(session uuid, digest bytea, attribute text, content text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bench.attribute AS a SET value = to_jsonb(content), sealed = NULL, updated_at = now()
    FROM bench.session AS s
    WHERE s.id = session AND s.secret_digest = digest AND s.expires_at > now()
      AND a.session_id = session AND a.session_id = s.id AND a.name = attribute AND a.expires_at > now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such attribute' USING ERRCODE = 'no_data_found';
    END IF;
END
$$;
