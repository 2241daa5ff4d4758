//! Policies that follow the current session: what they cost, on a standby, and behind PgBouncer, where
//! each transaction of a client may run on a connection that others have just used.

use std::process::Command;

use postgres::types::Type;
use postgres::{Client, SimpleQueryMessage};
use serde_json::Value;
use sso_attr_client_tests::*;

/// A table with a policy by the current session for the role web.
const SETUP: &str = "
    CREATE ROLE web LOGIN;
    SELECT sso_attr_grant('web', 'holder');
    CREATE TABLE note (id integer PRIMARY KEY, owner text NOT NULL);
    ALTER TABLE note ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON note TO web USING (owner = (SELECT sso_current_user_id()));
    GRANT SELECT ON note TO web;";

fn server() -> Result<(Server, Client)> {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    client.batch_execute(SETUP)?;
    Ok((server, client))
}

#[test]
fn a_policy_asks_for_the_user_once_for_each_statement() -> Result {
    let (_server, mut client) = server()?;
    client.batch_execute(
        "CREATE ROLE by_row;
         SELECT sso_attr_grant('by_row', 'holder');
         CREATE POLICY own_by_row ON note TO by_row USING (owner = sso_current_user_id());
         GRANT SELECT ON note TO by_row",
    )?;
    let mut plan = |role: &str| -> Result<(Vec<String>, String)> {
        let mut transaction = client.transaction()?;
        transaction.batch_execute(&format!("SET LOCAL ROLE {role}"))?;
        let explain = "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT FROM note";
        let plan: Value = transaction.query_one(explain, &[])?.get(0);
        let scan = &plan[0]["Plan"];
        let once = scan["Plans"].as_array().into_iter().flatten();
        Ok((once.map(|plan| plan["Output"].to_string()).collect(), scan["Filter"].to_string()))
    };
    let (once, for_each_row) = plan("web")?;
    assert!(matches!(&once[..], [output] if output.contains("sso_current_user_id()")), "{once:?}");
    assert!(!for_each_row.contains("sso_current_user_id()"), "{for_each_row}");
    // The form that the page warns about, which shows that the plan tells them apart.
    let (once, for_each_row) = plan("by_row")?;
    assert!(once.is_empty(), "{once:?}");
    assert!(for_each_row.contains("sso_current_user_id()"), "{for_each_row}");
    Ok(())
}

#[test]
fn a_standby_follows_the_session_too() -> Result {
    let (primary, mut client) = server()?;
    client.batch_execute("INSERT INTO note VALUES (1, 'ann'), (2, 'bob')")?;
    let ust = open_session(&mut client, "ann")?;
    client.execute("SELECT sso_attr_create($1, 'sealed', 'secret'::text, encrypt => true)", &[&ust])?;
    let standby = Server::standby_of(&primary)?;
    standby.start()?;
    let mut replica = standby.connect_as("web", "postgres")?;
    let mut witness = standby.connect("postgres")?;
    let see =
        "SELECT sso_current_user_id(), sso_current_attr('sealed') #>> '{}', string_agg(owner, ',') FROM note";
    let seen = |row: postgres::Row| -> [Option<String>; 3] { [row.get(0), row.get(1), row.get(2)] };

    let mut transaction = replica.transaction()?;
    assert_eq!(seen(transaction.query_one(see, &[])?), [None, None, None]);
    assert!(transaction.query_one("SELECT sso_session_use($1)", &[&ust])?.get::<_, bool>(0));
    let ann = ["ann", "secret", "ann"].map(|text| Some(text.to_owned()));
    assert_eq!(seen(transaction.query_one(see, &[])?), ann);

    client.execute("SELECT sso_session_end($1)", &[&ust])?;
    let written: String = client.query_one("SELECT pg_current_wal_lsn()::text", &[])?.get(0);
    wait_until("the standby has caught up", SOON, || {
        let caught_up = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
        Ok(witness.query_one(caught_up, &[&written])?.get(0))
    })?;
    assert_eq!(seen(transaction.query_one(see, &[])?), [None, None, None]);
    transaction.commit()?;
    assert!(!replica.query_one("SELECT sso_session_use($1)", &[&ust])?.get::<_, bool>(0));
    Ok(())
}

