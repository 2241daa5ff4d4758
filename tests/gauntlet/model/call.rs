//! A call and its SQL. Tokens are named by the slot that they were put into, so that a trace of calls
//! means something on any server, and still does when some of them are left out.

/// How many tokens are held at a time.
pub const SLOTS: usize = 6;

/// A token as presented.
#[derive(Debug, Clone, Copy)]
pub enum Ust {
    Slot(usize),
    /// Issued elsewhere, whether it was adopted or not.
    Foreign(usize),
    Null,
    Malformed,
}

/// Tokens that are issued elsewhere; the last three cannot be adopted.
pub const FOREIGN: [&str; 6] = [
    "token-of-a-framework-1",
    "token-of-a-framework-2",
    "token of a framework, the third é",
    "too-short",
    "sso_token-that-looks-like-ours",
    "",
];
pub const ADOPTABLE: usize = 3;

/// What an SQL expression for a number of seconds means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ttl {
    /// NULL.
    None,
    Never,
    Micros(i64),
    /// So short that it is over with the next call.
    Instant,
    Bad,
}

/// An expiration: in SQL, in JSON, and what it means.
pub type Expiration = (&'static str, &'static str, Ttl);

pub const NO_EXPIRATION: Expiration = ("NULL", "null", Ttl::None);
pub const EXPIRATIONS: [Expiration; 10] = [
    NO_EXPIRATION,
    ("'Infinity'", "\"Infinity\"", Ttl::Never),
    ("3600", "3600", Ttl::Micros(3_600_000_000)),
    ("86400.25", "86400.25", Ttl::Micros(86_400_250_000)),
    ("1e7", "1e7", Ttl::Micros(10_000_000_000_000)),
    ("1e-6", "1e-6", Ttl::Instant),
    ("0", "0", Ttl::Bad),
    ("(-1)", "-1", Ttl::Bad),
    ("'NaN'", "\"soon\"", Ttl::Bad),
    ("1e300", "1e300", Ttl::Bad),
];
/// The first ones are right.
pub const RIGHT_EXPIRATIONS: usize = 6;

/// When a session is to end.
#[derive(Debug, Clone, Copy)]
pub enum Deadline {
    In(Expiration),
    /// At a time, so many seconds from now.
    At(i64),
    Both,
}

/// An address: in SQL, and as it is shown; none where it is refused.
pub type Address = (&'static str, Option<&'static str>);

pub const ADDRESSES: [Address; 6] = [
    ("NULL::inet", Some("")),
    ("'192.0.2.7'::inet", Some("192.0.2.7")),
    ("'2001:db8::7'::text", Some("2001:db8::7")),
    ("' '::text", Some("")),
    ("'198.51.100.1, 192.0.2.7'::text", None),
    ("'nowhere'::text", None),
];

/// Where a session comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// No other call has it.
    pub label: usize,
    pub app: Name,
    pub address: Address,
}

/// A value: as an argument of any type, and as the jsonb that it becomes.
pub type Value = (&'static str, &'static str);

pub const VALUES: [Value; 13] = [
    ("'one'::text", "\"one\""),
    ("'zwei é'::text", "\"zwei é\""),
    ("'{\"a\": 1}'::jsonb", "{\"a\": 1}"),
    ("NULL::text", "null"),
    ("true", "true"),
    ("ARRAY[1, 2]", "[1, 2]"),
    ("'it''s'::text", "\"it's\""),
    ("42", "42"),
    ("2.50", "2.50"),
    ("2.5", "2.5"),
    ("-7", "-7"),
    ("12345678901234567890123.10", "12345678901234567890123.10"),
    ("(SELECT jsonb_agg(0) FROM generate_series(1, 3000))", LONG),
];
const LONG: &str = include_str!("long.json");

