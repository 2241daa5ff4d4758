//! What is compared: bodies of one loop in PL/pgSQL, where every way of doing the same runs from
//! plans that are kept.

/// One way to do the work of a case.
pub struct Variant {
    pub name: &'static str,
    /// Statements for one session; see [`Case::block`] for what is in scope.
    pub body: &'static str,
    /// How many times dearer than the rest: its runs are shortened by this.
    pub weight: u32,
}

/// The same work done in several ways, the first of which is the extension's.
pub struct Case {
    pub name: &'static str,
    pub variants: &'static [Variant],
    /// Calls in the shorter of the two runs whose difference is taken.
    pub calls: u32,
    /// Which sessions: those with 20 attributes or those with 1000.
    pub sessions: Sessions,
    /// Items of a batch.
    pub items: u32,
    /// Whether the calls change rows, which the next run must find vacuumed.
    pub writes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    Small,
    Large,
}

/// Sessions of each kind that the fixture holds; a run of calls never touches one twice.
pub const SMALL_SESSIONS: u32 = 1000;
pub const LARGE_SESSIONS: u32 = 64;
pub const ATTRIBUTES_SMALL: u32 = 20;
pub const ATTRIBUTES_LARGE: u32 = 1000;

impl Case {
    /// A DO block that makes `calls` calls.
    pub fn block(&self, variant: &Variant, calls: u32) -> String {
        let skip = match self.sessions {
            Sessions::Small => 0,
            Sessions::Large => SMALL_SESSIONS,
        };
        format!(
            "DO $bench$
            DECLARE
                ust text[]; ids uuid[]; digests bytea[]; secrets bytea[]; token text; presented bytea; session uuid; secret bytea; item record; done bigint;
                content text := bench.filler(clock_timestamp()::text); answer jsonb; batch jsonb; document text; started timestamptz;
                key bytea := repeat('k', 32)::bytea; iv bytea;
            BEGIN
                SELECT array_agg(t.ust ORDER BY t.i), array_agg(t.id ORDER BY t.i), array_agg(t.digest ORDER BY t.i),
                    array_agg(t.presented ORDER BY t.i)
                INTO ust, ids, digests, secrets FROM bench.token AS t WHERE t.i > {skip} AND t.i <= {skip} + {calls};
                SELECT jsonb_agg(jsonb_build_object('name', 'a' || lpad(n::text, 4, '0'), 'value', content || n))
                INTO batch FROM generate_series(1, {items}) AS n;
                SELECT jsonb_object_agg('a' || lpad(n::text, 4, '0'),
                    CASE n WHEN 7 THEN content ELSE bench.filler(n::text) END)::text
                INTO document FROM generate_series(1, {ATTRIBUTES_SMALL}) AS n;
                started := clock_timestamp();
                FOR i IN 1..{calls} LOOP
                    token := ust[i]; session := ids[i]; secret := digests[i]; presented := secrets[i];
                    {body}
                END LOOP;
                PERFORM set_config('bench.micros',
                    (extract(epoch FROM clock_timestamp() - started) * 1000000)::text, false);
            END $bench$",
            items = self.items,
            body = variant.body
        )
    }
}

const fn variant(name: &'static str, body: &'static str) -> Variant {
    Variant { name, body, weight: 1 }
}

const fn dear(name: &'static str, body: &'static str, weight: u32) -> Variant {
    Variant { name, body, weight }
}

const fn one(name: &'static str, variants: &'static [Variant], writes: bool) -> Case {
    Case { name, variants, calls: 300, sessions: Sessions::Small, items: 0, writes }
}

const fn many(name: &'static str, variants: &'static [Variant], items: u32, calls: u32) -> Case {
    Case { name, variants, calls, sessions: Sessions::Large, items, writes: true }
}

