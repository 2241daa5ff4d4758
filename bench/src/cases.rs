//! What is compared: bodies of one loop in PL/pgSQL, where every way of doing the same runs from
//! plans that are kept.

/// Sessions of one kind in a database of their own, so that its statistics are of one kind too.
pub struct Store {
    pub database: &'static str,
    /// Sessions in it; a count of instructions touches none twice.
    pub sessions: u32,
    /// Attributes of each in clear, a0001, a0002, ..., and sealed ones, s0001, ...
    pub clear: u32,
    pub sealed: u32,
}

pub static SMALL: Store = Store { database: "small", sessions: 2000, clear: 20, sealed: 0 };
pub static SEALED: Store = Store { database: "sealed", sessions: 2000, clear: 10, sealed: 10 };
pub static LARGE: Store = Store { database: "large", sessions: 80, clear: 1000, sealed: 0 };

pub static STORES: &[&Store] = &[&SMALL, &SEALED, &LARGE];

/// One way to do the work of a case.
pub struct Variant {
    pub name: &'static str,
    /// In SQL, for one session: `$word` stands for one of [`VALUES`].
    pub sql: &'static str,
    pub runs: Runs,
    /// Whose statements are planned as the server's setting says; the extension plans its own.
    pub is_peer: bool,
    /// Whether every call follows a similar one, in the same backend and session.
    pub is_second: bool,
    /// How many times dearer than the rest: its runs are shortened by this.
    pub weight: u32,
}

/// What SQL is to a loop in PL/pgSQL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// A call for what it does.
    Call,
    /// A call for its value.
    Value,
    /// A statement that selects a value.
    Select,
    /// A statement that must change a row.
    Change,
    /// A statement that must change as many rows as the batch has items.
    Changes,
    /// A statement that opens a session and answers its token.
    Open,
    /// Statements that make up a transaction.
    Transaction,
    /// PL/pgSQL as it stands, for which there is no single statement.
    Block,
}

/// What a way is handed, and its type.
pub const VALUES: &[(&str, &str)] = &[
    ("token", "text"),
    ("session", "uuid"),
    ("secret", "bytea"),
    ("presented", "bytea"),
    ("content", "text"),
    ("batch", "jsonb"),
    ("sealed_batch", "jsonb"),
    ("document", "text"),
    ("new_session", "uuid"),
];

/// The same work done in several ways, the first of which is the extension's.
pub struct Case {
    /// As one asks for it on the command line.
    pub name: &'static str,
    pub variants: &'static [Variant],
    /// Calls in the shorter of the two runs whose difference is counted.
    pub calls: u32,
    pub store: &'static Store,
    /// Items of a batch.
    pub items: u32,
    pub leaves: Leaves,
}

/// What calls leave behind, to be cleared away before the next run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    Nothing,
    /// Old versions of rows, for vacuum.
    Versions,
    /// Rows that were not there.
    Rows,
}

/// How the server plans the statements of a peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Plans {
    /// As it chooses by itself: for the values of each call, unless plans for any are no dearer by its estimate.
    Chosen,
    /// For any values, once.
    Generic,
}

impl Plans {
    /// The setting's value.
    pub fn setting(self) -> &'static str {
        match self {
            Plans::Chosen => "auto",
            Plans::Generic => "force_generic_plan",
        }
    }
}

