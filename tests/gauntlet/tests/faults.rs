//! What is not there when it is needed: disk, locks, connections, workers, time, the extension itself.
//! A call that meets such a fault has done nothing, no backend dies of it, and once it is over all goes
//! on. Random calls are made meanwhile; the model of the contract says what has to be there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postgres::Transaction;
use sso_attr_client_tests::{KEY, Random, Result, SOON, Server, open_session, refusal, wait_until};
use sso_attr_gauntlet::model::call::Call;
use sso_attr_gauntlet::model::choice::next_call_with_one_keyring;
use sso_attr_gauntlet::model::faulty::Fault;
use sso_attr_gauntlet::model::player::{Played, Player, QUICK_LOGINS, server};
use sso_attr_gauntlet::{amount, seed};

/// A call outside a transaction: a fault that comes late then meets another call, not a COMMIT.
fn call_of_its_own(random: &mut Random, player: &Player<'_>, label: usize) -> Call {
    loop {
        match next_call_with_one_keyring(random, &player.model, label) {
            Call::Begin => {}
            call => return call,
        }
    }
}

/// Plays so many calls of their own.
fn play(player: &mut Player<'_>, random: &mut Random, labels: std::ops::Range<usize>) -> Result {
    for label in labels {
        let call = call_of_its_own(random, player, label);
        if let Some(difference) = player.play(&call)? {
            return Err(format!("{call:?}: {difference}").into());
        }
    }
    Ok(())
}

fn compare(player: &mut Player<'_>) -> Result {
    match player.play(&Call::Role { caller: false })?.or(player.compare()?) {
        None => Ok(()),
        Some(difference) => Err(difference.into()),
    }
}

/// Sets a flag however the block that it belongs to is left.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn cancel(calls: usize, fault: Option<Fault>) -> Result {
    let (seed, start) = (seed("cancelled")?, Instant::now());
    let server = server("sso_attr.purge_interval = 1")?;
    let mut player = Player::new(&server, "postgres", fault)?;
    player.tolerated = &["57014", "55P03"];
    player.execute("SET lock_timeout = '5ms'")?;
    let (victim, stop) = (player.backend()?, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let stop_both = SetAtEnd(&stop);
        let until_stopped = |seed: u64, sql: fn(i32) -> String| {
            let (stop, server) = (&stop, &server);
            scope.spawn(move || -> std::result::Result<(), postgres::Error> {
                let (mut client, mut random) = (server.connect("postgres")?, Random::new(seed));
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_micros(random.below(10_000) as u64));
                    client.batch_execute(&sql(victim))?;
                }
                Ok(())
            })
        };
        let cancelling = until_stopped(seed + 1, |victim| format!("SELECT pg_cancel_backend({victim})"));
        // An idle transaction that holds rows of whatever there is.
        let holding = until_stopped(seed + 2, |_| {
            "BEGIN;
             SELECT FROM sso_attr.attribute WHERE random() < 0.2 FOR UPDATE SKIP LOCKED;
             SELECT FROM sso_attr.session WHERE random() < 0.1 FOR UPDATE SKIP LOCKED;
             SELECT pg_sleep(0.01);
             ROLLBACK"
                .into()
        });
        let mut random = Random::new(seed);
        play(&mut player, &mut random, 0..calls).map_err(|error| format!("SEED={seed}: {error}"))?;
        drop(stop_both);
        for other in [cancelling, holding] {
            other.join().map_err(|_| "a connection panicked")??;
        }
        Result::Ok(())
    })?;
    compare(&mut player).map_err(|error| format!("SEED={seed}: {error}"))?;
    println!("cancelled: {calls} calls, refused {:?}, {:.0?}", player.refused, start.elapsed());
    assert_eq!(player.refused.len(), 2, "calls were cancelled, and met rows that were held");
    Ok(())
}

#[test]
fn a_call_that_is_cancelled_or_kept_waiting_has_done_nothing() -> Result {
    cancel(amount(1500, 15_000), None)
}

