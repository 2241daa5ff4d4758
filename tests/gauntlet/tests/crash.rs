//! Everything that was acknowledged is there after a crash, everything else is there or not, and nothing
//! is there by halves. Each client makes random calls of the whole surface in a database of its own;
//! its model is the ledger that decides. Indexes and heaps are checked after every blow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sso_attr_client_tests::{Random, Result, SOON, Server, kill, open_session, wait_until};
use sso_attr_gauntlet::model::player::{Player, QUICK_LOGINS};
use sso_attr_gauntlet::{amount, seed};

const CLIENTS: usize = 3;

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Everything,
    Postmaster,
    Backend,
    Worker,
}

const BLOWS: [Blow; 4] = [Blow::Everything, Blow::Postmaster, Blow::Backend, Blow::Worker];

fn database(number: usize) -> String {
    format!("d{number}")
}

fn server(configuration: &str) -> Result<Server> {
    let server = Server::create(&format!("{QUICK_LOGINS}\n{configuration}"))?;
    server.start()?;
    let mut client = server.connect("postgres")?;
    client.batch_execute("CREATE ROLE caller")?;
    for number in 0..CLIENTS {
        client.batch_execute(&format!("CREATE DATABASE {}", database(number)))?;
        server
            .connect(&database(number))?
            .batch_execute("CREATE EXTENSION sso_attr; CREATE EXTENSION amcheck")?;
    }
    Ok(server)
}

impl Blow {
    fn strike(self, server: &Server, random: &mut Random) -> Result {
        let whose = match self {
            Blow::Everything => return server.kill(),
            Blow::Postmaster => return server.kill_postmaster(),
            Blow::Backend => "datname LIKE 'd_' AND backend_type = 'client backend'",
            Blow::Worker => "backend_type LIKE 'sso_attr%'",
        };
        let mut client = server.connect("postgres")?;
        let mut pids = Vec::new();
        wait_until("there is somebody to kill", SOON, || {
            let sql = format!("SELECT pid FROM pg_stat_activity WHERE {whose} ORDER BY pid");
            pids = client.query(&sql, &[])?.iter().map(|row| row.get::<_, i32>(0)).collect();
            Ok(!pids.is_empty())
        })?;
        kill(*random.pick(&pids))
    }

    fn stops_the_server(self) -> bool {
        matches!(self, Blow::Everything | Blow::Postmaster)
    }
}

/// What PostgreSQL's own checks say of the tables and indexes of a database.
fn check_storage(server: &Server, database: &str) -> Result {
    let mut client = server.connect(database)?;
    let of_ours = "WITH t AS (SELECT oid, reltoastrelid FROM pg_class
                              WHERE relnamespace = 'sso_attr'::regnamespace AND relkind = 'r')";
    client.execute(
        &format!(
            "{of_ours} SELECT bt_index_check(i.indexrelid, heapallindexed => true)
             FROM pg_index AS i, t WHERE i.indrelid IN (t.oid, t.reltoastrelid)"
        ),
        &[],
    )?;
    let corrupt = client.query(
        &format!("{of_ours} SELECT t.oid::regclass::text, h::text FROM t, verify_heapam(t.oid, check_toast => true) AS h"),
        &[],
    )?;
    let corrupt: Vec<String> = corrupt.iter().map(|row| row.get::<_, String>(0) + row.get(1)).collect();
    if corrupt.is_empty() { Ok(()) } else { Err(corrupt.join("\n").into()) }
}

struct Played {
    calls: usize,
    /// The calls that the blows interrupted.
    interrupted: BTreeMap<String, usize>,
    blows: BTreeMap<String, usize>,
}