impl Variant {
    /// What to try; the cheapest counts.
    pub fn plans(&self) -> &'static [Plans] {
        if self.is_peer { &[Plans::Chosen, Plans::Generic] } else { &[Plans::Chosen] }
    }

    /// Its statements in PL/pgSQL, where the values are variables.
    fn body(&self) -> String {
        let sql =
            VALUES.iter().fold(self.sql.to_owned(), |sql, (name, _)| sql.replace(&format!("${name}"), name));
        match self.runs {
            // A function is called from a condition: that is PL/pgSQL's way without a SELECT around it.
            Runs::Call => format!("IF {sql} IS NULL THEN END IF;"),
            Runs::Value => format!("answer := {sql};"),
            Runs::Select => format!("{sql} INTO answer;"),
            Runs::Change => format!("{sql}; IF NOT FOUND THEN RAISE no_data_found; END IF;"),
            Runs::Changes => format!(
                "{sql}; GET DIAGNOSTICS done = ROW_COUNT;
                IF done <> jsonb_array_length(batch) THEN RAISE no_data_found; END IF;"
            ),
            Runs::Open => format!("{sql} INTO token, document;"),
            Runs::Transaction => format!("new_session := gen_random_uuid(); {sql};"),
            Runs::Block => sql,
        }
    }

    /// The tables whose rows it may change.
    pub fn tables(&self) -> &'static str {
        if !self.is_peer {
            "sso_attr.session, sso_attr.attribute"
        } else if self.sql.contains("simple.") {
            "simple.session, simple.attribute"
        } else {
            "bench.session, bench.attribute, bench.blob"
        }
    }
}

impl Case {
    /// A DO block that makes `calls` calls, one in each session after the first `skip`.
    pub fn block(&self, variant: &Variant, plans: Plans, skip: u32, calls: u32) -> String {
        format!(
            "DO $bench$
            DECLARE
                ust text[]; ids uuid[]; digests bytea[]; secrets bytea[];
                token text; presented bytea; session uuid; new_session uuid; secret bytea; item record; done bigint;
                content text := bench.filler(clock_timestamp()::text);
                batch jsonb := bench.batch('a', {items}, content);
                sealed_batch jsonb := bench.batch('s', {items}, content);
                answer jsonb; document text; started timestamptz; key bytea := repeat('k', 32)::bytea; iv bytea;
            BEGIN
                PERFORM set_config('plan_cache_mode', '{plans}', false);
                -- Neighbours share a page, and what one call has left there the next one of the same
                -- transaction cannot clear away: no two of a run are neighbours.
                SELECT array_agg(t.ust ORDER BY t.i), array_agg(t.id ORDER BY t.i), array_agg(t.digest ORDER BY t.i),
                    array_agg(t.presented ORDER BY t.i)
                INTO ust, ids, digests, secrets
                FROM (SELECT * FROM bench.token ORDER BY i % 3, i OFFSET {skip} LIMIT {calls}) AS t;
                SELECT jsonb_object_agg('a' || lpad(n::text, 4, '0'),
                    CASE n WHEN 7 THEN content ELSE bench.filler(n::text) END)::text
                INTO document FROM generate_series(1, 20) AS n;
                started := clock_timestamp();
                FOR i IN 1..{calls} LOOP
                    token := ust[i]; session := ids[i]; secret := digests[i]; presented := secrets[i];
                    {body}
                END LOOP;
                PERFORM set_config('bench.micros',
                    (extract(epoch FROM clock_timestamp() - started) * 1000000)::text, false);
            END $bench$",
            items = self.items,
            plans = plans.setting(),
            body = variant.body()
        )
    }

    /// Whether it is among the names asked for, or none were.
    pub fn is_named(&self, names: &[String]) -> bool {
        names.is_empty() || names.iter().any(|name| name == self.name)
    }
}

const fn own(name: &'static str, runs: Runs, sql: &'static str) -> Variant {
    Variant { name, sql, runs, is_peer: false, is_second: false, weight: 1 }
}

const fn second(name: &'static str, runs: Runs, sql: &'static str) -> Variant {
    Variant { name, sql, runs, is_peer: false, is_second: true, weight: 1 }
}

const fn peer(name: &'static str, runs: Runs, sql: &'static str) -> Variant {
    Variant { name, sql, runs, is_peer: true, is_second: false, weight: 1 }
}

const fn dear(name: &'static str, runs: Runs, sql: &'static str, weight: u32) -> Variant {
    Variant { name, sql, runs, is_peer: true, is_second: false, weight }
}

const fn read(name: &'static str, variants: &'static [Variant], store: &'static Store) -> Case {
    Case { name, variants, calls: 70, store, items: 0, leaves: Leaves::Nothing }
}

