//! The audit: which calls have a line, what is in it, that no secret ever is, and that no client sees one.

use postgres::Client;
use serde_json::{Value, json};
use sso_attr_client_tests::{KEY, Result, SOON, Server, open_session, refusal, wait_until};

const PREFIX: &str = "LOG:  sso_attr audit: ";
/// An attribute of every session; a line must show it.
const NAME: &str = "Zq8-name";
/// What every attribute holds; no line may show it.
const VALUE: &str = "Zq8-value";
/// A token issued elsewhere.
const ADOPTED: &str = "Zq8-token-of-another-issuer";

/// What reads, and what changes something; `$1` is the token of a live session of ann's, `{session_id}` its
/// id.
const READS: &[&str] = &[
    "sso_session_get($1)",
    "sso_session_load($1)",
    "sso_session_verify($1)",
    "sso_session_list('ann') WHERE $1::text <> ''",
    "sso_attr_get($1, 'Zq8-name')",
    "sso_attr_get_text($1, 'Zq8-name')",
    "sso_attr_exists($1, 'Zq8-name')",
    "sso_attr_names($1)",
    "sso_attr_list($1)",
    "sso_attr_get_all($1)",
    "sso_attr_get_many($1, '{Zq8-name,Zq8-name-new}')",
    "sso_attr_exists_many($1, '{Zq8-name}')",
    "sso_attr_keys() WHERE $1::text <> ''",
    "sso_attr_purge_status() WHERE $1::text <> ''",
    "sso_attr_version() WHERE $1::text <> ''",
    "sso_session_use($1)",
    "sso_current_user_id() WHERE $1::text <> ''",
    "sso_current_session_id() WHERE $1::text <> ''",
    "sso_current_attr('name') WHERE $1::text <> ''",
    "sso_user_exists('zoe') WHERE $1::text <> ''",
    "sso_user_list() WHERE $1::text <> ''",
];
const CHANGES: &[&str] = &[
    "sso_session_create('ann', 'shop') WHERE $1::text <> ''",
    "sso_session_save($1, '{\"Zq8-name\": \"Zq8-value\"}', '{Zq8-sealed}')",
    "sso_session_renew($1)",
    "sso_session_rotate($1, 'ann')",
    "sso_session_end($1)",
    "sso_session_end_one('ann', '{session_id}') WHERE $1::text <> ''",
    "sso_session_end_all('ann') WHERE $1::text <> ''",
    "sso_attr_create($1, 'Zq8-name-new', 'Zq8-value')",
    "sso_attr_create_json($1, 'Zq8-name-new', '\"Zq8-value\"')",
    "sso_attr_update($1, 'Zq8-name', 'Zq8-value')",
    "sso_attr_update_json($1, 'Zq8-name', '\"Zq8-value\"')",
    "sso_attr_set($1, 'Zq8-name', 'Zq8-value', encrypt => true)",
    "sso_attr_set_json($1, 'Zq8-name', '\"Zq8-value\"')",
    "sso_attr_compare_and_set($1, 'Zq8-name', '\"Zq8-value\"', '\"Zq8-value\"')",
    "sso_attr_increment($1, 'Zq8-name-new', 7)",
    "sso_attr_take($1, 'Zq8-name')",
    "sso_attr_delete($1, 'Zq8-name')",
    "sso_attr_set_expiry($1, 'Zq8-name', 60)",
    r#"sso_attr_create_many($1, '[{"name": "Zq8-name-new", "value": "Zq8-value"}]')"#,
    r#"sso_attr_update_many($1, '[{"name": "Zq8-name", "value": "Zq8-value"}]')"#,
    r#"sso_attr_set_many($1, '[{"name": "Zq8-name", "value": "Zq8-value"}]')"#,
    r#"sso_attr_set_expiry_many($1, '[{"name": "Zq8-name"}]')"#,
    "sso_attr_delete_many($1, '{Zq8-name,Zq8-name-new}')",
    "sso_attr_purge() WHERE $1::text <> ''",
    "sso_attr_rekey() WHERE $1::text <> ''",
    "sso_user_create(md5($1::text), 'a password')",
    "sso_user_login('zoe', 'a password') WHERE $1::text <> ''",
    "sso_user_login('zoe', 'a password', 'shop', ' 192.0.2.7 '::text) WHERE $1::text <> ''",
    "sso_user_verify('zoe', 'a password') WHERE $1::text <> ''",
    "sso_user_set_password('zoe', 'a password') WHERE $1::text <> ''",
    "sso_user_lock('zoe') WHERE $1::text <> ''",
    "sso_user_unlock('zoe') WHERE $1::text <> ''",
    "sso_user_delete('nobody') WHERE $1::text <> ''",
];

