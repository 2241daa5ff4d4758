//! Logins from many connections at once: counts, waits, memory; and where passwords are not.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD as BASE64};
use memchr::memmem;
use postgres::Client;
use sso_attr_client_tests::{Result, SOON, Server, backend_pid, refusal, wait_until};

const PASSWORD: &str = "Zq8-the-right-password-Zq8";
const CHEAP: &str = "sso_attr.password_memory = '1MB'\nsso_attr.password_passes = 1";
/// A hash that takes about a second, and as much memory as all may take.
const LONG: &str = "SET sso_attr.password_memory = '256MB'; SET sso_attr.password_passes = 6";
const ROOM_FOR_ONE: &str = "sso_attr.login_memory = '256MB'";

fn create_user(client: &mut Client) -> Result {
    client.execute("SELECT sso_user_create('ann', $1, 'ann')", &[&PASSWORD])?;
    Ok(())
}

fn login(client: &mut Client, password: &str) -> std::result::Result<Option<String>, postgres::Error> {
    Ok(client.query_one("SELECT sso_user_login('ann', $1)", &[&password])?.get(0))
}

fn failures(client: &mut Client) -> Result<i64> {
    Ok(client.query_one("SELECT failures FROM sso_user_list()", &[])?.get(0))
}

/// Fifty wrong passwords from each of twenty connections.
fn a_thousand_wrong_passwords(server: &Server) -> Result<Duration> {
    let mut clients =
        (0..20).map(|_| server.connect("postgres")).collect::<std::result::Result<Vec<_>, _>>()?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                scope.spawn(move || {
                    (0..50).try_for_each(|round| {
                        login(client, &format!("wrong {round}")).map(|ust| assert_eq!(ust, None))
                    })
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker panicked"))
    })?;
    Ok(start.elapsed())
}

#[test]
fn concurrent_failures_are_all_counted_and_bar_the_right_password() -> Result {
    let server = Server::with_extension(&format!("{CHEAP}\nsso_attr.login_attempts = 1000"))?;
    let mut client = server.connect("postgres")?;
    create_user(&mut client)?;
    a_thousand_wrong_passwords(&server)?;
    assert_eq!(failures(&mut client)?, 1000);

    // As if they had been too many by far: the wait is the longest from now on.
    client.batch_execute("SET sso_attr.login_attempts = 10")?;
    assert_eq!(login(&mut client, PASSWORD)?, None);
    let waits: bool = client
        .query_one("SELECT waits_until = last_failed_at + interval '15 minutes' AND last_refusal = 'waiting' FROM sso_user_list()", &[])?
        .get(0);
    assert!(waits);
    assert_eq!(failures(&mut client)?, 1000);
    client.batch_execute("SELECT sso_user_unlock('ann')")?;
    assert!(login(&mut client, PASSWORD)?.is_some());
    assert_eq!(failures(&mut client)?, 0);
    Ok(())
}

#[test]
fn no_more_passwords_are_tried_at_once_than_the_waits_allow() -> Result {
    let server = Server::with_extension(CHEAP)?;
    let mut client = server.connect("postgres")?;
    create_user(&mut client)?;
    let taken = a_thousand_wrong_passwords(&server)?;
    let counted = failures(&mut client)?;
    assert!(counted >= 10, "{counted} failures");
    // Ten are free; the next ones are 1, 2, 4... seconds apart.
    let waited = Duration::from_secs((1 << (counted - 10)) - 1);
    assert!(waited <= taken, "{counted} failures within {taken:?}");
    Ok(())
}

#[test]
fn an_unknown_user_costs_as_much_as_a_wrong_password() -> Result {
    let server = Server::with_extension("sso_attr.login_attempts = 0")?;
    let mut client = server.connect("postgres")?;
    create_user(&mut client)?;
    // In turn, so that whatever else the machine does slows down both.
    let mut shortest = [Duration::MAX; 2];
    for _ in 0..15 {
        for (username, shortest) in ["ann", "nobody"].iter().zip(&mut shortest) {
            let start = Instant::now();
            client.query_one("SELECT sso_user_login($1, 'a wrong one')", &[username])?;
            *shortest = start.elapsed().min(*shortest);
        }
    }
    let [known, unknown] = shortest;
    println!("a wrong password took {known:?}, an unknown user {unknown:?}");
    assert!(unknown > known / 2 && unknown < known * 2, "{known:?}, {unknown:?}");
    Ok(())
}

/// Hashes for a while.
fn create_long(client: &mut Client, username: &str) -> std::result::Result<u64, postgres::Error> {
    client.execute("SELECT sso_user_create($1, $2)", &[&username, &PASSWORD])
}