/// What becomes of the transaction of a call that was not cancelled.
type AtEnd = fn(Transaction<'_>) -> std::result::Result<(), postgres::Error>;

/// The longest batches and the largest reads, over a session of so many attributes, and other calls.
fn time_out(count: usize, rounds: usize, others: &[&str], at_end: AtEnd) -> Result {
    /// A third of a second on a machine that has nothing else to do, which this one need not be.
    const BOUND: Duration = Duration::from_secs(3);
    let (seed, start) = (seed("timeouts")?, Instant::now());
    let server = server("sso_attr.purge_interval = 0\nautovacuum = off\nshared_buffers = 256MB")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "longest")?;
    let items = |sealed: bool| {
        format!(
            "(SELECT jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', i, 'encrypt', {sealed}))
              FROM generate_series(1, {count}) AS i)"
        )
    };
    client.execute(&format!("SELECT sso_attr_create_many($1, {})", items(true)), &[&ust])?;
    // Others for the purge, and another key for rekeying.
    let expired = open_session(&mut client, "expired")?;
    client.execute(&format!("SELECT sso_attr_create_many($1, {}, 1e-6)", items(true)), &[&expired])?;
    server.set_keyring(&format!("2:{}\n1:{}\n", "22".repeat(32), hex::encode(KEY)))?;
    let names = format!("ARRAY(SELECT 'n' || i FROM generate_series(1, {count}) AS i)");
    let object = format!("(SELECT jsonb_object_agg('n' || i, i) FROM generate_series(1, {count}) AS i)");
    let mut calls = vec![
        format!("sso_attr_update_many($1, {})", items(false)),
        format!("sso_attr_set_many($1, {})", items(true)),
        format!("sso_session_save($1, {object}, replace => true)"),
        format!("sso_attr_delete_many($1, {names})"),
        "sso_attr_get_all($1)".into(),
        format!("sso_attr_get_many($1, {names})"),
        "(SELECT count(*) FROM sso_attr_list($1))".into(),
        "sso_session_end($1)".into(),
        "sso_attr_purge() WHERE $1::text IS NOT NULL".into(),
        "sso_attr_rekey() WHERE $1::text IS NOT NULL".into(),
    ];
    client.batch_execute(STUBBORN)?;
    calls.extend(others.iter().map(|call| format!("{call} WHERE $1::text IS NOT NULL")));
    let state = "SELECT concat(md5(string_agg(concat(a.xmin, a), ',' ORDER BY session_id, name)), (SELECT max(s::text) FROM sso_attr.session AS s))
                 FROM sso_attr.attribute AS a";
    let before: String = client.query_one(state, &[])?.get(0);
    let mut random = Random::new(seed);
    let (mut latest, mut cancelled) = (Duration::ZERO, 0);
    for call in &calls {
        let mut whole = Duration::from_secs(60);
        for round in 0..=rounds {
            // The first time to its end.
            let timeout = if round == 0 { whole } else { whole.mul_f64(random.below(60) as f64 / 100.0) };
            let mut transaction = client.transaction()?;
            transaction
                .batch_execute(&format!("SET LOCAL statement_timeout = {}", timeout.as_millis().max(1)))?;
            let begun = Instant::now();
            let made = transaction.execute(&format!("SELECT {call}"), &[&ust]);
            let taken = begun.elapsed();
            match made {
                Ok(_) => {
                    at_end(transaction)?;
                    whole = if round == 0 { taken } else { whole };
                }
                Err(error) => {
                    transaction.rollback()?;
                    let error = refusal::<()>(Err(error))?;
                    assert_eq!(error.code().code(), "57014", "{call}: {error}");
                    cancelled += 1;
                    latest = latest.max(taken.saturating_sub(timeout));
                }
            }
        }
    }
    let after: String = client.query_one(state, &[])?.get(0);
    if after != before {
        return Err(format!("SEED={seed}: something was done").into());
    }
    println!("timeouts: {cancelled} calls cancelled, the latest {latest:.0?} late, {:.0?}", start.elapsed());
    if latest >= BOUND {
        return Err(format!("SEED={seed}: a call ended {latest:?} late").into());
    }
    if 2 * cancelled < calls.len() {
        return Err(format!("SEED={seed}: only {cancelled} calls were cancelled").into());
    }
    Ok(())
}

/// A function that goes on for seconds after it was cancelled.
const STUBBORN: &str = "CREATE FUNCTION stubborn() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_sleep(0.5);
    EXCEPTION WHEN query_canceled THEN
        PERFORM pg_sleep(4);
        RAISE;
    END $$";

