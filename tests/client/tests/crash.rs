//! All or nothing has to hold through a crash in the middle of batches too.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use postgres::Client;
use serde_json::{Value, json};
use sso_attr_client_tests::{Result, SOON, Server, open_session, wait_until};

const NAMES: usize = 100;
const CRASHES: usize = 3;

fn batch(value: usize) -> Value {
    (0..NAMES).map(|number| json!({"name": format!("n{number:03}"), "value": value})).collect()
}

/// Sets a flag however the block that it belongs to is left, even by an error or a panic.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Updates all attributes to 1, 2, 3 and so on until the connection breaks or it is told to stop;
/// what was acknowledged last is in `done`.
fn keep_updating(client: &mut Client, ust: &str, done: &AtomicUsize, stop: &AtomicBool) {
    let update = "SELECT sso_attr_update_many($1, $2)";
    while !stop.load(Ordering::Relaxed)
        && client.execute(update, &[&ust, &batch(done.load(Ordering::Relaxed) + 1)]).is_ok()
    {
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Creates all attributes, deletes them all, and so on until the connection breaks or it is told to stop.
fn keep_creating_and_deleting(client: &mut Client, ust: &str, done: &AtomicUsize, stop: &AtomicBool) {
    let create = "SELECT sso_attr_create_many($1, $2)";
    let delete = "SELECT sso_attr_delete_many($1, ARRAY(SELECT sso_attr_names($1)))";
    while !stop.load(Ordering::Relaxed)
        && client.execute(create, &[&ust, &batch(0)]).is_ok()
        && client.execute(delete, &[&ust]).is_ok()
    {
        done.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_crash_leaves_no_batch_half_done() -> Result {
    let server = Server::with_extension("")?;
    for _ in 0..CRASHES {
        let mut updating = server.connect("postgres")?;
        let mut creating = server.connect("postgres")?;
        let updated = open_session(&mut updating, "updated")?;
        let created = open_session(&mut creating, "created")?;
        updating.execute("SELECT sso_attr_create_many($1, $2)", &[&updated, &batch(0)])?;
        let (updates, rounds) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| -> Result {
            let _stop_both = SetAtEnd(&stop);
            scope.spawn(|| keep_updating(&mut updating, &updated, &updates, &stop));
            scope.spawn(|| keep_creating_and_deleting(&mut creating, &created, &rounds, &stop));
            wait_until("both connections are in the middle of it", SOON, || {
                Ok(updates.load(Ordering::Relaxed) >= 10 && rounds.load(Ordering::Relaxed) >= 10)
            })?;
            server.kill()
        })?;
        server.start()?;

        let mut client = server.connect("postgres")?;
        let values =
            client.query("SELECT DISTINCT value::text::bigint FROM sso_attr_list($1)", &[&updated])?;
        let acknowledged = updates.load(Ordering::Relaxed) as i64;
        let value: i64 = values[0].get(0);
        assert_eq!(values.len(), 1, "updated by halves, {acknowledged} batches acknowledged");
        assert!((acknowledged..=acknowledged + 1).contains(&value), "{value} after {acknowledged}");
        let count: i64 = client.query_one("SELECT count(*) FROM sso_attr_names($1)", &[&created])?.get(0);
        assert!([0, NAMES as i64].contains(&count), "{count} of {NAMES} created");
    }
    Ok(())
}
