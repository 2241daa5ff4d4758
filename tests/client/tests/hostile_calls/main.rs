//! Random calls of every function with arguments of every type, texts that are not UTF-8 included:
//! whatever SQL hands over, the answer is a result or a documented error.
//!
//! Functions are found in the catalog, so that new ones are called too. `SEED` repeats a run as far
//! as two connections can, `CALLS` makes it longer:
//!
//!     CALLS=100000 cargo test --package sso_attr_client_tests --test hostile_calls -- --nocapture

mod arguments;
mod connection;

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use memchr::memmem;
use postgres::Client;
use sso_attr_client_tests::{KEY, Result, Server, Stop};

use connection::{BOUND, Connection, Function, Running, Tally};

const CONNECTIONS: usize = 2;
/// Enough that a seed taken from the clock finds, over some runs, what a long run does.
const EVERYDAY_CALLS: usize = 6000;
/// Only the owner of the tables can call these, or only a cluster has what they need.
const REFUSED: [&str; 4] =
    ["sso_attr_grant", "sso_attr_revoke", "sso_attr_set_logged", "sso_attr_distribute"];
/// What the log says when a process ended that should not have.
const CRASHES: [&str; 6] = [
    "was terminated by signal",
    "server process (PID",
    "Failed process was running",
    "PANIC:",
    "XX000",
    "worker \"sso_attr",
];

fn from_environment(name: &str) -> Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.parse().map_err(|error| format!("{name}={text}: {error}"))?)),
        Err(_) => Ok(None),
    }
}

#[test]
fn no_call_crashes_the_server_or_fails_in_an_undocumented_way() -> Result {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let seed = from_environment("SEED")?.unwrap_or(now);
    let calls = from_environment("CALLS")?.map_or(EVERYDAY_CALLS, |calls| calls as usize);
    println!("SEED={seed} CALLS={calls}");

    let server = Server::with_extension(
        "log_statement = none
         log_min_error_statement = panic
         sso_attr.purge_interval = 1",
    )?;
    let functions = prepare(&server)?;
    let start = Instant::now();
    let (made, tally) = call_at_random(&server, seed, calls, &functions)?;
    println!("{made} calls in {:.1?}", start.elapsed());
    for (function, states) in &tally {
        println!("{function} {states:?}");
    }

    for function in functions.iter().filter(|_| calls >= EVERYDAY_CALLS) {
        let answered = tally.get(&function.name).is_some_and(|states| states.contains_key("00000"));
        let is_refused = REFUSED.contains(&function.name.as_str());
        assert_eq!(answered, !is_refused, "{}: {:?}", function.name, tally.get(&function.name));
    }
    server.configure("sso_attr.purge_interval = 0")?;
    server.stop(Stop::Fast)?;
    server.start()?;
    nothing_secret_is_in_the_log(&server)?;
    what_is_stored_can_be_read(&server)?;
    what_is_stored_can_be_dumped_and_restored(&server)
}

/// The role that calls, with everything that it may have, and the functions that it calls.
fn prepare(server: &Server) -> Result<Vec<Function>> {
    let mut client = server.connect("postgres")?;
    client.batch_execute(&format!(
        "CREATE ROLE fuzz LOGIN;
         ALTER ROLE fuzz SET statement_timeout = '{}s';
         ALTER ROLE fuzz SET lock_timeout = '300ms';
         CREATE SCHEMA fuzz AUTHORIZATION fuzz",
        BOUND.as_secs()
    ))?;
    for kind in ["app", "operator", "holder", "login", "monitor"] {
        match client.execute("SELECT sso_attr_grant('fuzz', $1)", &[&kind]) {
            Ok(_) => {}
            // Not a kind of this version.
            Err(error) if error.code().is_some_and(|code| code.code() == "22023") => {}
            Err(error) => return Err(error.into()),
        }
    }
    let rows = client.query(
        "SELECT p.proname::text, n.nspname::text, (p.pronargs - p.pronargdefaults)::integer, p.proargnames,
                ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, i) ORDER BY i)
         FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
         JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
         WHERE e.extname = 'sso_attr' AND p.proname LIKE 'sso\\_%'
         ORDER BY p.oid::regprocedure::text COLLATE \"C\"",
        &[],
    )?;
    let functions: Vec<_> = rows
        .iter()
        .map(|row| {
            let names: Vec<String> = row.get::<_, Option<_>>(3).unwrap_or_default();
            let types: Vec<String> = row.get(4);
            Function {
                name: row.get(0),
                schema: row.get(1),
                parameters: names.into_iter().zip(types).collect(),
                required: row.get::<_, i32>(2) as usize,
            }
        })
        .collect();

    let mut client = server.connect_as("fuzz", "postgres")?;
    client.batch_execute(include_str!("setup.sql"))?;
    client.batch_execute("SELECT fuzz.refill()")?;
    // From now on the values so far are under a key that is not the primary one.
    server.set_keyring(&format!("2:{}\n1:{}\n", "22".repeat(32), hex::encode(KEY)))?;
    Ok(functions)
}