#[test]
fn the_longest_calls_end_soon_after_a_timeout_and_have_done_nothing() -> Result {
    time_out(amount(1000, 5000), amount(2, 10), &[], |transaction| transaction.rollback())
}

/// `ends` says how a prepared transaction is ended that is to be rolled back, and one that is not.
fn outlive_a_crash(rounds: usize, ends: [&str; 2]) -> Result {
    let (seed, start) = (seed("prepared")?, Instant::now());
    let server = server("max_prepared_transactions = 5\nsso_attr.purge_interval = 0")?;
    let mut player = Player::new(&server, "postgres", None)?;
    let mut random = Random::new(seed);
    for round in 0..rounds {
        let context = |error| format!("SEED={seed}, round {round}: {error}");
        play(&mut player, &mut random, 1000 * round..1000 * round + 60).map_err(context)?;
        let is_fit = |call: &Call| {
            use Call::{Commit, Release, Role, Rollback, RollbackTo, Savepoint, Use};
            !matches!(
                call,
                Commit | Rollback | Savepoint(_) | RollbackTo(_) | Release(_) | Role { .. } | Use { .. }
            )
        };
        player.play(&Call::Role { caller: false })?;
        player.play(&Call::Begin)?;
        for label in 1000 * round + 60..1000 * round + 80 {
            // What fails would be the end of the transaction.
            player.play(&Call::Savepoint(0))?;
            let call = call_of_its_own(&mut random, &player, label);
            if is_fit(&call) && !player.model.is_aborted() {
                player.play(&call)?.map_or(Ok(()), |difference| Err(format!("{call:?}: {difference}")))?;
            }
            if player.model.is_aborted() {
                player.play(&Call::RollbackTo(0))?;
            }
        }
        let [rolled_back, committed] = player.model.prepare();
        player.execute("PREPARE TRANSACTION 'of a player'")?;
        server.kill()?;
        server.start()?;
        let commits = random.one_in(2);
        // What is prepared holds its rows, so that the purge has to leave some: only reads are compared.
        player.connect(&server)?;
        player.model = rolled_back.clone();
        if let Some(difference) = player.compare_with(&mut server.connect("postgres")?)? {
            return Err(format!("SEED={seed}, round {round}: {difference}").into());
        }
        let verb = ends[usize::from(commits)];
        player.execute(&format!("{verb} PREPARED 'of a player'"))?;
        player.settle(&server, vec![if commits { committed } else { rolled_back }]).map_err(context)?;
    }
    println!("prepared: {rounds} crashes, {:.0?}", start.elapsed());
    Ok(())
}

#[test]
fn a_prepared_transaction_outlives_a_crash() -> Result {
    outlive_a_crash(amount(2, 20), ["ROLLBACK", "COMMIT"])
}

/// Has logins take all locks that there are.
fn run_out_of_locks(logins: &str) -> Result {
    let server = server("max_locks_per_transaction = 10\nmax_connections = 10\nsso_attr.purge_interval = 0")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "before")?;
    let error = refusal(client.batch_execute(logins))?;
    assert_eq!(error.code().code(), "53200", "{error}");
    let left: i64 = client.query_one("SELECT count(*) FROM sso_attr.session", &[])?.get(0);
    if left != 1 {
        return Err(format!("{left} sessions are left").into());
    }
    client.execute(
        "SELECT sso_attr_set($1, 'a', 1), sso_session_create('user 1', keep_newest => 1)",
        &[&ust],
    )?;
    Ok(())
}

#[test]
fn locks_that_run_out_are_an_error_and_nothing_more() -> Result {
    run_out_of_locks(
        "SELECT count(sso_session_create('user ' || i, keep_newest => 1)) FROM generate_series(1, 100000) AS i",
    )
}

fn use_up_connections(configuration: &str) -> Result {
    // The launcher is the one worker: nobody can visit a database.
    let server = server(&format!(
        "max_worker_processes = 1\nmax_connections = 5\nsuperuser_reserved_connections = 0\nsso_attr.purge_interval = 1
         {configuration}",
    ))?;
    let mut player = Player::new(&server, "postgres", None)?;
    let mut others = Vec::new();
    let refused = loop {
        match server.connect("postgres") {
            Ok(client) => others.push(client),
            Err(error) => break error,
        }
        if others.len() == 10 {
            return Err("connections do not run out".into());
        }
    };
    assert_eq!(refusal::<()>(Err(refused))?.code().code(), "53300");
    let seed = seed("no connections, no workers")?;
    play(&mut player, &mut Random::new(seed), 0..300).map_err(|error| format!("SEED={seed}: {error}"))?;
    compare(&mut player).map_err(|error| format!("SEED={seed}: {error}"))?;
    let log = server.log()?;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("WARNING") || line.contains("LOG")).collect();
    if lines.len() >= 40 {
        return Err(format!("the log is flooded:\n{}", lines.join("\n")).into());
    }
    Ok(())
}

