//! A server may have RUST_BACKTRACE in its environment, for whatever else is in it: our errors say
//! the same.

use sso_attr_client_tests::{Result, Server, open_session, refusal};

#[test]
fn no_error_carries_a_backtrace() -> Result {
    let server = Server::create("")?;
    // Not by Server::start: the scripts take the variable away.
    let (data, log) = (server.data(), server.directory().join("log"));
    let start = format!("RUST_BACKTRACE=1 pg_ctl -s -D '{}' -l '{}' -w start", data.display(), log.display());
    server.run(&["sh", "-c", &start])?;
    let mut client = server.connect("postgres")?;
    client.batch_execute("CREATE EXTENSION sso_attr")?;
    let ust = open_session(&mut client, "ann")?;
    client.execute("SELECT sso_attr_create($1, 'here', 1)", &[&ust])?;
    for (call, code, detail) in [
        ("sso_attr_get('nope' || $1, 'here')", "28000", None),
        ("sso_attr_update($1, 'gone', 1)", "P0002", Some("Missing: \"gone\".")),
        ("sso_attr_create($1, 'here', 1)", "23505", Some("Existing: \"here\".")),
        ("sso_attr_set($1, NULL, 1)", "22023", None),
        ("sso_attr_set_many($1, '1')", "22023", None),
        ("sso_attr_set($1, repeat('x', 256), 1)", "54000", Some("The limit is 255 characters.")),
        // PostgreSQL's own, which comes through.
        ("sso_attr_set($1, 'here', '1'::json || '2'::json)", "42883", None),
        (
            "sso_attr_set($1, 'here', '\"\\u0000\"'::json)",
            "22P05",
            Some("\\u0000 cannot be converted to text."),
        ),
    ] {
        let error = refusal(client.query(&format!("SELECT {call}"), &[&ust]))?;
        assert_eq!((error.code().code(), error.detail()), (code, detail), "{call}");
    }
    let logged = server.log()?;
    assert!(!logged.contains("stack backtrace") && !logged.contains("rustc"), "{logged}");
    Ok(())
}
