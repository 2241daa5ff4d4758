-- Sessions with their tokens, and the peers' own tables: the columns, indexes and checks of the
-- extension's, so that what is compared is the way to a row and not the row.
CREATE EXTENSION IF NOT EXISTS sso_attr;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
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

-- Sessions first .. last, each with the given number of attributes a0001, a0002, ...
CREATE PROCEDURE bench.add_plain_sessions(first integer, last integer, attributes integer) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench.token
    SELECT i, 'sso_' || translate(encode(uuid_send(id) || sha256(i::text::bytea), 'base64'), '+/', '-_'),
           id, sha256(sha256(i::text::bytea)), sha256(i::text::bytea)
    FROM (SELECT i, (lpad(to_hex(1763800000000 + i), 12, '0') || '7000' || '8' ||
                     left(md5(i::text), 15))::uuid AS id
          FROM generate_series(first, last) AS i) AS numbered;
    INSERT INTO sso_attr.session (id, created_at, expires_at, secret_digest, user_id)
    SELECT id, now(), now() + '1 day', digest, 'user' || i % 1000 FROM bench.token WHERE i BETWEEN first AND last;
    INSERT INTO sso_attr.attribute (session_id, created_at, updated_at, name, value)
    SELECT id, now(), now(), 'a' || lpad(n::text, 4, '0'), to_jsonb(bench.filler(i::text || n))
    FROM bench.token, generate_series(1, attributes) AS n WHERE i BETWEEN first AND last ORDER BY i, n;
END
$$;

-- As above, in the peers' tables too.
CREATE PROCEDURE bench.add_sessions(first integer, last integer, attributes integer) LANGUAGE plpgsql AS $$
BEGIN
    CALL bench.add_plain_sessions(first, last, attributes);
    INSERT INTO bench.session (id, created_at, expires_at, secret_digest, user_id)
    SELECT id, created_at, expires_at, secret_digest, user_id FROM sso_attr.session
    WHERE id IN (SELECT id FROM bench.token WHERE i BETWEEN first AND last);
    INSERT INTO bench.attribute (session_id, created_at, updated_at, name, value)
    SELECT session_id, created_at, updated_at, name, value FROM sso_attr.attribute
    WHERE session_id IN (SELECT id FROM bench.token WHERE i BETWEEN first AND last)
    ORDER BY session_id, name;
END
$$;

-- The same sessions' secrets: sealed by the extension, and by pgcrypto in two ways.
CREATE PROCEDURE bench.add_secrets(first integer, last integer) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sso_attr_create(ust, 'secret', bench.filler(i::text), encrypt => true)
    FROM bench.token WHERE i BETWEEN first AND last;
    INSERT INTO bench.attribute (session_id, created_at, updated_at, name, sealed)
    SELECT id, now(), now(), 'pgp', pgp_sym_encrypt(to_jsonb(bench.filler(i::text))::text, repeat('k', 32))
    FROM bench.token WHERE i BETWEEN first AND last;
    INSERT INTO bench.attribute (session_id, created_at, updated_at, name, sealed)
    SELECT id, now(), now(), 'aes', iv || encrypt_iv(to_jsonb(bench.filler(i::text))::text::bytea,
        repeat('k', 32)::bytea, iv, 'aes')
    FROM bench.token, gen_random_bytes(16) AS iv WHERE i BETWEEN first AND last;
END
$$;

CREATE PROCEDURE bench.add_blobs(first integer, last integer) LANGUAGE sql AS $$
    INSERT INTO bench.blob
    SELECT s.id, s.secret_digest, s.expires_at, jsonb_object_agg(a.name, a.value)
    FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
    WHERE s.id IN (SELECT id FROM bench.token WHERE i BETWEEN first AND last) AND a.value IS NOT NULL
    GROUP BY s.id
$$;

-- (b) The hand-written update in a PL/pgSQL function.
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
