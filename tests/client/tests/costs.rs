//! What a call costs grows with what it is given, not with its square, and not with what the
//! statistics of a bad day say. Times are compared within one run, with the same work done otherwise.

use std::time::{Duration, Instant};

use postgres::Client;
use sso_attr_client_tests::{Result, Server, open_session};

/// What a factor of two between the times may come to in a noisy run.
const MOST: u32 = 5;

fn server() -> Result<(Server, Client)> {
    // Statistics are taken when the test says so.
    let server = Server::with_extension("autovacuum = off\nshared_buffers = 256MB")?;
    let client = server.connect("postgres")?;
    Ok((server, client))
}

/// Fills a session, without asking any of what is tested, with attributes n1, n2 and so on.
fn fill(client: &mut Client, ust: &str, attributes: i32) -> Result {
    client.execute(
        "INSERT INTO sso_attr.attribute (session_id, name, value, created_at, updated_at)
         SELECT session_id, 'n' || i, '1', now(), now() FROM sso_session_get($1), generate_series(1, $2) AS i",
        &[&ust, &attributes],
    )?;
    Ok(())
}

/// The time of a call that is then rolled back; the whole run ends should it take for ever.
fn time(client: &mut Client, call: &str, ust: &str) -> Result<Duration> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute("SET LOCAL statement_timeout = '60s'")?;
    let statement =
        transaction.prepare(&format!("SELECT count({call}) FROM data WHERE $1::text IS NOT NULL"))?;
    let start = Instant::now();
    transaction.query_one(&statement, &[&ust])?;
    let taken = start.elapsed();
    transaction.rollback()?;
    Ok(taken)
}

fn data(client: &mut Client, names: i32) -> Result {
    client.batch_execute(&format!(
        "CREATE TABLE data AS SELECT
             (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', i)) FROM generate_series(1, {names}) AS i) AS items,
             (SELECT array_agg('n' || i) FROM generate_series(1, {names}) AS i) AS names"
    ))?;
    Ok(())
}

#[test]
fn an_end_or_a_protection_for_every_item_costs_what_it_costs_without() -> Result {
    const NAMES: i32 = 15_000;
    let (_server, mut client) = server()?;
    let ust = open_session(&mut client, "cost")?;
    fill(&mut client, &ust, NAMES)?;
    data(&mut client, NAMES)?;
    // Sealed rows, so that each changes its form; what is in them is not looked at.
    let sealed = open_session(&mut client, "cost")?;
    fill(&mut client, &sealed, NAMES)?;
    client.execute(
        "UPDATE sso_attr.attribute SET value = NULL, sealed = '\\x01' WHERE session_id = (SELECT session_id FROM sso_session_get($1))",
        &[&sealed],
    )?;
    client.batch_execute("VACUUM ANALYZE")?;

    time(&mut client, "sso_attr_set_many($1, items)", &ust)?;
    let plain = time(&mut client, "sso_attr_set_many($1, items)", &ust)?;
    for (call, ust) in [
        ("sso_attr_set_many($1, items, 'Infinity')", &ust),
        ("sso_attr_set_many($1, items, NULL, false)", &sealed),
        ("sso_attr_set_many($1, items, 'Infinity', false)", &sealed),
    ] {
        let taken = time(&mut client, call, ust)?;
        assert!(taken < plain * MOST, "{call}: {taken:?}, without {plain:?}");
    }
    Ok(())
}

#[test]
fn batches_do_not_depend_on_statistics() -> Result {
    const NAMES: i32 = 5_000;
    const CALLS: [&str; 4] = [
        "sso_attr_update_many($1, items)",
        "sso_attr_get_many($1, names)",
        "sso_attr_exists_many($1, names)",
        "sso_attr_delete_many($1, names)",
    ];
    let (server, mut setup) = server()?;
    data(&mut setup, NAMES)?;
    let ust = open_session(&mut setup, "cost")?;
    let mut times = Vec::new();
    for is_emptied in [false, true] {
        fill(&mut setup, &ust, NAMES)?;
        if is_emptied {
            setup.batch_execute("DELETE FROM sso_attr.attribute")?;
        }
        setup.batch_execute("VACUUM ANALYZE sso_attr.attribute")?;
        if is_emptied {
            fill(&mut setup, &ust, NAMES)?;
        }
        // Plans are made by each backend, from the statistics of now.
        let mut client = server.connect("postgres")?;
        times.push(CALLS.map(|call| {
            time(&mut client, call, &ust).and_then(|first| Ok(first.min(time(&mut client, call, &ust)?)))
        }));
        setup.batch_execute("DELETE FROM sso_attr.attribute")?;
    }
    let [good, bad] = <[_; 2]>::try_from(times).map_err(|_| "two rounds")?;
    for ((call, good), bad) in CALLS.iter().zip(good).zip(bad) {
        let (good, bad) = (good?, bad?);
        assert!(bad < good * MOST, "{call}: {bad:?}, with other statistics {good:?}");
    }
    Ok(())
}

#[test]
fn a_small_session_beside_a_large_one_is_read_by_index() -> Result {
    let (server, mut setup) = server()?;
    let large = open_session(&mut setup, "large")?;
    fill(&mut setup, &large, 100_000)?;
    let small = open_session(&mut setup, "small")?;
    fill(&mut setup, &small, 2)?;
    // Nearly every row belongs to one session: a scan of the whole table looks cheap.
    setup.batch_execute("VACUUM ANALYZE")?;
    for call in [
        "sso_attr_get_all($1)",
        "(SELECT count(*) FROM sso_attr_names($1))",
        "(SELECT count(*) FROM sso_attr_list($1))",
        "sso_attr_get_many($1, ARRAY['n1', 'n2'])",
        "sso_attr_delete_many($1, ARRAY['n1', 'n2'])",
        "sso_session_end($1)",
    ] {
        let mut client = server.connect("postgres")?;
        let mut transaction = client.transaction()?;
        transaction.execute(&format!("SELECT {call}"), &[&small])?;
        let row = transaction.query_one(
            "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'sso_attr.attribute'::regclass",
            &[],
        )?;
        let (scans, fetched): (i64, i64) = (row.get(0), row.get(1));
        assert_eq!(scans, 0, "{call} scans the table");
        assert!((1..1000).contains(&fetched), "{call} fetches {fetched} rows");
        transaction.rollback()?;
    }
    Ok(())
}
