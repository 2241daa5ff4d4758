//! The purge worker: what it does by itself, over time, and to a server that changes under it.

use std::time::{Duration, Instant, SystemTime};

use postgres::Client;
use sso_attr_client_tests::{Result, SOON, Server, Stop, open_session, wait_until};

const EVERY_SECOND: &str = "sso_attr.purge_interval = 1s";
const LAUNCHER: &str = "sso_attr launcher";
const VISITOR: &str = "sso_attr purge";

/// Stores expired sessions, each with that many attributes, at once.
fn fill(client: &mut Client, sessions: i32, attributes: i32) -> Result {
    client.execute(
        "WITH session AS (
             INSERT INTO sso_attr.session
                 (id, created_at, last_seen_at, expires_at, purge_bin, secret_digest, user_id)
             SELECT gen_random_uuid(), now(), now(), over, sso_attr.purge_bin(over), sha256('none'), 'expired'
             FROM generate_series(1, $1), (SELECT now() - interval '1 second') AS o (over) RETURNING id)
         INSERT INTO sso_attr.attribute (session_id, created_at, updated_at, name, value)
         SELECT id, now(), now(), 'n' || n, '1' FROM session, generate_series(1, $2) AS n",
        &[&sessions, &attributes],
    )?;
    Ok(())
}

/// Sessions and attributes stored, expired or not.
fn rows(client: &mut Client) -> Result<i64> {
    let count = "SELECT (SELECT count(*) FROM sso_attr.session) + (SELECT count(*) FROM sso_attr.attribute)";
    Ok(client.query_one(count, &[])?.get(0))
}

fn wait_for_rows(client: &mut Client, expected: i64) -> Result {
    wait_until("the purge has left only what it must", SOON, || Ok(rows(client)? == expected))
}

fn worker(client: &mut Client, kind: &str) -> Result<Option<i32>> {
    let found =
        client.query_opt("SELECT pid FROM pg_stat_activity WHERE backend_type = $1 LIMIT 1", &[&kind])?;
    Ok(found.map(|row| row.get(0)))
}

fn wait_for_worker(client: &mut Client, kind: &str) -> Result<i32> {
    let mut pid = None;
    wait_until("the worker is there", SOON, || {
        pid = worker(client, kind)?;
        Ok(pid.is_some())
    })?;
    pid.ok_or_else(|| "no worker".into())
}

/// Fills so much, to be removed in batches so small, that whoever waits for the sweep meets it.
fn fill_for_long(client: &mut Client) -> Result {
    client.batch_execute("ALTER SYSTEM SET sso_attr.purge_batch_size = 5")?;
    client.batch_execute("SELECT pg_reload_conf()")?;
    fill(client, 20_000, 2)
}

