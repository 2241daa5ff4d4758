//! The extension against the contract: random calls of the whole surface on a server and on a model
//! that is plain data, every answer compared and, at intervals, all that is there. Where they differ,
//! the shortest trace that still does is printed as SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use sso_attr_client_tests::{Random, Result, Server};
use sso_attr_gauntlet::model::call::Call;
use sso_attr_gauntlet::model::choice;
use sso_attr_gauntlet::model::contract::Model;
use sso_attr_gauntlet::model::faulty::{FAULTS, Fault};
use sso_attr_gauntlet::model::player::{Difference, Player, server};
use sso_attr_gauntlet::{amount, seed};

/// Calls on one state, after which the next one starts with nothing.
fn calls_of_a_trace() -> usize {
    amount(150, 400)
}

/// Calls after which whole states are compared.
const INTERVAL: usize = 50;
const CONFIGURATION: &str = "sso_attr.purge_interval = 0\nmax_connections = 10";

/// Plays calls at random until the model differs or there were enough; returns the trace up to there.
fn play_at_random(player: &mut Player<'_>, random: &mut Random) -> Result<Option<(Vec<Call>, Difference)>> {
    player.start_afresh()?;
    let mut trace = Vec::new();
    for number in 1..=calls_of_a_trace() {
        let call = choice::next_call(random, &player.model, number);
        let is_due = number % INTERVAL == 0;
        for call in [Some(call), is_due.then_some(Call::Compare)].into_iter().flatten() {
            trace.push(call);
            if let Some(difference) = player.play(&trace[trace.len() - 1])? {
                return Ok(Some((trace, difference)));
            }
        }
    }
    Ok(None)
}

/// Plays a trace; returns the difference that it ends with and how many calls were made until then.
fn replay(player: &mut Player<'_>, trace: &[Call]) -> Result<Option<(usize, Difference)>> {
    player.start_afresh()?;
    for (number, call) in (1..).zip(trace) {
        if let Some(difference) = player.play(call)? {
            return Ok(Some((number, difference)));
        }
    }
    Ok(None)
}

/// Leaves out of a trace what it differs without: long stretches first, single calls last.
fn shortest(
    player: &mut Player<'_>,
    mut trace: Vec<Call>,
    mut difference: Difference,
) -> Result<(Vec<Call>, Difference)> {
    let mut length = trace.len() / 2;
    while length > 0 {
        let (mut from, mut has_shrunk) = (0, false);
        while from < trace.len() {
            let mut shorter = trace.clone();
            shorter.drain(from..(from + length).min(trace.len()));
            match replay(player, &shorter)? {
                Some((made, found)) => {
                    shorter.truncate(made);
                    (trace, difference, has_shrunk) = (shorter, found, true);
                }
                None => from += length,
            }
        }
        if !(has_shrunk && length == 1) {
            length /= 2;
        }
    }
    Ok((trace, difference))
}

/// A trace as a script for psql.
fn script(trace: &[Call]) -> String {
    let lines: Vec<_> = trace
        .iter()
        .map(|call| {
            let sql = call.sql(&|slot| format!(":'t{slot}'"));
            match call.fills() {
                Some(slot) => format!("{sql} AS t{slot} \\gset"),
                None => format!("{sql};"),
            }
        })
        .collect();
    lines.join("\n")
}

/// How many traces, and of every call how many answered and how many were made.
type Played = (usize, BTreeMap<String, (usize, usize)>);

/// Makes so many calls; a difference is an error that shows the shortest trace.
fn check(server: &Server, seed: u64, calls: usize, fault: Option<Fault>) -> Result<Played> {
    let mut player = Player::new(server, "postgres", fault)?;
    let traces = calls.div_ceil(calls_of_a_trace());
    for number in 0..traces as u64 {
        let mut random = Random::new(seed.wrapping_add(number));
        if let Some((trace, difference)) = play_at_random(&mut player, &mut random)? {
            let calls = trace.len();
            let (trace, difference) = shortest(&mut player, trace, difference)?;
            let (script, short) = (script(&trace), trace.len());
            return Err(format!(
                "SEED={seed}: trace {number} differs after {calls} calls, shortened to {short}:\n{script}\n-- {difference}"
            )
            .into());
        }
    }
    Ok((traces, player.tally))
}

#[test]
fn every_answer_and_every_state_is_the_contracts() -> Result {
    let seed = seed("model")?;
    let server = server(CONFIGURATION)?;
    let start = Instant::now();
    let (traces, tally) = check(&server, seed, amount(4_000, 100_000), None)?;
    let calls: usize = tally.values().map(|(_, made)| made).sum();
    println!("model: {calls} calls in {traces} traces, {:.0?}", start.elapsed());
    println!("model: {tally:?}");
    Ok(())
}

/// A function that no call makes would never be checked.
#[test]
fn calls_are_made_of_every_function() {
    let mut uncalled: BTreeSet<&str> = include_str!("../../../docs/reference.md")
        .lines()
        .filter_map(|line| line.strip_prefix("### sso_"))
        .collect();
    assert!(uncalled.len() > 40, "{uncalled:?}");
    let mut random = Random::new(1);
    for label in 0..20_000 {
        let sql = choice::next_call(&mut random, &Model::default(), label).sql(&|_| "token".into());
        for part in sql.split("sso_").skip(1) {
            let end = part.find(|char: char| char != '_' && !char.is_ascii_lowercase());
            uncalled.remove(&part[..end.unwrap_or(part.len())]);
        }
    }
    assert!(uncalled.is_empty(), "{uncalled:?}");
}

#[test]
fn each_fault_of_the_layer_in_between_is_found_and_its_trace_is_short() -> Result {
    let seed = seed("faults of the model check")?;
    let server = server(CONFIGURATION)?;
    for fault in FAULTS {
        let Err(found) = check(&server, seed, 100_000, Some(fault)) else {
            return Err(format!("{fault:?} is not found").into());
        };
        let found = found.to_string();
        assert!(found.contains("shortened to "), "{fault:?}: {found}");
        let lines = found.lines().count();
        println!("{fault:?}: {}", found.lines().next().unwrap_or_default());
        assert!(lines < 25, "{fault:?}: {found}");
    }
    Ok(())
}