pub const CASES: &[Case] = &[
    one("update", UPDATE, true),
    one("update, encrypted", UPDATE_ENCRYPTED, true),
    one("get", GET, false),
    one("get, encrypted", GET_ENCRYPTED, false),
    one("get_all of 21, one encrypted", GET_ALL, false),
    many("update_many of 10", UPDATE_MANY, 10, 30),
    many("update_many of 100", UPDATE_MANY, 100, 20),
    many("update_many of 1000", UPDATE_MANY, 1000, 8),
    one("one of 20 attributes", ONE_OF_TWENTY, true),
];

/// The most that the extension may take of what another way takes.
pub struct Wanted {
    pub instructions: Option<f64>,
    pub time: Option<f64>,
}

/// What was wanted of a case against one of its ways.
pub fn wanted(case: &str, way: &str) -> Option<Wanted> {
    let (instructions, time) = match (case, way) {
        ("update", "SQL statement") => (Some(1.0), Some(1.1)),
        ("update", "PL/pgSQL function") => (Some(0.95), Some(0.95)),
        ("update, encrypted", "sso_attr_update, in clear") => (Some(1.25), Some(1.25)),
        ("update, encrypted", "SQL with pgp_sym_encrypt") => (Some(0.2), Some(0.2)),
        ("get", "SQL statement") => (Some(1.1), Some(1.1)),
        ("get, encrypted", "SQL statement, in clear") => (Some(1.35), Some(1.35)),
        (_, "UPDATE ... FROM jsonb_to_recordset") => (Some(1.0), Some(1.0)),
        ("one of 20 attributes", "one document rewritten") => (None, Some(0.5)),
        _ => return None,
    };
    Some(Wanted { instructions, time })
}

/// The loop itself, which is taken off every variant.
pub static EMPTY: Variant = variant("empty loop", "NULL;");

const SQL_UPDATE: &str = "
    UPDATE bench.attribute AS a SET value = to_jsonb(content), sealed = NULL, updated_at = now()
    FROM bench.session AS s
    WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
      AND a.session_id = session AND a.session_id = s.id AND a.name = 'a0007' AND a.expires_at > now();
    IF NOT FOUND THEN RAISE no_data_found; END IF;";

// A function is called from a condition: that is PL/pgSQL's way without a SELECT around it.
const UPDATE: &[Variant] = &[
    variant("sso_attr_update", "IF sso_attr_update(token, 'a0007', content) IS NULL THEN END IF;"),
    variant("SQL statement", SQL_UPDATE),
    variant("PL/pgSQL function", "IF bench.update(session, secret, 'a0007', content) IS NULL THEN END IF;"),
    variant(
        "SQL statement that hashes the token's secret",
        "UPDATE bench.attribute AS a SET value = to_jsonb(content), sealed = NULL, updated_at = now()
         FROM bench.session AS s
         WHERE s.id = session AND s.secret_digest = sha256(presented) AND s.expires_at > now()
           AND a.session_id = session AND a.session_id = s.id AND a.name = 'a0007' AND a.expires_at > now();
         IF NOT FOUND THEN RAISE no_data_found; END IF;",
    ),
];

const UPDATE_ENCRYPTED: &[Variant] = &[
    variant(
        "sso_attr_update, encrypt => true",
        "IF sso_attr_update(token, 'secret', content, encrypt => true) IS NULL THEN END IF;",
    ),
    variant("sso_attr_update, in clear", "IF sso_attr_update(token, 'a0007', content) IS NULL THEN END IF;"),
    variant(
        "sso_attr_update of an encrypted attribute",
        "IF sso_attr_update(token, 'secret', content) IS NULL THEN END IF;",
    ),
    dear(
        "SQL with pgp_sym_encrypt",
        "UPDATE bench.attribute AS a
         SET sealed = pgp_sym_encrypt(to_jsonb(content)::text, encode(key, 'escape')), updated_at = now()
         FROM bench.session AS s
         WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
           AND a.session_id = session AND a.session_id = s.id AND a.name = 'pgp' AND a.expires_at > now();
         IF NOT FOUND THEN RAISE no_data_found; END IF;",
        10,
    ),
    variant(
        "SQL with encrypt_iv",
        "iv := gen_random_bytes(16);
         UPDATE bench.attribute AS a
         SET sealed = iv || encrypt_iv(to_jsonb(content)::text::bytea, key, iv, 'aes'), updated_at = now()
         FROM bench.session AS s
         WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
           AND a.session_id = session AND a.session_id = s.id AND a.name = 'aes' AND a.expires_at > now();
         IF NOT FOUND THEN RAISE no_data_found; END IF;",
    ),
];

