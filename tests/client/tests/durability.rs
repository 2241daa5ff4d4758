//! What a crash leaves of tables that are not in WAL, and that the way there and back keeps the rows.

use postgres::Client;
use sso_attr_client_tests::{Result, SOON, Server, open_session, refusal, wait_until};

fn value(client: &mut Client, ust: &str) -> Result<String> {
    Ok(client.query_one("SELECT sso_attr_get($1, 'kept')::text", &[&ust])?.get(0))
}

fn session_with_value(client: &mut Client) -> Result<String> {
    let ust = open_session(client, "ann")?;
    client.execute("SELECT sso_attr_create($1, 'kept', 1, encrypt => true)", &[&ust])?;
    Ok(ust)
}

#[test]
fn a_crash_empties_unlogged_tables_only() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    client.execute("SELECT sso_user_create('ann', 'a long password')", &[])?;
    let unlogged = session_with_value(&mut client)?;
    client.execute("SELECT sso_attr_set_logged(false)", &[])?;
    assert_eq!(value(&mut client, &unlogged)?, "1");
    server.crash()?;

    let mut client = server.connect("postgres")?;
    let error = refusal(client.query_one("SELECT sso_attr_get($1, 'kept')", &[&unlogged]))?;
    assert_eq!(error.code().code(), "28000");
    assert!(client.query_one("SELECT sso_user_exists('ann')", &[])?.get::<_, bool>(0));
    let logged = session_with_value(&mut client)?;
    client.execute("SELECT sso_attr_set_logged(true)", &[])?;
    server.crash()?;

    let mut client = server.connect("postgres")?;
    assert_eq!(value(&mut client, &logged)?, "1");
    Ok(())
}

#[test]
fn a_standby_cannot_read_unlogged_tables_until_they_are_logged_again() -> Result {
    let primary = Server::with_extension("")?;
    let mut client = primary.connect("postgres")?;
    let ust = session_with_value(&mut client)?;
    client.execute("SELECT sso_attr_set_logged(false)", &[])?;
    let standby = Server::standby_of(&primary)?;
    standby.start()?;
    let mut replica = standby.connect("postgres")?;
    let read = "SELECT sso_attr_get($1, 'kept')::text";
    assert_eq!(refusal(replica.query_one(read, &[&ust]))?.code().code(), "0A000");
    client.execute("SELECT sso_attr_set_logged(true)", &[])?;
    wait_until("the standby reads it", SOON, || Ok(value(&mut replica, &ust).is_ok_and(|value| value == "1")))
}