#[test]
fn without_connections_and_workers_those_who_are_in_go_on() -> Result {
    use_up_connections("")
}

/// Takes something away and brings it back, so many times.
fn drop_under_load(rounds: usize, away: &str, back: &str) -> Result {
    /// The functions, a table, the schema are not there; or the session is not.
    const GONE: [&str; 4] = ["42883", "42P01", "3F000", "28000"];
    let start = Instant::now();
    let server = server("sso_attr.purge_interval = 1")?;
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let states = std::thread::scope(|scope| {
        let stop_all = SetAtEnd(&stop);
        let clients: Vec<_> = (0..3)
            .map(|number| {
                let (server, stop, answered) = (&server, &stop, &answered);
                scope.spawn(move || {
                    let work = || -> Result<BTreeMap<String, usize>> {
                        let mut client = server.connect("postgres")?;
                        let (mut states, mut ust) = (BTreeMap::new(), String::new());
                        let calls = [
                            "SELECT sso_attr_set($1, 'a', 1)",
                            "SELECT sso_attr_set_many($1, '[{\"name\": \"b\", \"value\": 1}, {\"name\": \"c\", \"value\": 1, \"encrypt\": true}]')",
                            "SELECT sso_session_save($1, '{\"a\": 2}', '{b}')",
                            "SELECT sso_attr_get_all($1)",
                            "SELECT sso_session_load($1)",
                        ];
                        for call in calls.iter().cycle().skip(number) {
                            let made = client.execute(*call, &[&ust]);
                            let state = match &made {
                                Ok(_) => {
                                    answered.fetch_add(1, Ordering::Relaxed);
                                    "00000"
                                }
                                Err(error) => error.code().ok_or_else(|| error.to_string())?.code(),
                            };
                            *states.entry(state.to_owned()).or_default() += 1;
                            if state != "00000" && let Ok(opened) = open_session(&mut client, "load") {
                                // Once more with the extension there, on the connection that saw it go.
                                ust = opened;
                            } else if stop.load(Ordering::Relaxed) && state == "00000" {
                                return Ok(states);
                            }
                        }
                        Ok(states)
                    };
                    work().map_err(|error| error.to_string())
                })
            })
            .collect();
        let mut client = server.connect("postgres")?;
        for _ in 0..rounds {
            let so_far = answered.load(Ordering::Relaxed);
            wait_until("clients are at work", SOON, || {
                let is_over = clients.iter().any(|client| client.is_finished());
                Ok(is_over || answered.load(Ordering::Relaxed) > so_far + 30)
            })?;
            client.batch_execute(away)?;
            client.batch_execute(back)?;
        }
        drop(stop_all);
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        for client in clients {
            for (state, count) in client.join().map_err(|_| "a client panicked")?? {
                *states.entry(state).or_default() += count;
            }
        }
        Result::Ok(states)
    })?;
    println!("dropped: {rounds} times, {states:?}, {:.0?}", start.elapsed());
    let odd: Vec<_> = states.keys().filter(|state| *state != "00000" && !GONE.contains(&&***state)).collect();
    if !odd.is_empty() {
        return Err(format!("{odd:?}").into());
    }
    Ok(())
}

#[test]
fn the_extension_can_be_dropped_under_load() -> Result {
    drop_under_load(amount(3, 20), "DROP EXTENSION sso_attr", "CREATE EXTENSION sso_attr")
}