const fn write(name: &'static str, variants: &'static [Variant], store: &'static Store) -> Case {
    Case { name, variants, calls: 70, store, items: 0, leaves: Leaves::Versions }
}

const fn create(name: &'static str, variants: &'static [Variant], items: u32) -> Case {
    Case { name, variants, calls: 70, store: &SMALL, items, leaves: Leaves::Rows }
}

const fn many(
    name: &'static str,
    variants: &'static [Variant],
    store: &'static Store,
    items: u32,
    calls: u32,
) -> Case {
    Case { name, variants, calls, store, items, leaves: Leaves::Versions }
}

pub static CASES: &[Case] = &[
    write("update", UPDATE, &SMALL),
    write("update_encrypt", UPDATE_ENCRYPT, &SEALED),
    write("update_sealed", UPDATE_SEALED, &SEALED),
    read("get", GET, &SMALL),
    read("get_sealed", GET_SEALED, &SEALED),
    read("get_all", GET_ALL, &SMALL),
    read("get_all_sealed", GET_ALL, &SEALED),
    read("load", LOAD, &SMALL),
    write("save", SAVE, &SMALL),
    create("create", CREATE, 0),
    many("update_many_2", UPDATE_MANY, &SMALL, 2, 50),
    many("update_many_10", UPDATE_MANY, &SMALL, 10, 50),
    many("update_many_10_sealed", UPDATE_MANY_SEALED, &SEALED, 10, 50),
    many("update_many_100", UPDATE_MANY, &LARGE, 100, 4),
    many("update_many_1000", UPDATE_MANY, &LARGE, 1000, 2),
    many("set_many_10", SET_MANY, &SMALL, 10, 50),
    create("session_create_5", SESSION_CREATE, 5),
    write("document", DOCUMENT, &SMALL),
];

/// The most that the extension may take of what another way takes.
pub struct Wanted {
    pub instructions: Option<f64>,
    pub time: Option<f64>,
}

pub const SIMPLE: &str = "SQL on the simplest tables";
pub const SIMPLE_CLEAR: &str = "SQL on the simplest tables, in clear";
const OWN_CLEAR: &str = "sso_attr, in clear";
const FIRST: &str = "the same, in a backend that has not met the attribute";
pub const LIKE_OURS: &str = "SQL on tables like sso_attr's";

/// What was wanted of a case against one of its ways.
pub fn wanted(case: &str, way: &str) -> Option<Wanted> {
    let (instructions, time) = match (case, way) {
        ("update", SIMPLE) => (Some(1.0), Some(1.0)),
        ("update_sealed" | "update_encrypt", OWN_CLEAR) => (Some(1.2), Some(1.25)),
        ("update_encrypt", "SQL with pgp_sym_encrypt") => (Some(0.2), Some(0.2)),
        ("get", SIMPLE) => (Some(0.95), Some(0.95)),
        ("get_sealed", OWN_CLEAR) => (Some(1.2), Some(1.2)),
        ("get_all", SIMPLE) => (Some(0.8), Some(0.8)),
        ("update_many_10_sealed", OWN_CLEAR) => (Some(1.3), Some(1.3)),
        ("update_many_2" | "update_many_10" | "update_many_1000", SIMPLE) => (Some(1.0), Some(1.0)),
        ("document", "one document rewritten") => (None, Some(0.5)),
        _ => return None,
    };
    Some(Wanted { instructions, time })
}

/// The loop itself, which is taken off every variant.
pub static EMPTY: Variant = own("empty loop", Runs::Block, "NULL;");

const CLEAR_UPDATE: &str = "sso_attr_update($token, 'a0007', $content)";

const SIMPLE_UPDATE: &str = "UPDATE simple.attribute AS a SET value = to_jsonb($content), updated_at = now()
    FROM simple.session AS s
    WHERE s.id = $session AND s.digest = $secret AND s.expires_at > now()
      AND a.session_id = $session AND a.name = 'a0007' AND a.expires_at > now()";

