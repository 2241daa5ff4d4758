//! With `synchronous_commit = remote_apply` a standby shows whatever was acknowledged, and when the
//! primary is lost in the middle of calls, the standby that takes over has all of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sso_attr_client_tests::{Random, Result, SOON, Server, wait_until};
use sso_attr_gauntlet::model::choice::next_call_with_one_keyring;
use sso_attr_gauntlet::model::contract::{FIRST_KEYS, Model};
use sso_attr_gauntlet::model::player::{Played, Player, keyring, server};
use sso_attr_gauntlet::{amount, seed};

const CALLS: usize = 300;

/// Plays on a primary until it is killed, looking at the standby all the while; then on the standby.
/// Returns the number of calls and of looks.
fn play(seed: u64, configuration_of_standby: &str, commit: &str) -> Result<(usize, usize)> {
    let primary = server("sso_attr.purge_interval = 1")?;
    let mut operator = primary.connect("postgres")?;
    let standby = Server::standby_of(&primary)?;
    standby.configure(configuration_of_standby)?;
    standby.set_keyring(&keyring(FIRST_KEYS))?;
    standby.start()?;
    // From here on commits wait for the standby, which has no such setting itself.
    operator.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'")?;
    operator.batch_execute(&format!("ALTER SYSTEM SET synchronous_commit = '{commit}'"))?;
    operator.batch_execute("SELECT pg_reload_conf()")?;
    wait_until("the standby is a synchronous one", SOON, || {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')";
        Ok(operator.query_one(sql, &[])?.get(0))
    })?;

    let mut random = Random::new(seed);
    let kill_after = CALLS / 2 + random.below(CALLS);
    let mut player = Player::new(&primary, "postgres", None)?;
    let mut reader = standby.connect("postgres")?;
    let (made, mut looks) = (AtomicUsize::new(0), 0);
    let models = std::thread::scope(|scope| -> Result<Vec<Model>> {
        let killer = scope.spawn(|| {
            let due = wait_until("it is time", 10 * SOON, || Ok(made.load(Ordering::Relaxed) >= kill_after));
            due.and_then(|()| primary.kill()).map_err(|error| error.to_string())
        });
        let outcome = (1..).find_map(|label| {
            let call = next_call_with_one_keyring(&mut random, &player.model, label);
            let is_look = label % 10 == 0 && !player.model.is_in_transaction();
            let played = player.attempt(&call).and_then(|played| match played {
                Played::AsExpected if is_look && !player.model.is_in_transaction() => {
                    looks += 1;
                    let difference = player.compare_with(&mut reader)?;
                    Ok(difference.map_or(Played::AsExpected, Played::Differs))
                }
                played => Ok(played),
            });
            made.fetch_add(1, Ordering::Relaxed);
            match played {
                Ok(Played::AsExpected) => None,
                Ok(Played::Differs(difference)) => Some(Err(format!("{call:?}: {difference}"))),
                Ok(Played::Lost(models)) => Some(Ok(models)),
                Err(error) => Some(Err(error.to_string())),
            }
        });
        made.store(usize::MAX / 2, Ordering::Relaxed);
        killer.join().map_err(|_| "the killer panicked")??;
        Ok(outcome.ok_or("there are no more numbers")??)
    })?;
    reader.execute("SELECT pg_promote()", &[])?;
    player.settle(&standby, models)?;
    for label in 0..CALLS {
        let call = next_call_with_one_keyring(&mut random, &player.model, label + 1_000_000);
        if let Some(difference) = player.play(&call)? {
            return Err(format!("after the promotion: {call:?}: {difference}").into());
        }
    }
    let made = player.tally.values().map(|(_, made)| made).sum();
    Ok((made, looks))
}

#[test]
fn a_standby_shows_what_was_acknowledged_and_takes_over_with_it() -> Result {
    let seed = seed("promotion")?;
    let (rounds, start) = (amount(1, 6), Instant::now());
    let (mut calls, mut looks) = (0, 0);
    for round in 0..rounds as u64 {
        let played = play(seed.wrapping_add(round), "", "remote_apply")
            .map_err(|error| format!("SEED={seed}, round {round}: {error}"))?;
        (calls, looks) = (calls + played.0, looks + played.1);
    }
    println!(
        "promotion: {calls} calls, {rounds} promotions, {looks} looks at standbys, {:.0?}",
        start.elapsed()
    );
    Ok(())
}

/// A standby that lags behind shows what is no longer so.
#[test]
fn a_standby_that_lags_is_found() -> Result {
    let seed = seed("a standby that lags")?;
    let Err(found) = play(seed, "recovery_min_apply_delay = '1h'", "on") else {
        return Err("nothing was found".into());
    };
    let found = found.to_string();
    assert!(!found.contains("in vain"), "{found}");
    println!("a standby that lags: {}", found.lines().next().unwrap_or_default());
    Ok(())
}