const GET: &[Variant] = &[
    variant("sso_attr_get", "answer := sso_attr_get(token, 'a0007');"),
    variant(
        "SQL statement",
        "SELECT a.value INTO answer FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
         WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
           AND a.session_id = session AND a.name = 'a0007' AND a.expires_at > now();",
    ),
];

const GET_ENCRYPTED: &[Variant] = &[
    variant("sso_attr_get", "answer := sso_attr_get(token, 'secret');"),
    variant(
        "SQL statement, in clear",
        "SELECT a.value INTO answer FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
         WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
           AND a.session_id = session AND a.name = 'a0007' AND a.expires_at > now();",
    ),
    dear(
        "SQL with pgp_sym_decrypt",
        "SELECT pgp_sym_decrypt(a.sealed, encode(key, 'escape'))::jsonb INTO answer
         FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
         WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
           AND a.session_id = session AND a.name = 'pgp' AND a.expires_at > now();",
        10,
    ),
    variant(
        "SQL with decrypt_iv",
        "SELECT convert_from(decrypt_iv(substr(a.sealed, 17), key, substr(a.sealed, 1, 16), 'aes'), 'UTF8')::jsonb INTO answer
         FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
         WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
           AND a.session_id = session AND a.name = 'aes' AND a.expires_at > now();",
    ),
];

const GET_ALL: &[Variant] = &[
    variant("sso_attr_get_all", "answer := sso_attr_get_all(token);"),
    variant(
        "SELECT jsonb_object_agg, of 20 in clear",
        "SELECT jsonb_object_agg(a.name, a.value) INTO answer
         FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
         WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
           AND a.session_id = session AND a.value IS NOT NULL AND a.expires_at > now();",
    ),
];

const UPDATE_MANY: &[Variant] = &[
    variant("sso_attr_update_many", "IF sso_attr_update_many(token, batch) IS NULL THEN END IF;"),
    variant(
        "UPDATE ... FROM jsonb_to_recordset",
        "UPDATE bench.attribute AS a SET value = d.value, sealed = NULL, updated_at = now()
         FROM jsonb_to_recordset(batch) AS d(name text, value jsonb), bench.session AS s
         WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
           AND a.session_id = session AND a.session_id = s.id AND a.name = d.name AND a.expires_at > now();
         GET DIAGNOSTICS done = ROW_COUNT;
         IF done <> jsonb_array_length(batch) THEN RAISE no_data_found; END IF;",
    ),
    variant(
        "one UPDATE for each item",
        "FOR item IN SELECT d.name, d.value FROM jsonb_to_recordset(batch) AS d(name text, value jsonb) LOOP
            UPDATE bench.attribute AS a SET value = item.value, sealed = NULL, updated_at = now()
            FROM bench.session AS s
            WHERE s.id = session AND s.secret_digest = secret AND s.expires_at > now()
              AND a.session_id = session AND a.session_id = s.id AND a.name = item.name AND a.expires_at > now();
            IF NOT FOUND THEN RAISE no_data_found; END IF;
         END LOOP;",
    ),
];

// Both are handed text, as drivers send it: the value on one side, the document on the other.
const ONE_OF_TWENTY: &[Variant] = &[
    variant("sso_attr_update", "IF sso_attr_update(token, 'a0007', content) IS NULL THEN END IF;"),
    variant(
        "one document rewritten",
        "UPDATE bench.blob AS b SET data = document::jsonb
         WHERE b.session_id = session AND b.digest = secret AND b.expires_at > now();
         IF NOT FOUND THEN RAISE no_data_found; END IF;",
    ),
];