/// Lets clients play, kills, starts again, and looks what is there, so many times.
fn play(server: &Server, seed: u64, rounds: usize, blows: &[Blow]) -> Result<Played> {
    let mut random = Random::new(seed);
    let mut players = (0..CLIENTS)
        .map(|number| Player::new(server, &database(number), None))
        .collect::<Result<Vec<_>>>()?;
    let made = AtomicUsize::new(0);
    let mut played = Played { calls: 0, interrupted: BTreeMap::new(), blows: BTreeMap::new() };
    for (round, blow) in (0..rounds as u64).zip(blows.iter().cycle()) {
        *played.blows.entry(format!("{blow:?}")).or_default() += 1;
        let enough = made.load(Ordering::Relaxed) + 50 + random.below(800);
        let lost = std::thread::scope(|scope| {
            let made = &made;
            let threads: Vec<_> = (0..)
                .zip(&mut players)
                .map(|(number, player)| {
                    let mut random = Random::new(seed.wrapping_add(1000 * round + number + 1));
                    scope.spawn(move || {
                        player.play_until_lost(&mut random, made).map_err(|error| error.to_string())
                    })
                })
                .collect();
            let is_due = wait_until("clients have made their calls", 10 * SOON, || {
                let is_over = threads.iter().any(|thread| thread.is_finished());
                Ok(is_over || made.load(Ordering::Relaxed) >= enough)
            });
            let struck = blow.strike(server, &mut random);
            is_due.and(struck)?;
            let lost: std::result::Result<Vec<_>, _> = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Err("a client panicked".into())))
                .collect();
            Result::Ok(lost?)
        })?;
        if blow.stops_the_server() {
            server.start()?;
        }
        for (number, (player, (call, models))) in players.iter_mut().zip(lost).enumerate() {
            let name = format!("{call:?}");
            *played
                .interrupted
                .entry(name.split([' ', '(']).next().unwrap_or_default().to_owned())
                .or_default() += 1;
            let context = |error| format!("SEED={seed}, round {round}, {blow:?} during {call:?}: {error}");
            player.settle(server, models).map_err(context)?;
            check_storage(server, &database(number)).map_err(context)?;
            // Some go on with what is there.
            if random.one_in(2) {
                player.start_afresh()?;
            }
        }
    }
    played.calls = made.load(Ordering::Relaxed);
    let log = server.log()?;
    let broken: Vec<_> = log.lines().filter(|line| line.contains("PANIC") || line.contains("XX00")).collect();
    if broken.is_empty() { Ok(played) } else { Err(broken.join("\n").into()) }
}

#[test]
fn what_was_acknowledged_is_there_after_a_crash_and_nothing_by_halves() -> Result {
    let seed = seed("crash")?;
    let (rounds, start) = (amount(4, 60), Instant::now());
    let server =
        server("sso_attr.purge_interval = 1\nlog_line_prefix = '%m [%p] %e '\nlog_statement = none")?;
    let played = play(&server, seed, rounds, &BLOWS)?;
    println!("crash: {} calls, {rounds} kills {:?}, {:.0?}", played.calls, played.blows, start.elapsed());
    println!("crash: interrupted were {:?}", played.interrupted);
    Ok(())
}

/// A server that acknowledges before it writes loses what it acknowledged.
#[test]
fn a_lost_acknowledgement_is_found() -> Result {
    let seed = seed("a lost acknowledgement")?;
    let server = server("synchronous_commit = off\nwal_writer_delay = 10s\nsso_attr.purge_interval = 0")?;
    let Err(found) = play(&server, seed, 5, &[Blow::Everything]) else {
        return Err("nothing was found".into());
    };
    let found = found.to_string();
    assert!(found.contains("in vain until one of the states"), "{found}");
    println!("a lost acknowledgement: {}", found.lines().next().unwrap_or_default());
    Ok(())
}

/// A row that an index lacks, and one that is older than its table says any can be.
#[test]
fn damaged_storage_is_found() -> Result {
    let server = server("sso_attr.purge_interval = 0")?;
    let (database, index) = (database(0), "'sso_attr.attribute_pkey'::regclass");
    let mut client = server.connect(&database)?;
    let ust = open_session(&mut client, "damaged")?;
    client.execute("SELECT sso_attr_create($1, 'a', 1)", &[&ust])?;
    check_storage(&server, &database)?;

    client.batch_execute(&format!(
        "UPDATE pg_index SET indisready = false WHERE indexrelid = {index};
         INSERT INTO sso_attr.attribute (session_id, name, value, created_at, updated_at)
             SELECT session_id, 'b', '1', now(), now() FROM sso_attr.attribute;
         UPDATE pg_index SET indisready = true WHERE indexrelid = {index}"
    ))?;
    let Err(found) = check_storage(&server, &database) else { return Err("no row is missed".into()) };
    assert!(format!("{found:?}").contains("lacks matching index tuple"), "{found:?}");

    client.batch_execute(
        "REINDEX TABLE sso_attr.attribute;
         UPDATE pg_class SET relfrozenxid = pg_current_xact_id()::xid WHERE oid = 'sso_attr.attribute'::regclass",
    )?;
    let Err(found) = check_storage(&server, &database) else { return Err("no row is too old".into()) };
    assert!(found.to_string().contains("precedes relation freeze threshold"), "{found:?}");
    Ok(())
}