static UPDATE: &[Variant] = &[
    own("sso_attr_update", Runs::Call, CLEAR_UPDATE),
    peer(SIMPLE, Runs::Change, SIMPLE_UPDATE),
    peer(
        LIKE_OURS,
        Runs::Change,
        "UPDATE bench.attribute AS a SET value = to_jsonb($content), sealed = NULL, updated_at = now()
         FROM bench.session AS s
         WHERE s.id = $session AND s.secret_digest = $secret AND s.expires_at > now()
           AND a.session_id = $session AND a.name = 'a0007' AND a.expires_at > now()",
    ),
    peer(
        "SQL on tables like sso_attr's, hashing the token's secret",
        Runs::Change,
        "UPDATE bench.attribute AS a SET value = to_jsonb($content), sealed = NULL, updated_at = now()
         FROM bench.session AS s
         WHERE s.id = $session AND s.secret_digest = sha256($presented) AND s.expires_at > now()
           AND a.session_id = $session AND a.name = 'a0007' AND a.expires_at > now()",
    ),
    peer(
        "PL/pgSQL function",
        Runs::Block,
        "IF bench.update($session, $secret, 'a0007', $content) IS NULL THEN END IF;",
    ),
];

static UPDATE_ENCRYPT: &[Variant] = &[
    own(
        "sso_attr_update, encrypt => true",
        Runs::Call,
        "sso_attr_update($token, 's0007', $content, encrypt => true)",
    ),
    own(OWN_CLEAR, Runs::Call, CLEAR_UPDATE),
    peer(SIMPLE_CLEAR, Runs::Change, SIMPLE_UPDATE),
    dear(
        "SQL with pgp_sym_encrypt",
        Runs::Change,
        "UPDATE bench.attribute AS a
         SET sealed = pgp_sym_encrypt(to_jsonb($content)::text, repeat('k', 32)), updated_at = now()
         FROM bench.session AS s
         WHERE s.id = $session AND s.secret_digest = $secret AND s.expires_at > now()
           AND a.session_id = $session AND a.name = 'pgp' AND a.expires_at > now()",
        10,
    ),
    peer(
        "SQL with encrypt_iv",
        Runs::Block,
        "iv := gen_random_bytes(16);
         UPDATE bench.attribute AS a
         SET sealed = iv || encrypt_iv(to_jsonb($content)::text::bytea, key, iv, 'aes'), updated_at = now()
         FROM bench.session AS s
         WHERE s.id = $session AND s.secret_digest = $secret AND s.expires_at > now()
           AND a.session_id = $session AND a.name = 'aes' AND a.expires_at > now();
         IF NOT FOUND THEN RAISE no_data_found; END IF;",
    ),
];

// The extension remembers for a while what it found sealed.
const SEALED_UPDATE: &str = "sso_attr_update($token, 's0007', $content)";

static UPDATE_SEALED: &[Variant] = &[
    second("sso_attr_update", Runs::Call, SEALED_UPDATE),
    own(FIRST, Runs::Call, SEALED_UPDATE),
    own(OWN_CLEAR, Runs::Call, CLEAR_UPDATE),
    peer(SIMPLE_CLEAR, Runs::Change, SIMPLE_UPDATE),
];

const CLEAR_GET: &str = "sso_attr_get($token, 'a0007')";

const SIMPLE_GET: &str =
    "SELECT a.value FROM simple.session AS s JOIN simple.attribute AS a ON a.session_id = s.id
    WHERE s.id = $session AND s.digest = $secret AND s.expires_at > now()
      AND a.session_id = $session AND a.name = 'a0007' AND a.expires_at > now()";

static GET: &[Variant] = &[
    own("sso_attr_get", Runs::Value, CLEAR_GET),
    peer(SIMPLE, Runs::Select, SIMPLE_GET),
    peer(
        LIKE_OURS,
        Runs::Select,
        "SELECT a.value FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
         WHERE s.id = $session AND s.secret_digest = $secret AND s.expires_at > now()
           AND a.session_id = $session AND a.name = 'a0007' AND a.expires_at > now()",
    ),
];