/// Makes the calls on all connections at once, and watches them.
fn call_at_random(
    server: &Server,
    seed: u64,
    calls: usize,
    functions: &[Function],
) -> Result<(usize, Tally)> {
    let running: Vec<Running> = (0..CONNECTIONS).map(|_| Running::default()).collect();
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let (mut made, mut tally, mut failures) = (0, Tally::new(), Vec::new());
    std::thread::scope(|scope| {
        for (number, running) in (0..).zip(&running) {
            let (sender, stop) = (sender.clone(), &stop);
            scope.spawn(move || {
                let work = || -> Result<(usize, Tally)> {
                    let mut connection = Connection::open(server, number, seed, functions, running.clone())?;
                    while connection.calls < calls.div_ceil(CONNECTIONS) && !stop.load(Ordering::Relaxed) {
                        connection.step()?;
                    }
                    connection.finish()
                };
                // The other end is there until all have sent.
                let _ = sender.send(work().map_err(|error| error.to_string()));
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(Duration::from_secs(1)) {
                Ok(Ok((calls, its))) => {
                    made += calls;
                    for (function, states) in its {
                        let sum = tally.entry(function).or_default();
                        for (state, times) in states {
                            *sum.entry(state).or_default() += times;
                        }
                    }
                }
                Ok(Err(failure)) => failures.push(failure),
                Err(RecvTimeoutError::Timeout) => {
                    failures.extend(stored_text_is_utf8(server).err().map(|error| error.to_string()));
                    failures.extend(running.iter().filter_map(hanging).inspect(|_| {
                        // No timeout ends that call; without a server it ends.
                        let _ = server.stop(Stop::Immediate);
                    }));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            stop.store(!failures.is_empty(), Ordering::Relaxed);
        }
    });

    let log = std::fs::read(server.directory().join("log"))?;
    let log = String::from_utf8_lossy(&log);
    let crashes = log.lines().filter(|line| CRASHES.iter().any(|crash| line.contains(crash)));
    failures.extend(crashes.map(|line| format!("the log says {line}")));
    if !failures.is_empty() {
        eprintln!("SEED={seed} CALLS={calls}\n{}", failures.join("\n\n"));
        return Err("the calls failed".into());
    }
    Ok((made, tally))
}

/// What has run for longer than any timeout lets it, reported once.
fn hanging(running: &Running) -> Option<String> {
    let mut running = running.lock().ok()?;
    let (_, statement) = running.take_if(|(since, _)| since.elapsed() > 2 * BOUND)?;
    Some(format!("hangs: {statement}"))
}

/// No statement held a token or a marked text, so whatever is in the log was written by a function.
fn nothing_secret_is_in_the_log(server: &Server) -> Result {
    let log = std::fs::read(server.directory().join("log"))?;
    assert!(memmem::find(&log, b"session is not live").is_some(), "the log has the errors");
    let excerpt = |at: usize| {
        String::from_utf8_lossy(&log[at.saturating_sub(300)..(at + 100).min(log.len())]).into_owned()
    };
    if let Some(at) = memmem::find(&log, b"Zq9-") {
        panic!("a marked text is in the log: {}", excerpt(at));
    }
    for at in memmem::find_iter(&log, b"sso_") {
        let secret = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let length = log[at + 4..].iter().take_while(secret).count();
        assert!(length < 60, "a token is in the log: {}", excerpt(at));
    }
    Ok(())
}

/// All rows of a table as text, in an order of their own.
fn contents(client: &mut Client, table: &str) -> Result<Vec<u8>> {
    let mut rows = Vec::new();
    client
        .copy_out(&format!(
            "COPY (SELECT t::text FROM {table} AS t ORDER BY t::text COLLATE \"C\") TO STDOUT"
        ))?
        .read_to_end(&mut rows)?;
    Ok(rows)
}

/// What could be written, sealed values too, can be read.
fn what_is_stored_can_be_read(server: &Server) -> Result {
    let mut client = server.connect("postgres")?;
    for row in client.query("SELECT ust FROM fuzz.token WHERE sso_session_verify(ust)", &[])? {
        let ust: String = row.get(0);
        client.execute("SELECT sso_attr_list($1)", &[&ust])?;
        client.execute("SELECT sso_attr_get_all($1)", &[&ust])?;
    }
    Ok(())
}

/// Looks at every byte of the extension's tables; returns the contents of those that are dumped.
fn stored_text_is_utf8(server: &Server) -> Result<Vec<(String, Vec<u8>)>> {
    let mut client = server.connect("postgres")?;
    let tables = client.query(
        "SELECT c.oid::regclass::text, c.oid = ANY (e.extconfig)
         FROM pg_class AS c, pg_extension AS e
         WHERE c.relnamespace = 'sso_attr'::regnamespace AND c.relkind IN ('r', 'p') AND e.extname = 'sso_attr'
         ORDER BY 1",
        &[],
    )?;
    let mut dumped = Vec::new();
    for row in tables {
        let table: String = row.get(0);
        let rows = contents(&mut client, &table)?;
        if let Err(error) = std::str::from_utf8(&rows) {
            let at = error.valid_up_to();
            let near = String::from_utf8_lossy(&rows[at.saturating_sub(200)..(at + 100).min(rows.len())]);
            return Err(format!("{table}: {error}: {near:?}").into());
        }
        if row.get(1) {
            dumped.push((table, rows));
        }
    }
    Ok(dumped)
}

fn what_is_stored_can_be_dumped_and_restored(server: &Server) -> Result {
    let kept = stored_text_is_utf8(server)?;
    for (table, rows) in &kept {
        println!("{table}: {} bytes", rows.len());
    }
    assert!(kept.iter().all(|(_, rows)| !rows.is_empty()), "every table has rows");

    let file = server.directory().join("dump").display().to_string();
    server.run(&["pg_dump", "--file", &file, "postgres"])?;
    server.run(&["createdb", "restored"])?;
    server.run(&["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file", &file, "restored"])?;
    let mut restored = server.connect("restored")?;
    for (table, rows) in kept {
        assert!(contents(&mut restored, &table)? == rows, "{table} differs after dump and restore");
    }
    Ok(())
}