const SEE: &str = "SELECT owner, pg_backend_pid() FROM note";

/// Whose rows a request shows, and by which connection it was served, if it shows any.
#[derive(Default)]
struct Seen {
    owners: Vec<String>,
    connection: Option<i32>,
}

/// One request in a transaction of its own, in the ways that clients have; `ust` is none for one that has
/// forgotten to say whose it is.
fn request(client: &mut Client, way: usize, ust: Option<&str>) -> Result<Seen> {
    let mut seen = Seen::default();
    if way == 0 {
        // All in one message, which is one transaction.
        let used = ust.map(|ust| format!("SELECT sso_session_use('{ust}');")).unwrap_or_default();
        for message in client.simple_query(&format!("{used}{SEE}"))? {
            if let SimpleQueryMessage::Row(row) = message
                && row.len() == 2
            {
                seen.owners.push(row.get(0).ok_or("no owner")?.to_owned());
                seen.connection = row.get(1).map(str::parse).transpose()?;
            }
        }
        return Ok(seen);
    }
    let mut transaction = client.transaction()?;
    if let Some(ust) = ust {
        transaction.query_typed("SELECT sso_session_use($1)", &[(&ust, Type::TEXT)])?;
    }
    for row in transaction.query_typed(SEE, &[])? {
        seen.owners.push(row.get(0));
        seen.connection = Some(row.get(1));
    }
    if way == 1 {
        transaction.commit()?;
    } else {
        transaction.rollback()?;
    }
    Ok(seen)
}