fn sweep_quickly(client: &mut Client) -> Result {
    client.batch_execute("ALTER SYSTEM RESET sso_attr.purge_batch_size")?;
    Ok(client.batch_execute("SELECT pg_reload_conf()")?)
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn every_database_is_swept_and_idle_sweeps_leave_no_trace() -> Result {
    let server = Server::with_extension(EVERY_SECOND)?;
    let mut admin = server.connect("postgres")?;
    let mut clients = Vec::new();
    for name in ["one", "two", "three"] {
        admin.batch_execute(&format!("CREATE DATABASE {name}"))?;
        let mut client = server.connect(name)?;
        client.batch_execute("CREATE EXTENSION sso_attr")?;
        open_session(&mut client, "live")?;
        fill(&mut client, 10, 2)?;
        clients.push(client);
    }
    for client in &mut clients {
        wait_for_rows(client, 1)?;
    }

    wait_until("each sweep that removed something is logged", SOON, || {
        let log = server.log()?;
        Ok(["one", "two", "three"].iter().all(|name| {
            count(&log, &format!("purge of database \"{name}\": removed 20 attributes and 10 sessions")) == 1
        }))
    })?;
    let status = clients[0].query_one("SELECT * FROM sso_attr_purge_status()", &[])?;
    assert_eq!((status.get::<_, i64>("last_removed"), status.get::<_, i64>("total_removed")), (30, 30));

    // Such a row brings a visit at every interval. Other processes write WAL now and then; sweeps that did would
    // do it between any two looks.
    for client in &mut clients {
        client.batch_execute("UPDATE sso_attr.session SET purge_bin = '-infinity'")?;
    }
    let visits = "SELECT sum(xact_commit)::int8, pg_current_wal_insert_lsn()::text
                  FROM pg_stat_database WHERE datname IN ('one', 'two', 'three')";
    wait_until("six visits in a row have written nothing", SOON, || {
        let before = admin.query_one(visits, &[])?;
        wait_until("the databases are visited", SOON, || {
            Ok(admin.query_one(visits, &[])?.get::<_, i64>(0) >= before.get::<_, i64>(0) + 24)
        })?;
        Ok(admin.query_one(visits, &[])?.get::<_, String>(1) == before.get::<_, String>(1))
    })?;
    assert_eq!(count(&server.log()?, ": removed "), 3);
    Ok(())
}

/// Stores an expired session whose end only a later sweep can see in the index.
fn store_future(client: &mut Client, seconds: f64) -> Result {
    client.execute(
        "INSERT INTO sso_attr.session (id, created_at, expires_at, purge_bin, secret_digest)
         SELECT gen_random_uuid(), now(), over, over, sha256('none')
         FROM (SELECT now() + make_interval(secs => $1)) AS o (over)",
        &[&seconds],
    )?;
    Ok(())
}

/// Transactions in a database, those of visits too.
fn transactions(client: &mut Client, database: &str) -> Result<i64> {
    let count = "SELECT xact_commit FROM pg_stat_database WHERE datname = $1";
    Ok(client.query_one(count, &[&database])?.get(0))
}

/// Waits until five visits in a row to the database `busy` have left the others alone.
fn wait_for_rest(admin: &mut Client, others: &[&str]) -> Result {
    wait_until("databases where nothing happens are left alone", SOON, || {
        let before = others.iter().map(|name| transactions(admin, name)).collect::<Result<Vec<_>>>()?;
        let busy = transactions(admin, "busy")?;
        wait_until("the busy database is visited", SOON, || Ok(transactions(admin, "busy")? >= busy + 25))?;
        let after = others.iter().map(|name| transactions(admin, name)).collect::<Result<Vec<_>>>()?;
        Ok(before == after)
    })
}

#[test]
fn a_database_where_nothing_happens_gets_no_worker_until_something_does() -> Result {
    let server = Server::with_extension(&format!("{EVERY_SECOND}\nautovacuum = off"))?;
    let mut admin = server.connect("postgres")?;
    for name in ["busy", "idle", "plain"] {
        admin.batch_execute(&format!("CREATE DATABASE {name}"))?;
    }
    for name in ["busy", "idle"] {
        let mut client = server.connect(name)?;
        client.batch_execute("CREATE EXTENSION sso_attr")?;
        open_session(&mut client, "live")?;
        if name == "busy" {
            client.batch_execute("UPDATE sso_attr.session SET purge_bin = '-infinity'")?;
        }
    }
    wait_for_rest(&mut admin, &["idle", "plain"])?;

    // What is written is noticed, and what expires by itself.
    let mut idle = server.connect("idle")?;
    fill(&mut idle, 10, 1)?;
    wait_for_rows(&mut idle, 1)?;
    store_future(&mut idle, 5.0)?;
    assert_eq!(rows(&mut idle)?, 2);
    wait_for_rows(&mut idle, 1)?;
    server.connect("plain")?.batch_execute("CREATE EXTENSION sso_attr")?;
    fill(&mut server.connect("plain")?, 10, 1)?;
    wait_for_rows(&mut server.connect("plain")?, 0)?;

    // What PostgreSQL does not count is found at the latest after an hour, and after a reload.
    wait_for_rest(&mut admin, &["idle", "plain"])?;
    idle.batch_execute("SET track_counts = off")?;
    fill(&mut idle, 10, 1)?;
    wait_for_rest(&mut admin, &["plain"])?;
    assert_eq!(rows(&mut idle)?, 21);
    admin.batch_execute("SELECT pg_reload_conf()")?;
    wait_for_rows(&mut idle, 1)
}

#[test]
fn without_counts_every_database_is_visited_at_every_interval() -> Result {
    let server = Server::with_extension(&format!("{EVERY_SECOND}\nautovacuum = off\ntrack_counts = off"))?;
    let mut client = server.connect("postgres")?;
    let look = "SELECT query_start FROM pg_stat_activity WHERE backend_type = 'sso_attr launcher'";
    for _ in 0..2 {
        let first: SystemTime = client.query_one(look, &[])?.get(0);
        wait_until("the launcher has had time to find that there is nothing to do", SOON, || {
            Ok(client.query_one(look, &[])?.get::<_, SystemTime>(0) > first + Duration::from_secs(4))
        })?;
        fill(&mut client, 10, 1)?;
        wait_for_rows(&mut client, 0)?;
    }
    Ok(())
}

#[test]
fn a_sweep_takes_its_share_of_the_time() -> Result {
    let server = Server::with_extension("sso_attr.purge_interval = 0\nsso_attr.purge_batch_size = 100")?;
    let mut client = server.connect("postgres")?;
    let mut sweep = |share: i32, removed_so_far: i64| -> Result<f64> {
        fill(&mut client, 5000, 2)?;
        client.batch_execute(&format!("ALTER SYSTEM SET sso_attr.purge_share = {share}"))?;
        // Not so short that the sweep is late.
        client.batch_execute("ALTER SYSTEM SET sso_attr.purge_interval = '3s'")?;
        client.batch_execute("SELECT pg_reload_conf()")?;
        wait_for_rows(&mut client, 0)?;
        client.batch_execute("ALTER SYSTEM SET sso_attr.purge_interval = 0")?;
        client.batch_execute("SELECT pg_reload_conf()")?;
        let last = "SELECT extract(epoch FROM last_end - last_start)::float8 FROM sso_attr_purge_status()
                    WHERE total_removed = $1";
        let mut seconds = None;
        wait_until("the sweep is over", SOON, || {
            seconds = client.query_opt(last, &[&removed_so_far])?.map(|row| row.get(0));
            Ok(seconds.is_some())
        })?;
        seconds.ok_or_else(|| "no sweep".into())
    };
    let (unpaced, paced) = (sweep(100, 15_000)?, sweep(10, 30_000)?);
    assert!(paced > 4.0 * unpaced, "{unpaced} s, with pauses {paced} s");
    Ok(())
}

#[test]
fn a_sweep_that_lasts_makes_no_more_pauses() -> Result {
    let server = Server::with_extension(&format!(
        "{EVERY_SECOND}\nsso_attr.purge_share = 1\nsso_attr.purge_batch_size = 10"
    ))?;
    let mut client = server.connect("postgres")?;
    fill(&mut client, 10_000, 2)?;
    let start = Instant::now();
    // Of three thousand batches, each with a pause of about a hundred times the time it takes.
    wait_for_rows(&mut client, 0)?;
    assert!(start.elapsed() > Duration::from_secs(5), "{:?}", start.elapsed());
    Ok(())
}

#[test]
fn what_is_live_stays_in_every_time_zone() -> Result {
    for zone in ["America/New_York", "Asia/Tokyo"] {
        let server = Server::with_extension(&format!("{EVERY_SECOND}\ntimezone = '{zone}'"))?;
        let mut client = server.connect("postgres")?;
        let ust = open_session(&mut client, "live")?;
        client.execute("SELECT sso_attr_set($1, 'expires', 'later', 3600)", &[&ust])?;
        client.execute("SELECT sso_attr_set($1, 'expired', 'now', 3600)", &[&ust])?;
        client.execute(
            "UPDATE sso_attr.attribute SET expires_at = now() - interval '1 second' WHERE name = 'expired'",
            &[],
        )?;
        fill(&mut client, 5, 1)?;
        wait_for_rows(&mut client, 2)?;
        assert!(
            client.query_one("SELECT sso_attr_exists($1, 'expires')", &[&ust])?.get::<_, bool>(0),
            "{zone}"
        );
    }
    Ok(())
}

#[test]
fn locked_rows_are_left_for_the_next_sweep() -> Result {
    let server = Server::with_extension(EVERY_SECOND)?;
    let mut client = server.connect("postgres")?;
    let mut holder = server.connect("postgres")?;
    for user in ["attribute locked", "session locked"] {
        let ust = open_session(&mut client, user)?;
        client
            .execute("SELECT sso_attr_set($1, 'n', 'value'), sso_attr_set($1, 'free', 'value')", &[&ust])?;
    }
    holder.batch_execute(
        "BEGIN;
         SELECT FROM sso_attr.session WHERE user_id = 'session locked' FOR KEY SHARE;
         SELECT FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id
         WHERE s.user_id = 'attribute locked' AND a.name = 'n' FOR UPDATE OF a",
    )?;
    client.execute("UPDATE sso_attr.session SET expires_at = now() - interval '1 hour'", &[])?;
    fill(&mut client, 3000, 1)?;

    // Of the locked session nothing goes; the locked attribute keeps its session, but no other attribute.
    wait_for_rows(&mut client, 5)?;
    holder.batch_execute("COMMIT")?;
    wait_for_rows(&mut client, 0)?;
    assert_eq!(count(&server.log()?, "failed"), 0);
    Ok(())
}

#[test]
fn databases_can_be_dropped_renamed_and_copied() -> Result {
    let server = Server::with_extension(EVERY_SECOND)?;
    let mut admin = server.connect("postgres")?;
    for _ in 0..3 {
        admin.batch_execute("CREATE DATABASE original")?;
        let mut client = server.connect("original")?;
        client.batch_execute("CREATE EXTENSION sso_attr")?;
        fill_for_long(&mut client)?;
        drop(client);
        // Our own connection takes a moment to end; beyond that nothing is in the way.
        wait_until("nobody but the worker is there", SOON, || {
            let clients = "SELECT FROM pg_stat_activity
                           WHERE datname = 'original' AND backend_type = 'client backend'";
            Ok(admin.query(clients, &[])?.is_empty() && worker(&mut admin, VISITOR)?.is_some())
        })?;
        admin.batch_execute("CREATE DATABASE copy TEMPLATE original")?;
        wait_for_worker(&mut admin, VISITOR)?;
        admin.batch_execute("ALTER DATABASE original RENAME TO renamed")?;
        wait_for_worker(&mut admin, VISITOR)?;
        admin.batch_execute("DROP DATABASE renamed")?;
        admin.batch_execute("DROP DATABASE copy")?;
    }
    Ok(())
}

#[test]
fn a_standby_is_not_touched_until_it_is_promoted() -> Result {
    let primary = Server::with_extension("sso_attr.purge_interval = 0")?;
    fill(&mut primary.connect("postgres")?, 10, 1)?;
    let standby = Server::standby_of(&primary)?;
    standby.configure("sso_attr.purge_interval = 1s\n")?;
    standby.start()?;
    let mut client = standby.connect("postgres")?;
    wait_for_rows(&mut client, 20)?;
    assert_eq!((worker(&mut client, LAUNCHER)?, worker(&mut client, VISITOR)?), (None, None));
    let oldest = "SELECT oldest_expired IS NOT NULL FROM sso_attr_purge_status()";
    assert!(client.query_one(oldest, &[])?.get::<_, bool>(0));

    client.execute("SELECT pg_promote()", &[])?;
    wait_for_rows(&mut client, 0)
}

#[test]
fn a_sweep_is_taken_up_again_after_a_crash() -> Result {
    let server = Server::with_extension(EVERY_SECOND)?;
    let mut client = server.connect("postgres")?;
    fill_for_long(&mut client)?;
    let visitor = wait_for_worker(&mut client, VISITOR)?;
    server.crash_by(visitor)?;
    let mut client = server.connect("postgres")?;
    sweep_quickly(&mut client)?;
    wait_for_rows(&mut client, 0)?;

    fill_for_long(&mut client)?;
    wait_for_worker(&mut client, VISITOR)?;
    server.kill()?;
    server.start()?;
    let mut client = server.connect("postgres")?;
    sweep_quickly(&mut client)?;
    wait_for_rows(&mut client, 0)
}

#[test]
fn the_launcher_comes_back_when_it_is_terminated() -> Result {
    let server = Server::with_extension(EVERY_SECOND)?;
    let mut client = server.connect("postgres")?;
    let first = wait_for_worker(&mut client, LAUNCHER)?;
    client.execute("SELECT pg_terminate_backend($1)", &[&first])?;
    wait_until("another launcher is there", SOON, || {
        Ok(worker(&mut client, LAUNCHER)?.is_some_and(|pid| pid != first))
    })?;
    fill(&mut client, 1, 1)?;
    wait_for_rows(&mut client, 0)
}

#[test]
fn a_sweep_does_not_hold_up_a_fast_shutdown() -> Result {
    let server = Server::with_extension(EVERY_SECOND)?;
    let mut client = server.connect("postgres")?;
    fill_for_long(&mut client)?;
    client.batch_execute("CHECKPOINT")?;
    wait_for_worker(&mut client, VISITOR)?;
    let start = Instant::now();
    server.stop(Stop::Fast)?;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    Ok(())
}

#[test]
fn the_interval_is_reloaded_and_zero_turns_the_purge_off() -> Result {
    let server = Server::with_extension("sso_attr.purge_interval = 0")?;
    let mut client = server.connect("postgres")?;
    fill(&mut client, 10, 1)?;
    let off = "SELECT FROM pg_stat_activity WHERE application_name = 'sso_attr launcher'
               AND state = 'idle' AND query = 'off: sso_attr.purge_interval is 0'";
    wait_until("the launcher says that it is off", SOON, || Ok(!client.query(off, &[])?.is_empty()))?;
    assert_eq!(rows(&mut client)?, 20);
    // The second change cuts short the hour that the first one has begun.
    for interval in ["1h", "1s"] {
        client.batch_execute(&format!("ALTER SYSTEM SET sso_attr.purge_interval = '{interval}'"))?;
        client.batch_execute("SELECT pg_reload_conf()")?;
        wait_for_rows(&mut client, 0)?;
        fill(&mut client, 10, 1)?;
    }
    wait_for_rows(&mut client, 0)
}

#[test]
fn the_extension_can_be_dropped_and_created_again() -> Result {
    let server = Server::with_extension(EVERY_SECOND)?;
    let mut client = server.connect("postgres")?;
    for _ in 0..3 {
        fill_for_long(&mut client)?;
        wait_for_worker(&mut client, VISITOR)?;
        client.batch_execute("DROP EXTENSION sso_attr")?;
        client.batch_execute("CREATE EXTENSION sso_attr")?;
        sweep_quickly(&mut client)?;
        fill(&mut client, 10, 1)?;
        wait_for_rows(&mut client, 0)?;
    }
    assert_eq!(count(&server.log()?, "failed"), 0);
    Ok(())
}

#[test]
fn a_database_that_fails_is_logged_once_and_does_not_stop_the_others() -> Result {
    let server = Server::with_extension("sso_attr.purge_interval = 0")?;
    let mut admin = server.connect("postgres")?;
    for name in ["broken", "closed", "readonly"] {
        admin.batch_execute(&format!("CREATE DATABASE {name}"))?;
        let mut client = server.connect(name)?;
        client.batch_execute("CREATE EXTENSION sso_attr")?;
        fill(&mut client, 10, 1)?;
    }
    admin.batch_execute("ALTER DATABASE readonly SET default_transaction_read_only = on")?;
    admin.batch_execute("ALTER DATABASE closed ALLOW_CONNECTIONS false")?;
    let index = "SELECT pg_relation_filepath('sso_attr.session_by_purge_bin')";
    let file: String = server.connect("broken")?.query_one(index, &[])?.get(0);
    server.stop(Stop::Fast)?;
    let file = server.data().join(file);
    std::fs::write(&file, vec![0; usize::try_from(std::fs::metadata(&file)?.len())?])?;
    server.configure("sso_attr.purge_interval = 1s\n")?;
    server.start()?;

    let mut client = server.connect("postgres")?;
    let failures = |name: &str| -> Result<usize> {
        Ok(count(&server.log()?, &format!("purge of database \"{name}\" failed")))
    };
    wait_until(
        "both failures are logged",
        SOON,
        || Ok(failures("broken")? > 0 && failures("readonly")? > 0),
    )?;
    // Each round is another sweep of every database: a second line would have come.
    for _ in 0..3 {
        fill(&mut client, 10, 1)?;
        wait_for_rows(&mut client, 0)?;
    }
    assert_eq!((failures("broken")?, failures("readonly")?), (1, 1));
    assert_eq!(count(&server.log()?, "closed"), 0);

    // It is shown in the database too, until the cause is gone.
    let mut broken = server.connect("broken")?;
    let error = "SELECT error FROM sso_attr.purge_run";
    assert!(broken.query_one(error, &[])?.get::<_, &str>(0).contains("session_by_purge_bin"));
    broken.batch_execute("REINDEX TABLE sso_attr.session")?;
    wait_for_rows(&mut broken, 0)?;
    let last = "SELECT last_error FROM sso_attr_purge_status()";
    wait_until("the error is cleared", SOON, || {
        Ok(broken.query_one(last, &[])?.get::<_, Option<&str>>(0).is_none())
    })
}

#[test]
fn its_statements_are_never_compiled() -> Result {
    let server = Server::with_extension(&format!("{EVERY_SECOND}\njit = on"))?;
    let mut client = server.connect("postgres")?;
    client.batch_execute(
        "CREATE TABLE seen (jit text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.seen VALUES (current_setting('jit')); RETURN NULL; END $$;
         CREATE TRIGGER note AFTER DELETE ON sso_attr.session EXECUTE FUNCTION note()",
    )?;
    fill(&mut client, 10, 1)?;
    wait_for_rows(&mut client, 0)?;
    let seen: Vec<String> = client.query_one("SELECT array_agg(DISTINCT jit) FROM seen", &[])?.get(0);
    assert_eq!(seen, ["off"]);
    Ok(())
}

const RAISE: &str = "HINT:  Raise max_worker_processes";

#[test]
fn no_room_for_a_worker_is_logged_once_with_the_remedy() -> Result {
    // One is for the launcher of logical replication, one for ours.
    let server = Server::with_extension(&format!("{EVERY_SECOND}\nmax_worker_processes = 2"))?;
    let full = "sso_attr cannot start a purge worker: all max_worker_processes are in use";
    wait_until("it is logged", SOON, || Ok(count(&server.log()?, full) > 0))?;
    let mut client = server.connect("postgres")?;
    let attempt = "SELECT query_start FROM pg_stat_activity WHERE backend_type = 'sso_attr launcher'";
    for _ in 0..2 {
        let before: SystemTime = client.query_one(attempt, &[])?.get(0);
        wait_until("it has tried again", SOON, || {
            Ok(client.query_one(attempt, &[])?.get::<_, SystemTime>(0) > before)
        })?;
    }
    let log = server.log()?;
    assert_eq!((count(&log, full), count(&log, RAISE)), (1, 1), "{log}");
    fill(&mut client, 10, 1)?;
    assert_eq!(client.query_one("SELECT sso_attr_purge()", &[])?.get::<_, i64>(0), 20);
    Ok(())
}

#[test]
fn the_launcher_goes_on_when_there_is_room_again() -> Result {
    let server = Server::with_extension(
        "sso_attr.purge_interval = 0\nmax_worker_processes = 2\nmax_logical_replication_workers = 0",
    )?;
    let mut client = server.connect("postgres")?;
    fill(&mut client, 10, 1)?;
    // A parallel query takes the one place beside the launcher's.
    let mut holder = server.connect("postgres")?;
    let cancel = holder.cancel_token();
    let version: String = client.query_one("SHOW server_version_num", &[])?.get(0);
    let in_parallel =
        if version.as_str() < "160000" { "force_parallel_mode" } else { "debug_parallel_query" };
    holder.batch_execute(&format!("SET {in_parallel} = on"))?;
    std::thread::scope(|scope| -> Result {
        let held = scope.spawn(move || holder.execute("SELECT pg_sleep(1000)", &[]).is_err());
        let tried = (|| {
            wait_for_worker(&mut client, "parallel worker")?;
            client.batch_execute("ALTER SYSTEM SET sso_attr.purge_interval = '1s'")?;
            client.batch_execute("SELECT pg_reload_conf()")?;
            wait_until("the launcher has tried", SOON, || Ok(count(&server.log()?, RAISE) == 1))
        })();
        cancel.cancel_query(postgres::NoTls)?;
        assert!(held.join().map_err(|_| "the holder panicked")?);
        tried
    })?;
    wait_for_rows(&mut client, 0)
}

#[test]
fn no_room_for_the_launcher_is_logged_with_the_remedy() -> Result {
    // The only one is for the launcher of logical replication.
    let server = Server::with_extension(&format!("{EVERY_SECOND}\nmax_worker_processes = 1"))?;
    let log = server.log()?;
    let none = "sso_attr cannot start its launcher: all max_worker_processes are in use";
    assert_eq!((count(&log, none), count(&log, RAISE)), (1, 1), "{log}");
    let mut client = server.connect("postgres")?;
    assert_eq!(worker(&mut client, LAUNCHER)?, None);
    fill(&mut client, 10, 1)?;
    assert_eq!(client.query_one("SELECT sso_attr_purge()", &[])?.get::<_, i64>(0), 20);
    Ok(())
}

#[test]
fn without_preloading_everything_works_but_the_worker() -> Result {
    let server = Server::with_extension("shared_preload_libraries = ''")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "live")?;
    client.execute("SELECT sso_attr_set($1, 'n', 'value')", &[&ust])?;
    fill(&mut client, 10, 2)?;
    assert_eq!(worker(&mut client, LAUNCHER)?, None);
    assert_eq!(client.query_one("SELECT sso_attr_purge()", &[])?.get::<_, i64>(0), 30);
    assert_eq!(client.query_one("SELECT sso_attr_get_text($1, 'n')", &[&ust])?.get::<_, String>(0), "value");
    Ok(())
}
