//! Clients at three isolation levels on the same sessions: what they record is checked afterwards. No
//! acknowledged update is lost, nothing is taken twice, additions add up, no batch is seen by halves,
//! nothing is alive after its end, as many sessions are kept as was asked for, nobody deadlocks.

mod clients;
mod history;
mod injected;

use std::collections::BTreeMap;
use std::time::Instant;

use sso_attr_client_tests::{Random, Result, Server};
use sso_attr_gauntlet::{amount, seed};

use clients::play;
use history::problems;
use injected::FAULTS;

const CLIENTS: usize = 6;

#[test]
fn no_history_has_anything_in_it_that_must_not_be() -> Result {
    let seed = seed("histories")?;
    let (rounds, calls) = (amount(2, 20), amount(400, 1500));
    let start = Instant::now();
    let server = Server::with_extension(
        "deadlock_timeout = 50ms\nsso_attr.purge_interval = 1\nmax_pred_locks_per_transaction = 512",
    )?;
    let (mut made, mut acts, mut errors) = (0, BTreeMap::new(), BTreeMap::new());
    for round in 0..rounds as u64 {
        let history = play(&server, seed.wrapping_add(round), CLIENTS, calls)?;
        made += history.len();
        for record in &history {
            let act = format!("{:?}", record.act);
            *acts.entry(act.split(' ').next().unwrap_or_default().to_owned()).or_insert(0) += 1;
            if let Some(error) = &record.error {
                *errors.entry(error.clone()).or_insert(0) += 1;
            }
        }
        let problems = problems(&history);
        let shown = &problems[..problems.len().min(10)];
        assert!(problems.is_empty(), "SEED={seed}, round {round}:\n{}", shown.join("\n"));
    }
    let deadlocks = "SELECT sum(deadlocks)::bigint FROM pg_stat_database";
    let deadlocks: i64 = server.connect("postgres")?.query_one(deadlocks, &[])?.get(0);
    assert_eq!(deadlocks, 0);
    println!("histories: {made} records of {CLIENTS} clients in {rounds} rounds, {:.0?}", start.elapsed());
    println!("histories: {acts:?}, errors {errors:?}");
    Ok(())
}

#[test]
fn each_check_finds_what_it_is_for() -> Result {
    let seed = seed("faults in histories")?;
    let server = Server::with_extension("max_pred_locks_per_transaction = 512")?;
    let sound = play(&server, seed, CLIENTS, 300)?;
    assert!(problems(&sound).is_empty(), "{:?}", problems(&sound));
    for (what, inject) in FAULTS {
        let mut history = sound.clone();
        assert!(inject(&mut history, &mut Random::new(seed)), "{what}: nothing to change");
        let problems = problems(&history);
        assert!(problems.iter().any(|problem| problem.contains(what)), "{what} is not found: {problems:?}");
    }
    Ok(())
}