static GET_SEALED: &[Variant] = &[
    own("sso_attr_get", Runs::Value, "sso_attr_get($token, 's0007')"),
    own(OWN_CLEAR, Runs::Value, CLEAR_GET),
    peer(SIMPLE_CLEAR, Runs::Select, SIMPLE_GET),
    dear(
        "SQL with pgp_sym_decrypt",
        Runs::Select,
        "SELECT pgp_sym_decrypt(a.sealed, repeat('k', 32))::jsonb
         FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
         WHERE s.id = $session AND s.secret_digest = $secret AND s.expires_at > now()
           AND a.session_id = $session AND a.name = 'pgp' AND a.expires_at > now()",
        10,
    ),
    peer(
        "SQL with decrypt_iv",
        Runs::Select,
        "SELECT convert_from(decrypt_iv(substr(a.sealed, 17), repeat('k', 32)::bytea, substr(a.sealed, 1, 16), 'aes'),
             'UTF8')::jsonb
         FROM bench.session AS s JOIN bench.attribute AS a ON a.session_id = s.id
         WHERE s.id = $session AND s.secret_digest = $secret AND s.expires_at > now()
           AND a.session_id = $session AND a.name = 'aes' AND a.expires_at > now()",
    ),
];

// Of 20 attributes: all of them in clear for the peer, whatever the extension has sealed.
static GET_ALL: &[Variant] = &[
    own("sso_attr_get_all", Runs::Value, "sso_attr_get_all($token)"),
    peer(
        SIMPLE,
        Runs::Select,
        "SELECT jsonb_object_agg(a.name, a.value)
         FROM simple.session AS s JOIN simple.attribute AS a ON a.session_id = s.id
         WHERE s.id = $session AND s.digest = $secret AND s.expires_at > now()
           AND a.session_id = $session AND a.expires_at > now()",
    ),
];

// All that a request reads, by one call or by the two that it takes the place of.
static LOAD: &[Variant] = &[
    own("sso_session_load", Runs::Select, "SELECT attributes FROM sso_session_load($token)"),
    own("sso_session_get", Runs::Select, "SELECT to_jsonb(user_id) FROM sso_session_get($token)"),
    own("sso_attr_get_all", Runs::Value, "sso_attr_get_all($token)"),
];

const SAVE_ONE: &str = "sso_session_save($token, jsonb_build_object('a0007', $content))";

// The first save in a while renews the session, which the peer does not.
static SAVE: &[Variant] = &[
    second("sso_session_save", Runs::Call, SAVE_ONE),
    own("sso_session_save, which renews the session", Runs::Call, SAVE_ONE),
    peer(
        SIMPLE,
        Runs::Change,
        "INSERT INTO simple.attribute AS a (session_id, name, value)
         SELECT s.id, d.key, d.value FROM simple.session AS s, jsonb_each(jsonb_build_object('a0007', $content)) AS d
         WHERE s.id = $session AND s.digest = $secret AND s.expires_at > now()
         ON CONFLICT (session_id, name) DO UPDATE SET value = EXCLUDED.value, updated_at = now(),
             expires_at = CASE WHEN a.expires_at <= now() THEN EXCLUDED.expires_at ELSE a.expires_at END",
    ),
];

static CREATE: &[Variant] = &[
    own("sso_attr_create", Runs::Call, "sso_attr_create($token, 'new', $content)"),
    peer(
        SIMPLE,
        Runs::Change,
        "INSERT INTO simple.attribute AS a (session_id, name, value)
         SELECT s.id, 'new', to_jsonb($content) FROM simple.session AS s
         WHERE s.id = $session AND s.digest = $secret AND s.expires_at > now()
         ON CONFLICT (session_id, name) DO UPDATE SET value = EXCLUDED.value, updated_at = now(),
             expires_at = EXCLUDED.expires_at
         WHERE a.expires_at <= now()",
    ),
];

const CLEAR_UPDATE_MANY: &str = "sso_attr_update_many($token, $batch)";