/// A small file system, unmounted when dropped. Only root can have one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// For the use of a server.
    fn mount(server: &Server, size: &str) -> Result<SmallDisk> {
        let at = server.directory().join("small");
        std::fs::create_dir(&at)?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&at))?;
        let disk = SmallDisk(at);
        run(Command::new("chown").arg("--reference").arg(server.data()).arg(&disk.0))?;
        Ok(disk)
    }

    /// Takes all that is left, or gives it back.
    fn fill(&self) -> Result {
        // There is no room for the last block.
        let _ = std::io::copy(&mut std::io::repeat(0), &mut std::fs::File::create(self.0.join("filler"))?);
        Ok(())
    }

    fn relieve(&self) -> Result {
        Ok(std::fs::remove_file(self.0.join("filler"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("umount").arg("--lazy").arg(&self.0)) {
            eprintln!("{error}");
        }
    }
}

fn run(command: &mut Command) -> Result {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn fill_tables(rounds: usize, fault: Option<Fault>) -> Result {
    let (seed, start) = (seed("disk full")?, Instant::now());
    let server = server("sso_attr.purge_interval = 0\nautovacuum = off")?;
    let disk = SmallDisk::mount(&server, "4m")?;
    let mut player = Player::new(&server, "postgres", fault)?;
    player.tolerated = &["53100"];
    player.execute(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.0.display()))?;
    for table in ["attribute", "session"] {
        player.execute(&format!("ALTER TABLE sso_attr.{table} SET TABLESPACE small"))?;
    }
    let mut random = Random::new(seed);
    for round in 0..rounds {
        let context = |error| format!("SEED={seed}, round {round}: {error}");
        // With sessions there, it is not only their opening that is refused.
        let first = 10_000 * round + 200;
        play(&mut player, &mut random, 10_000 * round..first).map_err(context)?;
        disk.fill()?;
        let refused = player.refused.values().sum::<usize>();
        let mut labels = first..10_000 * (round + 1);
        while player.refused.values().sum::<usize>() < refused + 20 {
            let label = labels.next().ok_or("the disk is never full")?;
            play(&mut player, &mut random, label..label + 1).map_err(context)?;
        }
        disk.relieve()?;
        compare(&mut player).map_err(context)?;
        player.start_afresh()?;
    }
    println!("disk full: {rounds} times, refused {:?}, {:.0?}", player.refused, start.elapsed());
    Ok(())
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_full_disk_of_tables_refuses_and_loses_nothing() -> Result {
    fill_tables(amount(2, 10), None)
}

fn fill_wal(rounds: usize, configuration: &str) -> Result {
    let (seed, start) = (seed("WAL full")?, Instant::now());
    let server = Server::create(&format!(
        "{QUICK_LOGINS}\nsso_attr.purge_interval = 0\nmax_wal_size = 32MB\nmin_wal_size = 32MB\nwal_recycle = off\nwal_init_zero = on
         {configuration}"
    ))?;
    let disk = SmallDisk::mount(&server, "96m")?;
    let (wal, moved) = (server.data().join("pg_wal"), disk.0.join("pg_wal"));
    server.run(&[
        "sh",
        "-c",
        &format!("mv '{0}' '{1}' && ln -s '{1}' '{0}'", wal.display(), moved.display()),
    ])?;
    server.start()?;
    server.connect("postgres")?.batch_execute("CREATE EXTENSION sso_attr; CREATE ROLE caller")?;
    let mut player = Player::new(&server, "postgres", None)?;
    player.tolerated = &["53100"];
    let mut random = Random::new(seed);
    for round in 0..rounds {
        disk.fill()?;
        let mut filler = server.connect("postgres")?;
        let made = AtomicUsize::new(0);
        let (call, models) = std::thread::scope(|scope| {
            // WAL of others, so that the disk is full soon.
            scope.spawn(move || {
                let sql =
                    "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 100000)), pg_sleep(0.005)";
                while filler.execute(sql, &[]).is_ok() {}
            });
            player.play_until_lost(&mut random, &made)
        })?;
        disk.relieve()?;
        // It may have given up, or have come back.
        let _ = server.stop(sso_attr_client_tests::Stop::Immediate);
        server.start()?;
        player
            .settle(&server, models)
            .map_err(|error| format!("SEED={seed}, round {round}, during {call:?}: {error}"))?;
        player.start_afresh()?;
    }
    println!(
        "WAL full: {rounds} times, {} calls, {:.0?}",
        player.tally.values().map(|(_, made)| made).sum::<usize>(),
        start.elapsed()
    );
    Ok(())
}

#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_full_disk_of_wal_loses_nothing_that_was_acknowledged() -> Result {
    fill_wal(amount(1, 5), "")
}

/// The layer that the other tests rely on: a call that is refused and has done something is noticed.
#[test]
fn a_refused_call_that_was_done_is_found() -> Result {
    let server = server("sso_attr.purge_interval = 0")?;
    let mut player = Player::new(&server, "postgres", None)?;
    let seed = seed("a refused call")?;
    let before = player.model.clone();
    let mut random = Random::new(seed);
    // Until something has changed; then the ledger says that it was refused.
    for label in 0..1000 {
        let call = call_of_its_own(&mut random, &player, label);
        // A role without rights would change nothing.
        if matches!(call, Call::Role { .. }) {
            continue;
        }
        let Played::AsExpected = player.attempt(&call)? else { return Err("it differs".into()) };
        if matches!(call, Call::Open { .. }) && player.compare()?.is_none() {
            let after = std::mem::replace(&mut player.model, before.clone());
            if player.compare()?.is_some() {
                return Ok(());
            }
            player.model = after;
        }
    }
    Err("no call has changed anything".into())
}

/// Each test, seen to fail by a defect that it is for. The short form of the gauntlet leaves these out.
mod seen_to_fail {
    use super::*;

    /// That something else fails, and for this reason.
    fn fails_by<T>(outcome: Result<T>, reason: &str) -> Result {
        match outcome {
            Ok(_) => Err("nothing was found".into()),
            Err(found) if found.to_string().contains(reason) => {
                println!("found: {}", found.to_string().lines().next().unwrap_or_default());
                Ok(())
            }
            Err(other) => Err(format!("another reason than \"{reason}\": {other}").into()),
        }
    }

    #[test]
    fn a_write_that_was_cancelled_and_acknowledged_is_found() -> Result {
        fails_by(cancel(15_000, Some(Fault::RefusalHidden)), "expected")
    }

    #[test]
    fn a_call_that_goes_on_after_a_timeout_is_found() -> Result {
        fails_by(time_out(300, 1, &["stubborn()"], |transaction| transaction.rollback()), "a call ended")
    }

    #[test]
    fn a_call_that_was_timed_and_committed_is_found() -> Result {
        fails_by(time_out(10, 0, &[], |transaction| transaction.commit()), "something was done")
    }

    #[test]
    fn a_prepared_transaction_that_is_lost_or_comes_back_is_found() -> Result {
        fails_by(outlive_a_crash(20, ["COMMIT", "ROLLBACK"]), "in vain until one of the states")
    }

    #[test]
    fn locks_that_do_not_run_out_or_leave_something_are_found() -> Result {
        let few = "SELECT count(sso_session_create('user ' || i, keep_newest => 1)) FROM generate_series(1, 10) AS i";
        fails_by(run_out_of_locks(few), "did not refuse")?;
        let first_one_committed = "DO $$ BEGIN
            PERFORM sso_session_create('user 0');
            COMMIT;
            PERFORM sso_session_create('user ' || i, keep_newest => 1) FROM generate_series(1, 100000) AS i;
        END $$";
        fails_by(run_out_of_locks(first_one_committed), "2 sessions are left")
    }

    #[test]
    fn connections_that_do_not_run_out_and_a_flooded_log_are_found() -> Result {
        fails_by(use_up_connections("max_connections = 30"), "connections do not run out")?;
        fails_by(use_up_connections("log_statement = all"), "the log is flooded")
    }

    /// A column that is missing is no way of not being there.
    #[test]
    fn an_odd_error_under_load_is_found() -> Result {
        let rename =
            |from, to| format!("ALTER TABLE sso_attr.attribute RENAME {from} TO {to}; SELECT pg_sleep(0.1)");
        fails_by(drop_under_load(5, &rename("value", "lost"), &rename("lost", "value")), "42703")
    }

    #[test]
    #[ignore = "needs root, to mount a small file system"]
    fn a_write_that_a_full_disk_refused_and_that_was_acknowledged_is_found() -> Result {
        fails_by(fill_tables(10, Some(Fault::RefusalHidden)), "expected")
    }

    #[test]
    #[ignore = "needs root, to mount a small file system"]
    fn a_write_that_was_acknowledged_before_its_wal_was_written_is_found() -> Result {
        let found = fill_wal(20, "synchronous_commit = off\nwal_writer_delay = 10s\nwal_buffers = 16MB");
        fails_by(found, "in vain until one of the states")
    }
}