/// Names that an attribute can have, and three that it cannot.
pub const NAMES: [Option<&str>; 12] = [
    Some("a"),
    Some("b"),
    Some("bb"),
    Some("B"),
    Some("it's"),
    Some("é"),
    Some("Größe 名"),
    Some(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    Some("c"),
    None,
    Some(""),
    Some(TOO_LONG),
];
/// The first ones are right.
pub const RIGHT_NAMES: usize = 9;
pub const TOO_LONG: &str = include_str!("too_long.txt");

pub type Name = Option<&'static str>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verb {
    Create,
    Update,
    Set,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lookup {
    Get,
    GetText,
    Exists,
    Take,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LookupMany {
    Get,
    Exists,
    Delete,
}

/// An item of a batch; the keys that are `None` are not there.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    pub name: Name,
    pub value: Value,
    pub expiration: Option<Expiration>,
    pub encrypt: Option<Option<bool>>,
}

#[derive(Debug, Clone)]
pub enum Call {
    Begin,
    Commit,
    Rollback,
    Savepoint(usize),
    RollbackTo(usize),
    Release(usize),

    Open {
        into: usize,
        origin: Origin,
        user: Name,
        deadline: Deadline,
        ust: Option<usize>,
        keep_newest: Option<i32>,
    },
    Rotate {
        ust: Ust,
        into: usize,
        user: Name,
        new: Option<usize>,
    },
    Renew {
        ust: Ust,
        deadline: Deadline,
    },
    Save {
        ust: Ust,
        changed: Vec<(&'static str, Value)>,
        removed: Vec<Name>,
        deadline: Deadline,
        replace: bool,
        encrypt: Vec<Name>,
    },
    End {
        ust: Ust,
    },
    EndAll {
        user: Name,
        keep: Option<Ust>,
    },
    EndOne {
        user: Name,
        owner: &'static str,
        nth: usize,
    },
    Verify {
        ust: Ust,
    },
    Show {
        ust: Ust,
    },
    Load {
        ust: Ust,
    },
    List {
        user: Name,
    },
    Use {
        ust: Ust,
    },
    /// Whether a token's id is that of its session.
    SessionId {
        ust: Ust,
    },
    CurrentUser,
    /// Whether the current session is that of a token.
    CurrentSession {
        ust: Ust,
    },
    CurrentAttribute {
        name: Name,
    },

    Write {
        verb: Verb,
        json: bool,
        ust: Ust,
        name: Name,
        value: Value,
        expiration: Expiration,
        encrypt: Option<bool>,
    },
    CompareAndSet {
        ust: Ust,
        name: Name,
        expected: Value,
        value: Value,
        expiration: Expiration,
        encrypt: Option<bool>,
    },
    Increment {
        ust: Ust,
        name: Name,
        by: &'static str,
        expiration: Expiration,
    },
    SetExpiry {
        ust: Ust,
        name: Name,
        expiration: Expiration,
    },
    Lookup {
        verb: Lookup,
        ust: Ust,
        name: Name,
    },
    Names {
        ust: Ust,
    },
    GetAll {
        ust: Ust,
    },
    ListAttributes {
        ust: Ust,
    },
    WriteMany {
        verb: Verb,
        ust: Ust,
        items: Vec<Item>,
        expiration: Expiration,
        encrypt: Option<bool>,
    },
    SetExpiryMany {
        ust: Ust,
        items: Vec<Item>,
        expiration: Expiration,
    },
    LookupMany {
        verb: LookupMany,
        ust: Ust,
        names: Vec<Name>,
    },

    CreateUser {
        username: Name,
        password: Name,
        user: &'static str,
    },
    /// Opens a session where it is not refused.
    Login {
        into: usize,
        origin: Origin,
        username: Name,
        password: Name,
        expiration: Expiration,
        ust: Option<usize>,
        keep_newest: Option<i32>,
    },
    VerifyUser {
        username: Name,
        password: Name,
    },
    SetPassword {
        username: Name,
        password: Name,
        keep: Option<Ust>,
    },
    /// Until so many seconds from now, or until unlocked.
    Lock {
        username: Name,
        until: Option<i64>,
    },
    Unlock {
        username: Name,
    },
    DeleteUser {
        username: Name,
    },
    UserExists {
        username: Name,
    },
    ListUsers,

    /// The table changed by hand: an attribute's end is an hour ago.
    MoveAttribute {
        ust: Ust,
        name: &'static str,
    },
    MoveSession {
        ust: Ust,
    },
    /// A session was created so many hours earlier.
    Age {
        ust: Ust,
        hours: i64,
    },

    Purge {
        most: Option<i64>,
    },
    Rekey {
        most: Option<i64>,
    },
    /// Whether one of the functions that show figures shows any.
    Figures(&'static str),
    CheckRows,
    /// Over a cluster, of which there is none.
    Distribute,
    /// Whether sessions outlive a crash.
    SetLogged(bool),
    /// The keyring file is replaced; the first key is the primary one.
    Keyring(&'static [u32]),
    Grant(&'static str),
    Revoke(&'static str),
    /// Calls go on as a role that has what it was granted, or as the superuser again.
    Role {
        caller: bool,
    },
    /// Whole states are compared.
    Compare,
}

pub fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn or_null(name: Name) -> String {
    name.map_or("NULL".to_owned(), text)
}

fn array(names: &[Name]) -> String {
    let names: Vec<_> = names.iter().map(|name| or_null(*name)).collect();
    format!("ARRAY[{}]::text[]", names.join(", "))
}

fn boolean(value: Option<bool>) -> &'static str {
    match value {
        None => "NULL",
        Some(true) => "true",
        Some(false) => "false",
    }
}

fn number(number: Option<i64>) -> String {
    number.map_or("NULL".to_owned(), |number| number.to_string())
}

fn from(Origin { label, app, address: (address, _) }: &Origin) -> String {
    format!("{}, {address}, user_agent => 's{label}'", or_null(*app))
}

fn jsonb(value: Value) -> String {
    // Long values by their expression.
    if value.1.len() > 1000 { value.0.to_owned() } else { format!("{}::jsonb", text(value.1)) }
}

fn deadline(deadline: Deadline) -> String {
    match deadline {
        Deadline::In((sql, ..)) => format!("expiration => {sql}"),
        Deadline::At(seconds) => format!("expires_at => clock_timestamp() + interval '{seconds} s'"),
        Deadline::Both => "expiration => 60, expires_at => clock_timestamp()".into(),
    }
}

fn items(items: &[Item], with_values: bool) -> String {
    let items: Vec<_> = items
        .iter()
        .map(|item| {
            let mut pairs = vec![format!("'name', {}", or_null(item.name))];
            if with_values {
                pairs.push(format!("'value', {}", jsonb(item.value)));
            }
            if let Some((_, json, _)) = item.expiration {
                pairs.push(format!("'expiration', '{json}'::jsonb"));
            }
            if let Some(encrypt) = item.encrypt.filter(|_| with_values) {
                pairs.push(format!("'encrypt', {}", boolean(encrypt)));
            }
            format!("jsonb_build_object({})", pairs.join(", "))
        })
        .collect();
    format!("jsonb_build_array({})", items.join(", "))
}

/// The id of a session, NULL where it is not live. Whether an error were raised would be up to the plan,
/// which need not look at all.
fn id_of(token: &str) -> String {
    format!(
        "(SELECT g.session_id FROM (SELECT CASE WHEN sso_session_verify({token}) THEN {token} END) AS live (token)
          CROSS JOIN LATERAL sso_session_get(live.token) AS g WHERE live.token IS NOT NULL)"
    )
}

/// A time as microseconds since 1970.
pub fn micros(time: &str) -> String {
    format!("(extract(epoch FROM {time}) * 1000000)::bigint::text")
}

impl Call {
    /// The statement; `slot` gives the token of a slot as an expression.
    pub fn sql(&self, slot: &dyn Fn(usize) -> String) -> String {
        let token = |ust: &Ust| match ust {
            Ust::Slot(number) => slot(*number),
            Ust::Foreign(number) => text(FOREIGN[*number]),
            Ust::Null => "NULL".into(),
            Ust::Malformed => "'sso_AAAA'".into(),
        };
        let function = match self {
            Call::Begin => return "BEGIN".into(),
            Call::Commit => return "COMMIT".into(),
            Call::Rollback => return "ROLLBACK".into(),
            Call::Savepoint(number) => return format!("SAVEPOINT s{number}"),
            Call::RollbackTo(number) => return format!("ROLLBACK TO s{number}"),
            Call::Release(number) => return format!("RELEASE s{number}"),
            Call::Role { caller: true } => return "SET ROLE caller".into(),
            Call::Role { caller: false } => return "RESET ROLE".into(),
            Call::Keyring(ids) => return format!("-- the keyring is now {ids:?}"),
            Call::Compare => return "-- whole states are compared".into(),

            Call::Open { origin, user, deadline: ends, ust, keep_newest, .. } => format!(
                "sso_session_create({}, {}, {}, ust => {}, keep_newest => {})",
                or_null(*user),
                from(origin),
                deadline(*ends),
                or_null(ust.map(|ust| FOREIGN[ust])),
                keep_newest.map_or("NULL".into(), |keep| keep.to_string()),
            ),
            Call::Rotate { ust, user, new, .. } => format!(
                "sso_session_rotate({}, {}, {})",
                token(ust),
                or_null(*user),
                or_null(new.map(|new| FOREIGN[new]))
            ),
            Call::Renew { ust, deadline: ends } => {
                micros(&format!("sso_session_renew({}, {})", token(ust), deadline(*ends)))
            }
            Call::Save { ust, changed, removed, deadline: ends, replace, encrypt } => {
                let pairs: Vec<_> = changed
                    .iter()
                    .map(|(name, value)| format!("{}, {}", text(name), jsonb(*value)))
                    .collect();
                micros(&format!(
                    "sso_session_save({}, jsonb_build_object({}), {}, {}, replace => {replace}, encrypt => {})",
                    token(ust),
                    pairs.join(", "),
                    array(removed),
                    deadline(*ends),
                    array(encrypt)
                ))
            }
            Call::End { ust } => format!("sso_session_end({})", token(ust)),
            Call::EndAll { user, keep } => {
                let keep = keep.as_ref().map_or("NULL".into(), token);
                format!("sso_session_end_all({}, {keep})", or_null(*user))
            }
            Call::EndOne { user, owner, nth } => format!(
                "sso_session_end_one({}, (SELECT session_id FROM sso_session_list({}) OFFSET {nth} LIMIT 1))",
                or_null(*user),
                text(owner)
            ),
            Call::Verify { ust } => format!("sso_session_verify({})", token(ust)),
            Call::Show { ust } => format!("(SELECT user_agent FROM sso_session_get({}))", token(ust)),
            Call::Load { ust } => format!("(SELECT attributes FROM sso_session_load({}))", token(ust)),
            Call::List { user } => format!(
                "(SELECT string_agg(user_agent, ',' ORDER BY place)
                  FROM sso_session_list({}) WITH ORDINALITY AS l (i, u, p, r, user_agent, c, l, e, place))",
                or_null(*user)
            ),
            Call::Use { ust } => format!("sso_session_use({})", token(ust)),
            Call::SessionId { ust } => format!(
                "CASE WHEN sso_session_id({0}) IS NULL THEN 'none'
                      WHEN sso_session_verify({0})
                          THEN (SELECT (session_id = sso_session_id({0}))::text FROM sso_session_get({0}))
                      ELSE 'not live' END",
                token(ust)
            ),
            Call::CurrentUser => "sso_current_user_id()".into(),
            Call::CurrentSession { ust } => {
                let shown = format!("SELECT session_id FROM sso_session_get({})", token(ust));
                format!("(sso_current_session_id() = ({shown}))")
            }
            Call::CurrentAttribute { name } => format!("sso_current_attr({})", or_null(*name)),

            Call::Write { verb, json, ust, name, value, expiration, encrypt } => format!(
                "sso_attr_{}{}({}, {}, {}, {}, {})",
                verb.name(),
                if *json { "_json" } else { "" },
                token(ust),
                or_null(*name),
                if *json { jsonb(*value) } else { value.0.to_owned() },
                expiration.0,
                boolean(*encrypt)
            ),
            Call::CompareAndSet { ust, name, expected, value, expiration, encrypt } => format!(
                "sso_attr_compare_and_set({}, {}, {}, {}, {}, {})",
                token(ust),
                or_null(*name),
                jsonb(*expected),
                jsonb(*value),
                expiration.0,
                boolean(*encrypt)
            ),
            Call::Increment { ust, name, by, expiration } => {
                format!("sso_attr_increment({}, {}, {by}, {})", token(ust), or_null(*name), expiration.0)
            }
            Call::SetExpiry { ust, name, expiration } => {
                format!("sso_attr_set_expiry({}, {}, {})", token(ust), or_null(*name), expiration.0)
            }
            Call::Lookup { verb, ust, name } => {
                let verb = match verb {
                    Lookup::Get => "get",
                    Lookup::GetText => "get_text",
                    Lookup::Exists => "exists",
                    Lookup::Take => "take",
                    Lookup::Delete => "delete",
                };
                format!("sso_attr_{verb}({}, {})", token(ust), or_null(*name))
            }
            Call::Names { ust } => format!(
                "(SELECT string_agg(name, ',' ORDER BY place)
                  FROM sso_attr_names({}) WITH ORDINALITY AS n (name, place))",
                token(ust)
            ),
            Call::GetAll { ust } => format!("sso_attr_get_all({})", token(ust)),
            Call::ListAttributes { ust } => format!(
                "(SELECT string_agg(format('%s=%s=%s', name, value, encrypted), ',' ORDER BY place)
                  FROM sso_attr_list({}) WITH ORDINALITY AS l (name, value, encrypted, c, u, e, place))",
                token(ust)
            ),
            Call::WriteMany { verb, ust, items: data, expiration, encrypt } => format!(
                "sso_attr_{}_many({}, {}, {}, {})",
                verb.name(),
                token(ust),
                items(data, true),
                expiration.0,
                boolean(*encrypt)
            ),
            Call::SetExpiryMany { ust, items: data, expiration } => {
                format!("sso_attr_set_expiry_many({}, {}, {})", token(ust), items(data, false), expiration.0)
            }
            Call::LookupMany { verb, ust, names } => {
                let verb = match verb {
                    LookupMany::Get => "get",
                    LookupMany::Exists => "exists",
                    LookupMany::Delete => "delete",
                };
                format!("sso_attr_{verb}_many({}, {})", token(ust), array(names))
            }

            Call::CreateUser { username, password, user } => {
                format!("sso_user_create({}, {}, {})", or_null(*username), or_null(*password), text(user))
            }
            Call::Login { origin, username, password, expiration, ust, keep_newest, .. } => format!(
                "sso_user_login({}, {}, {}, expiration => {}, ust => {}, keep_newest => {})",
                or_null(*username),
                or_null(*password),
                from(origin),
                expiration.0,
                or_null(ust.map(|ust| FOREIGN[ust])),
                keep_newest.map_or("NULL".into(), |keep| keep.to_string()),
            ),
            Call::VerifyUser { username, password } => {
                format!("sso_user_verify({}, {})", or_null(*username), or_null(*password))
            }
            Call::SetPassword { username, password, keep } => format!(
                "sso_user_set_password({}, {}, {})",
                or_null(*username),
                or_null(*password),
                keep.as_ref().map_or("NULL".into(), token)
            ),
            Call::Lock { username, until: None } => format!("sso_user_lock({})", or_null(*username)),
            Call::Lock { username, until: Some(seconds) } => {
                format!("sso_user_lock({}, clock_timestamp() + interval '{seconds} s')", or_null(*username))
            }
            Call::Unlock { username } => format!("sso_user_unlock({})", or_null(*username)),
            Call::DeleteUser { username } => format!("sso_user_delete({})", or_null(*username)),
            Call::UserExists { username } => format!("sso_user_exists({})", or_null(*username)),
            Call::ListUsers => "(SELECT string_agg(username, ',') FROM sso_user_list())".into(),

            Call::MoveAttribute { ust, name } => {
                return format!(
                    "WITH moved AS (
                         UPDATE sso_attr.attribute SET expires_at = clock_timestamp() - interval '1 h'
                         WHERE session_id = {} AND name = {}
                             AND expires_at > clock_timestamp() RETURNING 1)
                     SELECT count(*)::text FROM moved",
                    id_of(&token(ust)),
                    text(name)
                );
            }
            Call::MoveSession { ust } => {
                return format!(
                    "WITH moved AS (
                         UPDATE sso_attr.session SET expires_at = clock_timestamp() - interval '1 s'
                         WHERE id = {} RETURNING 1)
                     SELECT count(*)::text FROM moved",
                    id_of(&token(ust))
                );
            }
            Call::Age { ust, hours } => {
                return format!(
                    "WITH moved AS (
                         UPDATE sso_attr.session SET created_at = created_at - interval '{hours} h'
                         WHERE id = {} RETURNING 1)
                     SELECT count(*)::text FROM moved",
                    id_of(&token(ust))
                );
            }
            Call::Purge { most } => format!("sso_attr_purge({})", number(*most)),
            Call::Rekey { most } => format!("sso_attr_rekey({})", number(*most)),
            Call::Figures(of) => format!("(SELECT count(*) > 0 FROM {of}())"),
            Call::CheckRows => "(SELECT count(*) FROM sso_attr_check())".into(),
            Call::Distribute => "sso_attr_distribute()".into(),
            Call::SetLogged(logged) => format!("sso_attr_set_logged({logged})"),
            Call::Grant(what) => format!("sso_attr_grant('caller', '{what}')"),
            Call::Revoke(what) => format!("sso_attr_revoke('caller', '{what}')"),
        };
        format!("SELECT {function}::text")
    }

    /// The slot that takes the token which this returns.
    pub fn fills(&self) -> Option<usize> {
        match self {
            Call::Open { into, .. } | Call::Login { into, .. } | Call::Rotate { into, .. } => Some(*into),
            _ => None,
        }
    }
}

impl Verb {
    pub fn name(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Set => "set",
        }
    }
}