const SIMPLE_UPDATE_MANY: &str = "UPDATE simple.attribute AS a SET value = d.value, updated_at = now()
    FROM jsonb_to_recordset($batch) AS d(name text, value jsonb), simple.session AS s
    WHERE s.id = $session AND s.digest = $secret AND s.expires_at > now()
      AND a.session_id = $session AND a.name = d.name AND a.expires_at > now()";

static UPDATE_MANY: &[Variant] = &[
    own("sso_attr_update_many", Runs::Call, CLEAR_UPDATE_MANY),
    peer(SIMPLE, Runs::Changes, SIMPLE_UPDATE_MANY),
    peer(
        "one UPDATE for each item, on the simplest tables",
        Runs::Block,
        "FOR item IN SELECT d.name, d.value FROM jsonb_to_recordset($batch) AS d(name text, value jsonb) LOOP
            UPDATE simple.attribute AS a SET value = item.value, updated_at = now()
            FROM simple.session AS s
            WHERE s.id = $session AND s.digest = $secret AND s.expires_at > now()
              AND a.session_id = $session AND a.name = item.name AND a.expires_at > now();
            IF NOT FOUND THEN RAISE no_data_found; END IF;
         END LOOP;",
    ),
    peer(
        LIKE_OURS,
        Runs::Changes,
        "UPDATE bench.attribute AS a SET value = d.value, sealed = NULL, updated_at = now()
         FROM jsonb_to_recordset($batch) AS d(name text, value jsonb), bench.session AS s
         WHERE s.id = $session AND s.secret_digest = $secret AND s.expires_at > now()
           AND a.session_id = $session AND a.name = d.name AND a.expires_at > now()",
    ),
];

const SEALED_UPDATE_MANY: &str = "sso_attr_update_many($token, $sealed_batch)";

static UPDATE_MANY_SEALED: &[Variant] = &[
    second("sso_attr_update_many", Runs::Call, SEALED_UPDATE_MANY),
    own(FIRST, Runs::Call, SEALED_UPDATE_MANY),
    own(OWN_CLEAR, Runs::Call, CLEAR_UPDATE_MANY),
    peer(SIMPLE_CLEAR, Runs::Changes, SIMPLE_UPDATE_MANY),
];

static SET_MANY: &[Variant] = &[
    own("sso_attr_set_many", Runs::Call, "sso_attr_set_many($token, $batch)"),
    peer(
        SIMPLE,
        Runs::Changes,
        "INSERT INTO simple.attribute AS a (session_id, name, value)
         SELECT s.id, d.name, d.value
         FROM simple.session AS s, jsonb_to_recordset($batch) AS d(name text, value jsonb)
         WHERE s.id = $session AND s.digest = $secret AND s.expires_at > now()
         ON CONFLICT (session_id, name) DO UPDATE SET value = EXCLUDED.value, updated_at = now(),
             expires_at = CASE WHEN a.expires_at <= now() THEN EXCLUDED.expires_at ELSE a.expires_at END",
    ),
];

// Over a socket the peer has BEGIN and COMMIT around its two.
static SESSION_CREATE: &[Variant] = &[
    own(
        "sso_attr_set_many of sso_session_create",
        Runs::Open,
        "SELECT made.ust, sso_attr_set_many(made.ust, $batch) FROM sso_session_create('new') AS made(ust)",
    ),
    peer(
        SIMPLE,
        Runs::Transaction,
        "INSERT INTO simple.session VALUES ($new_session, sha256($presented), 'new', now() + interval '1 hour');
         INSERT INTO simple.attribute (session_id, name, value)
         SELECT $new_session, d.name, d.value FROM jsonb_to_recordset($batch) AS d(name text, value jsonb)",
    ),
];

// Both are handed text, as drivers send it: the value on one side, the document on the other.
static DOCUMENT: &[Variant] = &[
    own("sso_attr_update", Runs::Call, CLEAR_UPDATE),
    peer(
        "one document rewritten",
        Runs::Change,
        "UPDATE bench.blob AS b SET data = $document::jsonb
         WHERE b.session_id = $session AND b.digest = $secret AND b.expires_at > now()",
    ),
];
