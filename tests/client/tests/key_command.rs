//! The keyring from a command: that it is run seldom, ended in time, and that what it does wrong is
//! said in clear words shows only on a server with its own configuration and processes.

use std::time::{Duration, Instant};

use sso_attr_client_tests::*;

/// A server whose keyring comes from a shell command, which finds its own directory in $DIR. No worker
/// runs it too.
fn server_with(command: &str) -> Result<Server> {
    let server = Server::create("sso_attr.keyring_file = ''\nsso_attr.purge_interval = 0")?;
    let command = format!("DIR={}; {command}", server.directory().display()).replace('\'', "''");
    server.configure(&format!("sso_attr.key_command = '{command}'"))?;
    server.start()?;
    server.connect("postgres")?.batch_execute("CREATE EXTENSION sso_attr")?;
    Ok(server)
}

/// Tries to encrypt and returns SQLSTATE and DETAIL of the refusal.
fn refused(server: &Server) -> Result<(String, String)> {
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "command")?;
    let error = refusal(client.execute("SELECT sso_attr_create($1, 'n', 's'::text, NULL, true)", &[&ust]))?;
    Ok((error.code().code().to_owned(), error.detail().unwrap_or_default().to_owned()))
}

#[test]
fn it_is_run_once_for_many_calls_and_reads_what_the_file_sealed() -> Result {
    let server = server_with("echo run >> $DIR/runs; cat $DIR/keyring")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "command")?;
    for number in 0..50 {
        client.execute("SELECT sso_attr_set($1, 'n', $2::int, NULL, true)", &[&ust, &number])?;
        let value: String = client.query_one("SELECT sso_attr_get_text($1, 'n')", &[&ust])?.get(0);
        assert_eq!(value, number.to_string());
    }
    assert_eq!(std::fs::read_to_string(server.directory().join("runs"))?, "run\n");

    // The same keys from the file: where a keyring comes from is no part of what it seals.
    server.configure(&format!(
        "sso_attr.key_command = ''\nsso_attr.keyring_file = '{}'",
        server.keyring().display()
    ))?;
    client.execute("SELECT pg_reload_conf()", &[])?;
    wait_until("the file is in force", SOON, || {
        let shown: String = client.query_one("SHOW sso_attr.key_command", &[])?.get(0);
        Ok(shown.is_empty())
    })?;
    let value: String = client.query_one("SELECT sso_attr_get_text($1, 'n')", &[&ust])?.get(0);
    assert_eq!(value, "49");
    Ok(())
}

#[test]
fn its_failures_are_said_in_clear_words() -> Result {
    for (command, detail) in [
        ("exit 3", "sso_attr.key_command failed with exit status: 3."),
        ("echo nonsense", "The keyring is malformed. Line 1 is not \"id:64 hex digits\"."),
        ("true", "The keyring is malformed. It holds no key."),
        ("yes", "sso_attr.key_command writes more than 1048576 bytes."),
    ] {
        let server = server_with(command)?;
        assert_eq!(refused(&server)?, ("55000".into(), detail.into()), "{command}");
    }
    Ok(())
}

/// The id that the command has written to a file in the server's directory.
fn written_pid(server: &Server, file: &str) -> Result<String> {
    let file = server.directory().join(file);
    let mut pid = String::new();
    wait_until("the command has told its id", SOON, || {
        pid = std::fs::read_to_string(&file).unwrap_or_default();
        Ok(pid.ends_with('\n'))
    })?;
    std::fs::remove_file(file)?;
    Ok(pid.trim().to_owned())
}

fn wait_for_end(pid: &str) -> Result {
    wait_until("the process has ended", SOON, || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
        Ok(status.map_or(true, |status| status.contains("\nState:\tZ")))
    })
}

#[test]
fn it_is_ended_after_ten_seconds_and_by_a_cancelled_query() -> Result {
    let server = server_with("echo $$ > $DIR/pid; sleep 1000")?;
    let start = Instant::now();
    let (code, detail) = refused(&server)?;
    assert_eq!(
        (code.as_str(), detail.as_str()),
        ("55000", "sso_attr.key_command took longer than 10 seconds.")
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    wait_for_end(&written_pid(&server, "pid")?)?;

    let mut client = server.connect("postgres")?;
    client.batch_execute("SET statement_timeout = '500ms'")?;
    let ust = open_session(&mut client, "command")?;
    let start = Instant::now();
    let error = refusal(client.execute("SELECT sso_attr_create($1, 'n', 's'::text, NULL, true)", &[&ust]))?;
    assert_eq!(error.code().code(), "57014");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    wait_for_end(&written_pid(&server, "pid")?)
}

#[test]
fn what_it_has_started_ends_with_it() -> Result {
    // The shell ends at once; what it leaves behind keeps the output open, or does not.
    let server = server_with("sleep 1000 & echo $! > $DIR/pid")?;
    let (_, detail) = refused(&server)?;
    assert_eq!(detail, "sso_attr.key_command took longer than 10 seconds.");
    wait_for_end(&written_pid(&server, "pid")?)?;

    let server = server_with("sleep 1000 >&2 & echo $! > $DIR/pid; cat $DIR/keyring")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "command")?;
    client.execute("SELECT sso_attr_create($1, 'n', 's'::text, NULL, true)", &[&ust])?;
    wait_for_end(&written_pid(&server, "pid")?)
}