#[test]
fn behind_a_pooler_nobody_sees_a_row_of_another_user() -> Result {
    const CLIENTS: usize = 20;
    const CONNECTIONS: usize = 3;
    const REQUESTS: usize = 500;
    const ROWS: usize = 5;
    let (server, mut client) = server()?;
    let user = |number: usize| format!("user {number}");
    let mut tokens = Vec::new();
    for number in 0..CLIENTS {
        tokens.push(open_session(&mut client, &user(number))?);
        let insert = "INSERT INTO note SELECT $1 * 1000 + i, $2 FROM generate_series(1, $3) AS i";
        client.execute(insert, &[&(number as i32), &user(number), &(ROWS as i32)])?;
    }
    let ended = open_session(&mut client, &user(0))?;
    client.execute("SELECT sso_session_end($1)", &[&ended])?;

    let pooler = Pooler::start(&server, "web", CONNECTIONS)?;
    let (tokens, ended) = (&tokens, &ended);
    // Every client asks for one user after the other; every fifth request is for nobody.
    let run = |mut client: Client, first: usize| -> Result<(usize, Vec<i32>)> {
        let mut right = 0;
        let mut connections = Vec::new();
        for round in 0..REQUESTS {
            let number = (first + round) % CLIENTS;
            let (ust, rows) = match round % 10 {
                3 => (None, 0),
                8 => (Some(ended), 0),
                _ => (Some(&tokens[number]), ROWS),
            };
            let seen = request(&mut client, round % 3, ust.map(String::as_str))?;
            let wrong = seen.owners.iter().filter(|owner| **owner != user(number)).count();
            assert_eq!(
                (wrong, seen.owners.len()),
                (0, rows),
                "wrong and all rows of request {round} of {first}"
            );
            right += rows;
            connections.extend(seen.connection);
        }
        connections.sort_unstable();
        connections.dedup();
        Ok((right, connections))
    };
    let mut right = 0;
    let mut most = 0;
    std::thread::scope(|scope| -> Result {
        let mut running = Vec::new();
        for number in 0..CLIENTS {
            let client = pooler.connect()?;
            // As a text, because an error need not be one that can go to another thread.
            running.push(scope.spawn(move || run(client, number).map_err(|error| error.to_string())));
        }
        for client in running {
            let (rows, connections) = client.join().map_err(|_| "a client panicked")??;
            right += rows;
            most = most.max(connections.len());
        }
        Ok(())
    })?;
    println!("{} requests, {right} rows, none of them another user's", CLIENTS * REQUESTS);
    assert_eq!(right, CLIENTS * REQUESTS * ROWS * 8 / 10);
    // It shows nothing unless the clients took turns on the connections.
    assert!((2..=CONNECTIONS).contains(&most), "a client was served by at most {most} connections");
    Ok(())
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The examples of docs/row-level-security.md in a language.
fn examples(language: &str) -> Result<Vec<String>> {
    let page = std::fs::read_to_string(format!("{ROOT}/docs/row-level-security.md"))?;
    let start = format!("```{language}\n");
    let blocks = page.split(&start).skip(1);
    blocks.map(|block| Ok(block.split("```").next().ok_or("no example")?.to_owned())).collect()
}

/// A server with the page's table and role, and rows of two users with a session each.
fn server_of_the_page(setup: &str) -> Result<(Server, String, String)> {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    client.batch_execute(setup)?;
    client
        .batch_execute("INSERT INTO note (id, owner, body) VALUES (2, 'ann', 'hers'), (3, 'bob', 'his')")?;
    let (ann, bob) = (open_session(&mut client, "ann")?, open_session(&mut client, "bob")?);
    Ok((server, ann, bob))
}

#[test]
fn the_page_s_sql_does_what_it_says() -> Result {
    let examples = examples("sql")?;
    let [setup, request, postgrest] = &examples[..] else { return Err("not three examples in SQL".into()) };
    let (server, ann, bob) = server_of_the_page(setup)?;
    let psql = |ust: &str| {
        let ust = format!("ust={ust}");
        server.run_with_input(
            &["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", &ust, "-U", "web", "postgres"],
            request,
        )
    };
    assert_eq!(psql(&ann)?, "t\nann|hers\nann|mine\n");
    let nobody = psql("no token").map_err(|error| error.to_string());
    assert!(nobody.is_err_and(|error| error.contains("row-level security")), "a row without a session");

    // As PostgREST documents it: one transaction, settings by set_config, the function, the query.
    server.connect("postgres")?.batch_execute(postgrest)?;
    let mut client = server.connect("postgres")?;
    let mut ask = |header: &str, ust: &str| -> Result<(Option<String>, String)> {
        let headers = serde_json::json!({"accept": "application/json", header: ust}).to_string();
        let mut transaction = client.build_transaction().read_only(true).start()?;
        let settings = "SELECT set_config('role', 'web', true), set_config('request.method', 'GET', true), set_config('request.headers', $1, true)";
        transaction.query_one(settings, &[&headers])?;
        transaction.execute("SELECT use_session()", &[])?;
        let see = "SELECT string_agg(DISTINCT owner, ','), current_setting('request.headers') FROM note";
        let row = transaction.query_one(see, &[])?;
        transaction.commit()?;
        Ok((row.get(0), row.get(1)))
    };
    let rest = r#"{"accept": "application/json"}"#.to_owned();
    assert_eq!(ask("x-session-token", &ann)?, (Some("ann".to_owned()), rest.clone()));
    assert_eq!(ask("x-session-token", &bob)?, (Some("bob".to_owned()), rest.clone()));
    assert_eq!(ask("x-session-token", "no token")?, (None, rest));
    assert_eq!(ask("x-other", &ann)?.0, None);
    Ok(())
}

#[test]
fn the_page_s_python_does_what_it_says() -> Result {
    let path = format!("{ROOT}/tests/drivers/current_session.py");
    let program = std::fs::read_to_string(&path)?;
    let examples = examples("python")?;
    assert_eq!(examples.len(), 2);
    for example in examples {
        assert!(program.contains(&example), "not in the program:\n{example}");
    }
    let [setup, ..] = &self::examples("sql")?[..] else { return Err("no example in SQL".into()) };
    let (server, ann, bob) = server_of_the_page(setup)?;
    let output = Command::new("python3")
        .arg(path)
        .env("PYTHONPATH", format!("{ROOT}/target/drivers/python"))
        .envs([("PGUSER", "web"), ("PGDATABASE", "postgres"), ("ANN", &ann), ("BOB", &bob)])
        .env("PGHOST", server.directory())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let expected = "Django ['ann'] [] ['bob'] [] 500 ['ann']\n\
                    Django False True\n\
                    SQLAlchemy ann ann ann\n\
                    SQLAlchemy None None None\n\
                    SQLAlchemy bob bob bob\n\
                    SQLAlchemy None\n";
    assert_eq!(String::from_utf8(output.stdout)?, expected, "{errors}");
    Ok(())
}
