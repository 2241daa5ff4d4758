//! Rotation under load: the keys change in a file while clients read and update, the worker moves
//! what is stored, and nobody notices. ROTATION_ROWS (5000) sets the size for a measured run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use postgres::Client;
use sso_attr_client_tests::*;

const PER_SESSION: i32 = 10;

fn keys(client: &mut Client) -> Result<String> {
    let rows = client.query(
        "SELECT format('key %s: primary %s, available %s, matches %s, attributes %s', key_id, is_primary,
                       available, matches, attributes) FROM sso_attr_keys()",
        &[],
    )?;
    Ok(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("; "))
}

fn attributes_of(client: &mut Client, key_id: i64) -> Result<i64> {
    let sql = "SELECT coalesce(sum(attributes), 0)::bigint FROM sso_attr_keys() WHERE key_id = $1";
    Ok(client.query_one(sql, &[&key_id])?.get(0))
}

/// Updates and reads its own sessions until told to stop; every value read is the one written last.
fn load(server: &Server, sessions: &[String], stop: &AtomicBool, calls: &AtomicU64) -> Result {
    let mut client = server.connect("postgres")?;
    let update = client.prepare("SELECT sso_attr_update($1, $2, $3::text)")?;
    let get = client.prepare("SELECT sso_attr_get_text($1, $2)")?;
    for round in 0u64.. {
        for (number, ust) in sessions.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let name = format!("n{}", (number as u64 + round) % PER_SESSION as u64);
            let value = format!("round {round}");
            client.execute(&update, &[ust, &name, &value])?;
            let read: String = client.query_one(&get, &[ust, &name])?.get(0);
            assert_eq!(read, value);
            calls.fetch_add(2, Ordering::Relaxed);
        }
    }
    Ok(())
}

#[test]
fn no_call_fails_while_keys_change_and_the_old_one_can_go() -> Result {
    let rows: i32 = std::env::var("ROTATION_ROWS").map_or(Ok(5000), |rows| rows.parse())?;
    let server = Server::with_extension("sso_attr.purge_interval = 1\nmax_connections = 20")?;
    let mut client = server.connect("postgres")?;
    let sessions: Vec<String> = client
        .query(
            "WITH s AS MATERIALIZED (SELECT sso_session_create('u' || n) AS ust FROM generate_series(1, $1::int) AS n),
                  a AS MATERIALIZED (SELECT ust, sso_attr_create_many(ust, (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', 'old'))
                                                               FROM generate_series(0, $2::int - 1) AS i), encrypt => true) FROM s)
             SELECT ust FROM a",
            &[&(rows / PER_SESSION), &PER_SESSION],
        )?
        .iter()
        .map(|row| row.get(0))
        .collect();
    println!("before: {}", keys(&mut client)?);
    assert_eq!(attributes_of(&mut client, 1)?, i64::from(rows));

    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let old = format!("1:{}\n", hex::encode(KEY));
    let new = format!("2:{}\n", hex::encode([0x5a; 32]));
    std::thread::scope(|scope| -> Result {
        let halves = sessions.split_at(sessions.len() / 2);
        let clients = [halves.0, halves.1].map(|half| {
            scope.spawn(|| load(&server, half, &stop, &calls).map_err(|error| error.to_string()))
        });
        let rotated = (|| {
            wait_until("clients are at work", SOON, || Ok(calls.load(Ordering::Relaxed) > 100))?;
            let start = Instant::now();
            server.set_keyring(&format!("{new}{old}"))?;
            let mut shown = false;
            wait_until("no value is left under the old key", Duration::from_secs(300), || {
                let left = attributes_of(&mut client, 1)?;
                if left > 0 && left < i64::from(rows) && !std::mem::replace(&mut shown, true) {
                    println!("during: {}", keys(&mut client)?);
                }
                Ok(left == 0)
            })?;
            println!("{rows} values moved in {:?}, {calls:?} calls meanwhile", start.elapsed());
            server.set_keyring(&new)?;
            let so_far = calls.load(Ordering::Relaxed);
            wait_until("clients go on with the new key alone", SOON, || {
                Ok(calls.load(Ordering::Relaxed) > so_far + 200)
            })
        })();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_| "a client panicked")??;
        }
        rotated
    })?;
    println!("after: {}", keys(&mut client)?);
    assert_eq!(attributes_of(&mut client, 2)?, i64::from(rows));
    let readable: i64 = client
        .query_one("SELECT count(sso_attr_get_all(ust)) FROM unnest($1::text[]) AS ust", &[&sessions])?
        .get(0);
    assert_eq!(readable, sessions.len() as i64);

    // The worker marks what it found done, so that it does not look again with every sweep.
    wait_until("the old key is marked as done", SOON, || {
        let sql = "SELECT rekeyed_at IS NOT NULL FROM sso_attr.key_check WHERE key_id = 1";
        Ok(client.query_one(sql, &[])?.get(0))
    })?;
    let log = server.log()?;
    assert!(log.contains("sso_attr rekey of database \"postgres\""), "{log}");
    Ok(())
}

