//! What docs/operations.md says of logical replication: what arrives, who needs the keyring, and why a
//! subscriber does not purge.

use postgres::Client;
use sso_attr_client_tests::document::operations;
use sso_attr_client_tests::{KEY, Result, SOON, Server, contents, open_session, refusal, wait_until};

/// A publisher, and a subscriber that has what the publisher's tables hold.
fn pair(publisher: &str) -> Result<(Server, Server)> {
    let publisher = Server::with_extension(&format!("wal_level = logical\n{publisher}"))?;
    let [settings, subscribe] = ["conf", "text"]
        .map(|language| operations("Logical replication", language).map(|blocks| blocks.concat()));
    let subscriber = Server::with_extension(&settings?)?;
    publisher.connect("postgres")?.batch_execute(&operations("Logical replication", "sql")?.concat())?;
    let connection = format!("'host={} user=postgres dbname=postgres'", publisher.directory().display());
    let subscribe = subscribe?.replace("'host=primary user=replicator dbname=app'", &connection);
    subscriber.connect("postgres")?.batch_execute(&subscribe)?;
    Ok((publisher, subscriber))
}

fn wait_for_replication(from: &mut Client, to: &mut Client) -> Result {
    wait_until("the subscriber has caught up", SOON, || Ok(contents(from)? == contents(to)?))
}

#[test]
fn a_subscriber_has_everything_and_needs_the_keyring_to_open_it() -> Result {
    let (publisher, subscriber) = pair("sso_attr.purge_interval = 1")?;
    let (mut from, mut to) = (publisher.connect("postgres")?, subscriber.connect("postgres")?);
    subscriber.run(&["rm".as_ref(), subscriber.keyring().as_os_str()])?;
    let ust = open_session(&mut from, "ann")?;
    from.execute("SELECT sso_attr_create($1, 'sealed', 'a secret'::text, encrypt => true)", &[&ust])?;
    from.execute("SELECT sso_attr_create($1, 'large', repeat('secret', 9000), encrypt => true)", &[&ust])?;
    wait_for_replication(&mut from, &mut to)?;
    assert_eq!(contents(&mut to)?.len(), 3);

    // What changes and goes, on its own and with its session, and what a rotation leaves.
    let ended = open_session(&mut from, "ann")?;
    from.execute("SELECT sso_attr_create($1, 'clear', 1)", &[&ended])?;
    from.execute("SELECT sso_session_create('ann', expiration => 0.1)", &[])?;
    wait_for_replication(&mut from, &mut to)?;
    from.execute("SELECT sso_session_end($1)", &[&ended])?;
    from.execute("SELECT sso_attr_set_expiry($1, 'large', 3600)", &[&ust])?;
    let rotate = "SELECT sso_session_rotate($1, new_ust => 'token-that-a-framework-chose')";
    let ust: String = from.query_one(rotate, &[&ust])?.get(0);
    wait_until("the publisher has purged", SOON, || Ok(contents(&mut from)?.len() == 4))?;
    wait_for_replication(&mut from, &mut to)?;

    let read = |name: &str| -> std::result::Result<String, postgres::Error> {
        // A new connection each time: one that has read a keyring would keep it in use.
        let mut client = subscriber.connect("postgres")?;
        Ok(client.query_one("SELECT sso_attr_get_text($1, $2)", &[&ust, &name])?.get(0))
    };
    assert_eq!(refusal(read("sealed"))?.code().code(), "55000");
    subscriber.set_keyring(&format!("1:{}\n", "5a".repeat(32)))?;
    assert_eq!(refusal(read("sealed"))?.code().code(), "XX001");
    let keys = format!("2:{}\n1:{}\n", "b7".repeat(32), hex::encode(KEY));
    publisher.set_keyring(&keys)?;
    let rekeyed = "SELECT count(*) FROM sso_attr.key_check WHERE key_id = 1 AND rekeyed_at IS NOT NULL";
    for client in [&mut from, &mut to] {
        wait_until("all is rekeyed", SOON, || Ok(client.query_one(rekeyed, &[])?.get::<_, i64>(0) == 1))?;
    }
    wait_for_replication(&mut from, &mut to)?;
    subscriber.set_keyring(&keys)?;
    assert_eq!(read("sealed")?, "a secret");
    assert_eq!(read("large")?, "secret".repeat(9000));
    Ok(())
}

#[test]
fn a_subscriber_that_purges_loses_a_renewed_session() -> Result {
    let (publisher, subscriber) = pair("")?;
    let (mut from, mut to) = (publisher.connect("postgres")?, subscriber.connect("postgres")?);
    let ust = open_session(&mut from, "ann")?;
    wait_for_replication(&mut from, &mut to)?;
    to.batch_execute("ALTER SUBSCRIPTION sso DISABLE")?;
    // As if the renewal had not arrived by the session's end.
    to.execute("UPDATE sso_attr.session SET expires_at = now()", &[])?;
    assert_eq!(to.query_one("SELECT sso_attr_purge()", &[])?.get::<_, i64>(0), 1);
    from.execute("SELECT sso_session_renew($1, 7200)", &[&ust])?;
    from.execute("SELECT sso_user_create('last', 'a long password')", &[])?;

    to.batch_execute("ALTER SUBSCRIPTION sso ENABLE")?;
    wait_until("what was written last has arrived", SOON, || {
        Ok(to.query_one("SELECT sso_user_exists('last')", &[])?.get(0))
    })?;

    let verify = "SELECT sso_session_verify($1)";
    assert!(from.query_one(verify, &[&ust])?.get::<_, bool>(0));
    assert!(!to.query_one(verify, &[&ust])?.get::<_, bool>(0));
    Ok(())
}
