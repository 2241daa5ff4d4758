//! What pg_stat_activity shows while something of ours waits: only other processes see it.

use std::sync::mpsc::channel;

use postgres::Client;
use sso_attr_client_tests::{Result, SOON, Server, open_session, wait_until};

/// Waits until a process of a kind shows a wait event: ours, or that of all extensions where the server does
/// not know ours.
fn wait_for_event(client: &mut Client, backend_type: &str, ours: &str) -> Result {
    let version: i32 = client.query_one("SELECT current_setting('server_version_num')::int", &[])?.get(0);
    let expected = if version < 170_000 { "Extension" } else { ours };
    let event = "SELECT FROM pg_stat_activity
                 WHERE backend_type = $1 AND wait_event_type = 'Extension' AND wait_event = $2";
    wait_until(&format!("{backend_type} shows {expected}"), SOON, || {
        Ok(!client.query(event, &[&backend_type, &expected])?.is_empty())
    })
}

#[test]
fn the_launcher_shows_whether_it_sleeps_or_waits_for_a_visitor() -> Result {
    let server = Server::with_extension("sso_attr.purge_interval = 1h")?;
    let mut admin = server.connect("postgres")?;
    wait_for_event(&mut admin, "sso_attr launcher", "SsoAttrLauncherMain")?;
    // Visitors wait for the locked table, each for a second.
    let mut holder = server.connect("postgres")?;
    holder.batch_execute("BEGIN; LOCK TABLE sso_attr.attribute")?;
    admin.batch_execute("ALTER SYSTEM SET sso_attr.purge_interval = '1s'")?;
    admin.batch_execute("SELECT pg_reload_conf()")?;
    wait_for_event(&mut admin, "sso_attr launcher", "SsoAttrVisitor")?;
    holder.batch_execute("ROLLBACK")?;
    wait_for_event(&mut admin, "sso_attr launcher", "SsoAttrLauncherMain")
}

#[test]
fn a_visitor_shows_that_it_pauses() -> Result {
    let server = Server::with_extension("sso_attr.purge_interval = 1s\nsso_attr.purge_share = 1")?;
    let mut client = server.connect("postgres")?;
    client.batch_execute(
        "INSERT INTO sso_attr.session (id, created_at, expires_at, secret_digest)
         SELECT gen_random_uuid(), now(), now(), sha256('none') FROM generate_series(1, 30000)",
    )?;
    wait_for_event(&mut client, "sso_attr purge", "SsoAttrPurgeDelay")
}

#[test]
fn a_call_shows_that_it_waits_for_the_key_command() -> Result {
    let server = Server::create("sso_attr.keyring_file = ''\nsso_attr.purge_interval = 0")?;
    let directory = server.directory().display();
    server.configure(&format!(
        "sso_attr.key_command = 'until [ -e {directory}/go ]; do sleep 0.1; done; cat {directory}/keyring'"
    ))?;
    server.start()?;
    let mut admin = server.connect("postgres")?;
    admin.batch_execute("CREATE EXTENSION sso_attr")?;
    let mut caller = server.connect("postgres")?;
    let ust = open_session(&mut caller, "waiting")?;
    let (done, called) = channel();
    std::thread::spawn(move || {
        let sealed = "SELECT sso_attr_set($1, 'sealed', 's'::text, NULL, true)";
        // The caller comes back, so that it can be seen to wait for nothing more.
        drop(done.send(caller.execute(sealed, &[&ust]).map(|_| caller)));
    });
    wait_for_event(&mut admin, "client backend", "SsoAttrKeyCommand")?;
    server.run_with_input(&["tee".as_ref(), server.directory().join("go").as_os_str()], "")?;
    let _caller = called.recv()??;
    let event = "SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND wait_event_type = 'Extension'";
    assert!(admin.query(event, &[])?.is_empty());
    Ok(())
}