#[test]
fn a_database_where_nothing_else_happens_moves_to_the_new_key_too() -> Result {
    let server = Server::with_extension("sso_attr.purge_interval = 1\nautovacuum = off")?;
    let mut admin = server.connect("postgres")?;
    admin.batch_execute("CREATE DATABASE quiet")?;
    let mut client = server.connect("quiet")?;
    client.batch_execute("CREATE EXTENSION sso_attr")?;
    let ust = open_session(&mut client, "quiet")?;
    client.execute("SELECT sso_attr_set($1, 'n', 'sealed'::text, NULL, true)", &[&ust])?;
    // What it has written is counted at once then.
    drop(client);
    let mut look = || -> Result<(i64, SystemTime)> {
        let row = admin.query_one(
            "SELECT xact_commit, query_start FROM pg_stat_database AS d, pg_stat_activity AS launcher
             WHERE d.datname = 'quiet' AND backend_type = 'sso_attr launcher'",
            &[],
        )?;
        Ok((row.get(0), row.get(1)))
    };
    wait_until("the launcher has looked for five seconds without a visit", SOON, || {
        let before = look()?;
        let mut after = before;
        wait_until("it has looked or sent a worker", SOON, || {
            after = look()?;
            Ok(after.0 != before.0 || after.1 > before.1 + Duration::from_secs(5))
        })?;
        Ok(after.0 == before.0)
    })?;
    server.set_keyring(&format!("2:{}\n1:{}\n", hex::encode([0x5a; 32]), hex::encode(KEY)))?;
    let mut client = server.connect("quiet")?;
    wait_until("the value is sealed with the new key", SOON, || Ok(attributes_of(&mut client, 1)? == 0))
}

/// However many values of a session cannot be opened, the worker gets past them: its next visit goes on
/// with the name that the last one has come to.
#[test]
fn a_session_of_more_broken_values_than_fit_into_a_visit_is_got_past() -> Result {
    let server = Server::with_extension("sso_attr.purge_interval = 1")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "broken")?;
    // The longest names, of the longest characters: the place in between must hold one.
    client.execute(
        "SELECT sso_attr_create_many($1, (SELECT jsonb_agg(jsonb_build_object('name', repeat('\u{1f511}', 250) || to_char(n, 'FM00000'), 'value', n))
                                          FROM generate_series(1, 3000) AS n), encrypt => true)",
        &[&ust],
    )?;
    // All values but the last are under key 9, which nobody has.
    client.batch_execute(
        "UPDATE sso_attr.attribute SET sealed = overlay(sealed PLACING '\\x00000009' FROM 3)
         WHERE name NOT LIKE '%03000';
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep(1.1); RETURN NULL; END $$;
         CREATE TRIGGER slow BEFORE UPDATE ON sso_attr.attribute EXECUTE FUNCTION slow()",
    )?;
    // Whatever the machine, two batches of 1000 are a visit of two seconds.
    server.set_keyring(&format!("2:{}\n1:{}\n", hex::encode([0x5a; 32]), hex::encode(KEY)))?;
    wait_until("the last value is sealed with the new key", Duration::from_secs(60), || {
        Ok(attributes_of(&mut client, 1)? == 0)
    })?;
    wait_until("every visit has told what it passed over", SOON, || {
        let log = server.log()?;
        let told = log.lines().filter_map(|line| line.split_once("rekey cannot open ")?.1.split_once(' '));
        let counts: std::result::Result<Vec<i64>, _> = told.map(|(count, _)| count.parse()).collect();
        // A visit has to stop in between, or this has shown nothing.
        Ok(counts.is_ok_and(|counts| counts.len() > 1 && counts.iter().sum::<i64>() > 2998))
    })
}
