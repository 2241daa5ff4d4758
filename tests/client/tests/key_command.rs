//! The keyring from a command: that it is run seldom, ended in time, and that what it does wrong is
//! said in clear words shows only on a server with its own configuration and processes.

use std::time::{Duration, Instant};

use sso_attr_client_tests::*;

/// A server whose keyring comes from a shell command, which finds its own directory in $DIR.
fn server_with(command: &str) -> Result<Server> {
    let server = Server::create("sso_attr.keyring_file = ''")?;
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

#[test]
fn it_is_ended_after_ten_seconds_and_by_a_cancelled_query() -> Result {
    let server = server_with("echo $$ > $DIR/pid; sleep 1000")?;
    let program = |server: &Server| -> Result<String> {
        let file = server.directory().join("pid");
        wait_until("the command runs", SOON, || Ok(file.exists()))?;
        Ok(std::fs::read_to_string(file)?.trim().to_owned())
    };
    let is_gone = |pid: &str| !std::path::Path::new(&format!("/proc/{pid}")).exists();

    let start = Instant::now();
    let (code, detail) = refused(&server)?;
    assert_eq!(
        (code.as_str(), detail.as_str()),
        ("55000", "sso_attr.key_command took longer than 10 seconds.")
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let pid = program(&server)?;
    wait_until("the command is ended", SOON, || Ok(is_gone(&pid)))?;

    std::fs::remove_file(server.directory().join("pid"))?;
    let mut client = server.connect("postgres")?;
    client.batch_execute("SET statement_timeout = '500ms'")?;
    let ust = open_session(&mut client, "command")?;
    let start = Instant::now();
    let error = refusal(client.execute("SELECT sso_attr_create($1, 'n', 's'::text, NULL, true)", &[&ust]))?;
    assert_eq!(error.code().code(), "57014");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let pid = program(&server)?;
    wait_until("the command is ended with the query", SOON, || Ok(is_gone(&pid)))
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