#[test]
fn it_ends_with_its_backend() -> Result {
    let server =
        server_with("sleep 1000 & echo $! > $DIR/grandchild; echo $$ > $DIR/child; exec sleep 1000")?;
    let mut client = server.connect("postgres")?;
    let in_backend = |end: &mut dyn FnMut(i32) -> Result| -> Result<(String, String)> {
        let mut victim = server.connect("postgres")?;
        let (ust, pid) = (open_session(&mut victim, "command")?, backend_pid(&mut victim)?);
        std::thread::scope(|scope| {
            let call = scope.spawn(move || {
                victim.execute("SELECT sso_attr_create($1, 'n', 's'::text, NULL, true)", &[&ust]).is_err()
            });
            let pids = (|| Ok((written_pid(&server, "grandchild")?, written_pid(&server, "child")?)))();
            end(pid)?;
            assert!(call.join().map_err(|_| "the caller panicked")?);
            pids
        })
    };

    let (grandchild, child) =
        in_backend(&mut |pid| Ok(client.execute("SELECT pg_terminate_backend($1)", &[&pid]).map(drop)?))?;
    wait_for_end(&child)?;
    wait_for_end(&grandchild)?;

    // One that is killed can end nothing itself; the system ends the program that it has started.
    let (grandchild, child) = in_backend(&mut kill)?;
    let ended = wait_for_end(&child);
    kill(grandchild.parse()?)?;
    ended
}

#[test]
fn no_session_is_locked_while_it_runs() -> Result {
    let server =
        server_with("echo $$ > $DIR/pid; while [ ! -e $DIR/go ]; do sleep 0.05; done; cat $DIR/keyring")?;
    let go = server.directory().join("go");
    std::fs::write(&go, "")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "command")?;
    client.execute("SELECT sso_attr_create($1, 'sealed', 's'::text, NULL, true)", &[&ust])?;
    written_pid(&server, "pid")?;
    for call in [
        "sso_attr_create($1, 'one', 1, NULL, true)",
        "sso_attr_set($1, 'two', 2, NULL, true)",
        "sso_attr_set($1, 'sealed', 3)",
        "sso_attr_create_many($1, '[{\"name\": \"three\", \"value\": 4, \"encrypt\": true}]')",
        "sso_attr_set_many($1, '[{\"name\": \"four\", \"value\": 5, \"encrypt\": true}]')",
        "sso_attr_set_many($1, '[{\"name\": \"sealed\", \"value\": 6}]')",
        "sso_attr_update($1, 'sealed', 7)",
        "sso_attr_update_many($1, '[{\"name\": \"sealed\", \"value\": 8}]')",
    ] {
        std::fs::remove_file(&go)?;
        let mut caller = server.connect("postgres")?;
        std::thread::scope(|scope| -> Result {
            let ust = &ust;
            let called = scope.spawn(move || caller.execute(&format!("SELECT {call}"), &[ust]));
            let free = (|| {
                written_pid(&server, "pid")?;
                Ok(client.execute("SELECT FROM sso_attr.session FOR UPDATE NOWAIT", &[])?)
            })();
            std::fs::write(&go, "")?;
            called.join().map_err(|_| "the caller panicked")??;
            let free: Result<u64> = free;
            assert_eq!(free.map_err(|error| format!("{call}: {error:?}"))?, 1);
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn two_sources_are_one_too_many() -> Result {
    let server = server_with("cat $DIR/keyring")?;
    server.configure(&format!("sso_attr.keyring_file = '{}'", server.keyring().display()))?;
    server.stop(Stop::Fast)?;
    server.start()?;
    let (code, detail) = refused(&server)?;
    assert_eq!(code, "55000");
    assert_eq!(detail, "Both sso_attr.keyring_file and sso_attr.key_command are set.");
    Ok(())
}