/// The lines of the audit in the log.
fn lines(server: &Server) -> Result<Vec<Value>> {
    let log = server.log()?;
    let lines = log.lines().filter_map(|line| line.split_once(PREFIX));
    lines.map(|(_, line)| Ok(serde_json::from_str(line)?)).collect()
}

/// What `work` adds to them.
fn added(server: &Server, work: impl FnOnce() -> Result) -> Result<Vec<Value>> {
    let before = lines(server)?.len();
    work()?;
    Ok(lines(server)?.split_off(before))
}

/// A session of ann's with an attribute in clear and a sealed one, and its id.
fn session(client: &mut Client) -> Result<(String, String)> {
    let ust: String = client.query_one("SELECT sso_session_create('ann', 'shop')", &[])?.get(0);
    client.execute("SELECT sso_attr_set($1, $2, $3::text)", &[&ust, &NAME, &VALUE])?;
    client.execute("SELECT sso_attr_set($1, 'Zq8-sealed', $2::text, encrypt => true)", &[&ust, &VALUE])?;
    let id = client.query_one("SELECT session_id::text FROM sso_session_get($1)", &[&ust])?.get(0);
    Ok((ust, id))
}

#[test]
fn every_verb_has_a_line_at_its_level() -> Result {
    let server = Server::with_extension("sso_attr.password_memory = 1MB\nsso_attr.password_passes = 1")?;
    let mut silent = server.connect("postgres")?;
    let mut client = server.connect("postgres")?;
    silent.batch_execute("SELECT sso_user_create('zoe', 'a password')")?;
    let mut verbs = Vec::new();
    for (level, expected) in [("off", [0, 0]), ("changes", [0, 1]), ("all", [1, 1])] {
        client.batch_execute(&format!("SET sso_attr.audit = '{level}'"))?;
        for (calls, expected) in [READS, CHANGES].iter().zip(expected) {
            for call in *calls {
                let (ust, id) = session(&mut silent)?;
                let statement = format!("SELECT FROM {}", call.replace("{session_id}", &id));

                let found = added(&server, || {
                    client.execute(&statement, &[&ust]).map_err(|error| format!("{call}: {error:?}"))?;
                    Ok(())
                })?;

                assert_eq!(found.len(), expected, "{call} at {level}");
                for line in found {
                    let verb = call.split_once('(').ok_or("no call")?.0;
                    assert_eq!((&line["verb"], &line["outcome"]), (&json!(verb), &json!("00000")), "{line}");
                    assert_eq!(line["role"], "postgres", "{line}");
                    // A call without a token is about no session, or about another one.
                    if !call.contains("$1::text") {
                        assert_eq!(
                            (&line["session_id"], &line["user_id"], &line["application"]),
                            (&json!(id), &json!("ann"), &json!("shop")),
                            "{line}"
                        );
                    }
                    let of_a_user = ["create", "login", "verify", "set_password", "lock", "unlock"];
                    if of_a_user.iter().any(|last| verb == format!("sso_user_{last}")) {
                        assert!(line["user_id"].is_string(), "{line}");
                    }
                    assert_eq!(line.get("names").is_some(), call.contains(NAME), "{line}");
                    let is_counted = verb.ends_with("_many")
                        || verb == "sso_user_set_password"
                        || ["save", "list", "end_all", "purge", "rekey"].iter().any(|of_many| {
                            verb == format!("sso_session_{of_many}") || verb == format!("sso_attr_{of_many}")
                        });
                    let counts_rows = verb != "sso_attr_list";
                    assert_eq!(line["count"].is_u64(), is_counted && counts_rows, "{line}");
                    verbs.push(verb);
                }
            }
        }
    }

    let surface = silent.query(
        "SELECT DISTINCT proname::text COLLATE \"C\"
          FROM pg_proc AS p JOIN pg_language AS l ON l.oid = prolang JOIN pg_depend AS d ON d.objid = p.oid
          JOIN pg_extension AS e ON e.oid = d.refobjid
          WHERE lanname = 'c' AND extname = 'sso_attr' AND proname LIKE 'sso\\_%' AND proname <> 'sso_session_id'
          ORDER BY 1",
        &[],
    )?;
    verbs.sort_unstable();
    verbs.dedup();
    assert_eq!(verbs, surface.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_refusal_has_a_line_also_where_the_function_only_answers() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let (ust, id) = session(&mut client)?;
    let rotated: String = client.query_one("SELECT sso_session_rotate($1)", &[&ust])?.get(0);
    let (over, over_id) = session(&mut client)?;
    client.execute("SELECT sso_session_renew($1, expires_at => now())", &[&over])?;
    client.batch_execute("SET sso_attr.audit = 'all'")?;

    let mut refuse = |call: &str, ust: &str| -> Result<Value> {
        let lines = added(&server, || {
            // Whether it raises or answers is up to the function.
            let _ = client.query(&format!("SELECT FROM {call}"), &[&ust]);
            Ok(())
        })?;
        assert_eq!(lines.len(), 1, "{call}");
        assert_eq!(lines[0]["outcome"], "28000", "{call}");
        assert_eq!(lines[0].get("user_id").is_some(), lines[0].get("session_id").is_some(), "{call}");
        Ok(lines[0].clone())
    };
    for call in [
        "sso_attr_update($1, 'Zq8-name', 1)",
        "sso_session_verify($1)",
        "sso_session_load($1)",
        "sso_session_end($1)",
    ] {
        let line = refuse(call, "nonsense")?;
        assert_eq!((&line["reason"], line.get("names")), (&json!("not a token"), None));

        let line = refuse(call, &ust)?;
        assert_eq!(line["reason"], "unknown token");
        assert_eq!((line.get("session_id"), &line["claimed_session_id"]), (None, &json!(id)));
        assert_eq!(line.get("names"), None);

        let line = refuse(call, &over)?;
        assert_eq!((&line["reason"], &line["session_id"]), (&json!("session is over"), &json!(over_id)));

        // Nothing is told of a token in another form, not even what is derived from it.
        let line = refuse(call, ADOPTED)?;
        assert_eq!((line.get("session_id"), line.get("claimed_session_id")), (None, None));
    }
    // The other failures.
    for (call, sqlstate) in [
        ("sso_attr_update($1, 'absent', 1)", "P0002"),
        ("sso_attr_set($1, '', 1)", "22023"),
        ("sso_attr_create($1, 'Zq8-name', 1)", "23505"),
    ] {
        let lines = added(&server, || {
            refusal(client.execute(&format!("SELECT {call}"), &[&rotated]))?;
            Ok(())
        })?;
        assert_eq!(lines[0]["outcome"], sqlstate, "{call}");
    }
    Ok(())
}

#[test]
fn no_line_holds_a_secret_and_no_client_sees_one() -> Result {
    let server = Server::with_extension("")?;
    let mut silent = server.connect("postgres")?;
    let (ust, _) = session(&mut silent)?;
    let (other, _) = session(&mut silent)?;
    // Calls with what is secret in its place and in every wrong one, as literals.
    let calls = format!(
        "SELECT sso_attr_set('{ust}', 'Zq8-sealed', '{VALUE}'::text, encrypt => true);
         SELECT sso_attr_get('{ust}', 'Zq8-sealed'), sso_attr_get('{ust}', '{other}');
         SELECT sso_session_create('ann', ust => '{ADOPTED}'), sso_session_create('{other}', '{other}');
         SELECT sso_session_end_all('{ADOPTED}'), sso_session_end_one('{ADOPTED}', gen_random_uuid());
         SELECT sso_session_verify('{VALUE}'), sso_session_end('x{ust}'), sso_session_verify('{ADOPTED}x');
         SELECT (SELECT count(*) FROM sso_session_list('{other}')), (SELECT count(*) FROM sso_session_list('{ADOPTED}'));
         SELECT * FROM sso_session_load('{VALUE}');
         SELECT sso_attr_set_many('{ust}', '[{{\"name\": \"Bearer {other}\", \"value\": \"{VALUE}\"}}]');"
    );
    let wrong = format!("SELECT sso_attr_set('Zq8-name', '{ADOPTED}', '{VALUE}'::text)");
    let seen_by_client = server.run_with_input(
        &["sh", "-c", "psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 postgres 2>&1"],
        &format!(
            "SET client_min_messages = debug1; SET sso_attr.audit = 'all';
             {calls}
             DO $$ BEGIN RAISE LOG 'seen by the client'; END $$ -- Zq8-control"
        ),
    )?;

    // What the client can see, and that a message's statement is in the log unless it is hidden.
    assert!(seen_by_client.contains("LOG:  seen by the client"), "{seen_by_client}");
    assert!(!seen_by_client.contains("sso_attr audit"), "{seen_by_client}");
    let log = server.log()?;
    assert!(log.contains("Zq8-control"), "{log}");
    for (what, secret) in [("token", &ust), ("other token", &other)] {
        assert!(!log.contains(&secret[26..]), "the {what} is in the log");
    }

    silent.batch_execute("SET sso_attr.audit = 'all'")?;
    refusal(silent.simple_query(&wrong))?;
    let lines = lines(&server)?;
    assert_eq!(lines.len(), 15);
    let text = serde_json::to_string(&lines)?;
    assert!(text.contains("Zq8-sealed"), "the search finds nothing: {text}");
    for secret in [VALUE, ADOPTED, &ust[26..], &other[26..], &hex::encode(KEY)] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    Ok(())
}

#[test]
fn a_line_says_whose_rights_the_call_was_made_with() -> Result {
    let server = Server::with_extension("")?;
    let mut admin = server.connect("postgres")?;
    admin.batch_execute(
        "CREATE ROLE pool LOGIN; CREATE ROLE app; GRANT app TO pool; SELECT sso_attr_grant('app');
         ALTER ROLE pool SET sso_attr.audit = changes",
    )?;
    let mut pool = server.connect_as("pool", "postgres")?;
    pool.batch_execute("SET ROLE app")?;

    let lines = added(&server, || open_session(&mut pool, "ann").map(drop))?;

    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["role"], &lines[0]["session_role"]), (&json!("app"), &json!("pool")));
    Ok(())
}

