//! A call can be cancelled whatever it is doing: each loop over what a caller can make long looks for
//! interrupts. How long a call takes depends on the machine, and so does when it is cancelled here.

use std::time::{Duration, Instant};

use postgres::Client;
use sso_attr_client_tests::{Result, Server, open_session, refusal};

const ITEMS: usize = 5_000;
/// What is only read takes less time than what is stored.
const ITEMS_READ: usize = 50_000;
const LARGE_VALUES: usize = 20;
const LARGE_BYTES: usize = 50_000;

/// Runs a call to its end, then again with timeouts that strike early, later and late; it must be
/// over at most a third of its whole time after each. Returns where it was not.
fn can_be_cancelled(client: &mut Client, call: &str, ust: &str) -> Result<Vec<String>> {
    let statement = client.prepare(&format!("SELECT count({call}) FROM data WHERE $1::text IS NOT NULL"))?;
    let run = |client: &mut Client, timeout: Duration| -> Result<_> {
        let mut transaction = client.transaction()?;
        transaction.batch_execute(&format!("SET LOCAL statement_timeout = {}", timeout.as_millis()))?;
        let start = Instant::now();
        let result = transaction.query_one(&statement, &[&ust]);
        let taken = start.elapsed();
        transaction.rollback()?;
        Ok((taken, result))
    };
    let mut whole = Duration::MAX;
    for _ in 0..2 {
        let (taken, result) = run(client, Duration::from_secs(60))?;
        if result.is_err() {
            // There is no such session, which is said once the arguments have been read.
            assert_eq!(refusal(result)?.code().code(), "28000", "{call}");
        }
        whole = whole.min(taken);
    }

    let (mut late, mut cancelled) = (Vec::new(), 0);
    for tenths in [1, 3, 6] {
        let timeout = whole * tenths / 10;
        let (taken, result) = run(client, timeout)?;
        let told = format!("{call}: {whole:?} in all, cancelled after {timeout:?}, over after {taken:?}");
        if taken > timeout + whole / 3 {
            late.push(told);
        } else if result.is_err() {
            assert_eq!(refusal(result)?.code().code(), "57014", "{told}");
            cancelled += 1;
        }
    }
    assert!(cancelled + late.len() > 0, "{call} is never cancelled");
    Ok(late)
}

fn all_can_be_cancelled(calls: &[&str]) -> Result {
    let server = Server::with_extension("shared_buffers = 256MB\nautovacuum = off")?;
    let mut client = server.connect("postgres")?;
    let batch = open_session(&mut client, "batch")?;
    let large = open_session(&mut client, "large")?;
    client.batch_execute(&format!(
        "CREATE TABLE data AS SELECT
             (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', i)) FROM generate_series(1, {ITEMS}) AS i) AS items,
             (SELECT jsonb_agg(jsonb_build_object('name', 'new' || i, 'value', i)) FROM generate_series(1, {ITEMS}) AS i) AS others,
             (SELECT array_agg('n' || i) FROM generate_series(1, {ITEMS}) AS i) AS names,
             (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', i)) FROM generate_series(1, {ITEMS_READ}) AS i) AS items_read,
             (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i)) FROM generate_series(1, {ITEMS_READ}) AS i) AS ends_read,
             (SELECT array_agg('large' || i) FROM generate_series(1, {LARGE_VALUES}) AS i) AS large_names,
             ''::text AS large"
    ))?;
    client.execute("UPDATE data SET large = $1", &[&large])?;
    client.execute(
        "INSERT INTO sso_attr.attribute (session_id, name, value, created_at, updated_at)
         SELECT session_id, name, '1', now(), now() FROM sso_session_get($1), data, unnest(names) AS name",
        &[&batch],
    )?;
    client.execute(
        &format!(
            "SELECT count(sso_attr_create($1, name, repeat('x', {LARGE_BYTES}), NULL, true))
             FROM data, unnest(large_names) AS name"
        ),
        &[&large],
    )?;
    client.batch_execute("VACUUM ANALYZE")?;
    let mut late = Vec::new();
    for call in calls {
        late.extend(can_be_cancelled(&mut client, call, &batch)?);
    }
    assert!(late.is_empty(), "{}", late.join("\n"));
    Ok(())
}

#[test]
fn reads_of_large_sealed_values_can_be_cancelled() -> Result {
    all_can_be_cancelled(&[
        "sso_attr_get_all(large)",
        "(SELECT count(*) FROM sso_attr_list(large))",
        "sso_attr_get_many(large, large_names)",
    ])
}

#[test]
fn the_sealing_of_many_values_can_be_cancelled() -> Result {
    all_can_be_cancelled(&[
        "sso_attr_create_many($1, others, NULL, true)",
        "sso_attr_set_many($1, items, NULL, true)",
        "sso_attr_update_many($1, items, NULL, true)",
    ])
}

#[test]
fn the_reading_of_many_items_can_be_cancelled() -> Result {
    all_can_be_cancelled(&[
        "sso_attr_create_many('none', items_read)",
        "sso_attr_set_many('none', items_read)",
        "sso_attr_update_many('none', items_read)",
        "sso_attr_set_expiry_many('none', ends_read)",
    ])
}