#[test]
fn a_hash_waits_for_memory_and_can_be_cancelled_meanwhile() -> Result {
    let server = Server::with_extension(ROOM_FOR_ONE)?;
    let mut work = Vec::new();
    for username in ["ann", "bob"] {
        let mut client = server.connect("postgres")?;
        client.batch_execute(LONG)?;
        let pid = backend_pid(&mut client)?;
        work.push((pid, std::thread::spawn(move || create_long(&mut client, username))));
    }
    let mut client = server.connect("postgres")?;
    let events = "SELECT pid, wait_event_type FROM pg_stat_activity
                  WHERE state = 'active' AND pid IN ($1, $2) ORDER BY wait_event_type";
    let mut waits = 0;
    wait_until("one hashes and the other waits", SOON, || {
        let rows = client.query(events, &[&work[0].0, &work[1].0])?;
        let events: Vec<_> = rows.iter().map(|row| row.get::<_, Option<&str>>(1)).collect();
        waits = rows.first().map_or(0, |row| row.get(0));
        Ok(events == [Some("Extension"), None])
    })?;
    client.execute("SELECT pg_cancel_backend($1)", &[&waits])?;
    for (pid, work) in work {
        let result = work.join().expect("a client panicked");
        if pid == waits {
            assert_eq!(refusal(result)?.code().code(), "57014");
        } else {
            result?;
        }
    }
    Ok(())
}

#[test]
fn memory_that_a_killed_backend_had_is_free_again() -> Result {
    let server = Server::with_extension(ROOM_FOR_ONE)?;
    let mut client = server.connect("postgres")?;
    let mut victim = server.connect("postgres")?;
    victim.batch_execute(LONG)?;
    let pid = backend_pid(&mut victim)?;
    let work = std::thread::spawn(move || create_long(&mut victim, "ann").is_err());
    let hashes = "SELECT state = 'active' AND wait_event_type IS NULL AND query ~ 'sso_user_create'
                  FROM pg_stat_activity WHERE pid = $1";
    wait_until("the backend hashes", SOON, || Ok(client.query_one(hashes, &[&pid])?.get(0)))?;
    server.crash_by(pid)?;
    assert!(work.join().expect("the client panicked"));

    let mut client = server.connect("postgres")?;
    client.batch_execute(&format!("{LONG}; SET statement_timeout = '60s'"))?;
    create_long(&mut client, "bob")?;
    Ok(())
}

#[test]
fn a_login_without_memory_is_refused_and_one_gives_it_back() -> Result {
    let server = Server::with_extension("shared_buffers = 16MB")?;
    let mut client = server.connect("postgres")?;
    create_user(&mut client)?;
    let pid = backend_pid(&mut client)?;
    assert!(login(&mut client, PASSWORD)?.is_some());
    let size = |what: &str| -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("no such figure")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    };
    let before = size("VmRSS:")?;
    for _ in 0..5 {
        assert!(login(&mut client, PASSWORD)?.is_some());
    }
    assert!(size("VmRSS:")? < before + (4 << 20), "{before} bytes before, {} after", size("VmRSS:")?);

    let limit = |bytes: String| {
        server.run(&["prlimit".to_owned(), format!("--pid={pid}"), format!("--as={bytes}:unlimited")])
    };
    limit((size("VmSize:")? + (8 << 20)).to_string())?;
    let result = login(&mut client, PASSWORD);
    limit("unlimited".to_owned())?;
    assert_eq!(refusal(result)?.code().code(), "53200");
    assert!(login(&mut client, PASSWORD)?.is_some());
    Ok(())
}

/// Files below a directory that contain the bytes.
fn files_with(directory: &Path, needle: &[u8], found: &mut Vec<String>) -> Result {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files_with(&path, needle, found)?;
        } else if path.is_file() && memmem::find(&std::fs::read(&path)?, needle).is_some() {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}

#[test]
fn password_and_token_are_in_no_file_and_no_dump_and_the_dump_logs_in() -> Result {
    let server =
        Server::with_extension("log_statement = all\nlog_parameter_max_length = 0\nwal_level = logical")?;
    let mut client = server.connect("postgres")?;
    create_user(&mut client)?;
    let changed = format!("{PASSWORD} changed");
    client.execute("SELECT sso_user_set_password('ann', $1)", &[&changed])?;
    let token = login(&mut client, &changed)?.ok_or("refused")?;
    assert!(login(&mut client, PASSWORD)?.is_none());
    // What a caller gets wrong is not in the error either.
    let error = refusal(client.execute("SELECT sso_user_create('ann', $1)", &[&PASSWORD]))?;
    assert!(!format!("{error:?}").contains("Zq8"), "{error:?}");
    let error = refusal(client.execute("SELECT sso_user_create('bob', repeat($1, 99))", &[&PASSWORD]))?;
    assert!(!format!("{error:?}").contains("Zq8"), "{error:?}");
    client.batch_execute("CHECKPOINT")?;

    let plain = server.directory().join("plain").display().to_string();
    server.run(&["pg_dump", "--format=plain", "--file", &plain, "postgres"])?;
    let mut found = Vec::new();
    files_with(server.directory(), b"$argon2id$v=19$m=19456,t=2,p=1$", &mut found)?;
    assert!(found.contains(&plain), "{found:?}");
    // The last 42 characters of a token are of its secret alone.
    let secret = token[token.len() - 42..].to_owned();
    for needle in [PASSWORD.into(), hex::encode(PASSWORD), BASE64.encode(PASSWORD), secret] {
        found.clear();
        files_with(server.directory(), needle.as_bytes(), &mut found)?;
        assert!(found.is_empty(), "{needle}: {found:?}");
    }

    server.run(&["createdb", "restored"])?;
    server.run(&["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file", &plain, "restored"])?;
    let mut restored = server.connect("restored")?;
    assert!(login(&mut restored, PASSWORD)?.is_none());
    assert!(login(&mut restored, &changed)?.is_some());
    Ok(())
}