/// The recipe on the page, as it stands there.
#[test]
fn the_lines_get_into_a_table() -> Result {
    let page = include_str!("../../../docs/audit.md");
    let recipe: String =
        page.split("```sql\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    let server = Server::with_extension(
        "logging_collector = on\nlog_destination = csvlog\nsso_attr.audit = changes\nlog_filename = 'server.log'",
    )?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "ann")?;
    client.execute("SELECT sso_attr_set($1, $2, 1)", &[&ust, &NAME])?;
    client.batch_execute(
        r#"DO $$ BEGIN RAISE LOG 'sso_attr audit: {"time": "2026-01-01T00:00:00Z", "verb": "forged"}'; END $$"#,
    )?;
    let log = server.data().join("log/server.csv");
    wait_until("the collector has written", SOON, || Ok(std::fs::read_to_string(&log)?.contains("forged")))?;

    for _ in 0..2 {
        let psql = [
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--set=file=log/server.csv",
            "postgres",
        ];
        server.run_with_input(&psql, &recipe)?;
    }

    let rows =
        client.query("SELECT verb, outcome, user_id, line->>'names' FROM sso_audit ORDER BY time", &[])?;
    let rows: Vec<[Option<String>; 4]> =
        rows.iter().map(|row| [row.get(0), row.get(1), row.get(2), row.get(3)]).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows,
        [
            [some("sso_session_create"), some("00000"), some("ann"), None],
            [some("sso_attr_set"), some("00000"), some("ann"), some(r#"["Zq8-name"]"#)],
        ]
    );
    Ok(())
}
