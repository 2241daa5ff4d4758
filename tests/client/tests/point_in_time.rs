//! What docs/operations.md says of base backups: a server goes back to a point, logouts after it are undone,
//! and the keyring has to come from elsewhere.

use sso_attr_client_tests::document::operations;
use sso_attr_client_tests::{Result, SOON, Server, open_session, refusal, wait_until};

#[test]
fn a_base_backup_and_the_archive_lead_back_to_a_point() -> Result {
    let source = Server::create("")?;
    let archive = source.directory().join("archive").display().to_string();
    let settings = operations("Base backup and point in time", "conf")?;
    let [archiving, recovery] =
        &settings.iter().map(|block| block.replace("/archive", &archive)).collect::<Vec<_>>()[..]
    else {
        return Err("the page has not two blocks of settings".into());
    };
    source.run(&["mkdir", &archive])?;
    source.configure(archiving)?;
    source.start()?;
    let mut client = source.connect("postgres")?;
    client.batch_execute("CREATE EXTENSION sso_attr")?;
    let ust = open_session(&mut client, "ann")?;
    client.execute("SELECT sso_attr_create($1, 'clear', 1)", &[&ust])?;

    let restored = Server::backup_of(&source, "")?;
    client.execute("SELECT sso_attr_create($1, 'sealed', 'a secret'::text, encrypt => true)", &[&ust])?;
    client.execute("SELECT pg_create_restore_point('before_the_mistake')", &[])?;
    client.execute("SELECT sso_session_end($1)", &[&ust])?;
    let written: String = client.query_one("SELECT pg_walfile_name(pg_switch_wal())", &[])?.get(0);
    wait_until("the WAL is archived", SOON, || {
        let archived =
            client.query_one("SELECT last_archived_wal >= $1 FROM pg_stat_archiver", &[&written])?;
        Ok(archived.get::<_, Option<bool>>(0) == Some(true))
    })?;
    restored.configure(recovery)?;
    restored.run(&["touch".as_ref(), restored.data().join("recovery.signal").as_os_str()])?;
    restored.run(&["rm".as_ref(), restored.keyring().as_os_str()])?;
    restored.start()?;
    let mut client_of_restored = restored.connect("postgres")?;
    wait_until("it has left recovery", SOON, || {
        Ok(!client_of_restored.query_one("SELECT pg_is_in_recovery()", &[])?.get::<_, bool>(0))
    })?;

    let read = "SELECT sso_attr_get_text($1, $2)";
    assert_eq!(refusal(client.query_one(read, &[&ust, &"clear"]))?.code().code(), "28000");
    assert_eq!(client_of_restored.query_one(read, &[&ust, &"clear"])?.get::<_, &str>(0), "1");
    assert_eq!(refusal(client_of_restored.query_one(read, &[&ust, &"sealed"]))?.code().code(), "55000");
    restored.set_keyring(&std::fs::read_to_string(source.keyring())?)?;
    assert_eq!(client_of_restored.query_one(read, &[&ust, &"sealed"])?.get::<_, &str>(0), "a secret");
    client_of_restored.batch_execute(&operations("Base backup and point in time", "sql")?.concat())?;
    assert_eq!(refusal(client_of_restored.query_one(read, &[&ust, &"clear"]))?.code().code(), "28000");
    Ok(())
}
