//! A history that something is wrong with, so that each check is seen to find what it is for.

use sso_attr_client_tests::Random;

use crate::history::{Act, Record};

/// What is done to a history, and what the check says of it.
pub type Fault = (&'static str, fn(&mut [Record], &mut Random) -> bool);

pub const FAULTS: [Fault; 8] = [
    ("lost update", lose_updates),
    ("lost addition", lose_additions),
    ("taken twice", take_twice),
    ("neither taken nor left", lose_what_was_put),
    ("torn batch", tear_batches),
    ("revived session", revive),
    ("wrong number kept", keep_too_many),
    ("unexpected error", deadlock),
];

/// Changes one in a thousand of those records that `change` can change, and at least one; false where
/// there is none.
fn alter(
    history: &mut [Record],
    random: &mut Random,
    is_fit: impl Fn(&Record) -> bool,
    mut change: impl FnMut(&mut Record),
) -> bool {
    let fit: Vec<_> =
        (0..history.len()).filter(|at| history[*at].error.is_none() && is_fit(&history[*at])).collect();
    let count = if fit.is_empty() { 0 } else { fit.len().div_ceil(1000) };
    (0..count).for_each(|_| change(&mut history[*random.pick(&fit)]));
    count > 0
}

/// Updates were acknowledged and are not there: the last reading gives the value before all of them.
fn lose_updates(history: &mut [Record], _: &mut Random) -> bool {
    let read = history.iter_mut().filter(|record| matches!(record.act, Act::Read { .. }));
    let Some(last) = read.max_by_key(|record| record.from) else { return false };
    if let Act::Read { value, .. } = &mut last.act {
        *value = 0;
    }
    true
}

fn lose_additions(history: &mut [Record], random: &mut Random) -> bool {
    let is_fit = |record: &Record| matches!(record.act, Act::Add { .. });
    alter(history, random, is_fit, |record| {
        if let Act::Add { by, .. } = &mut record.act {
            *by += 1;
        }
    })
}

fn take_twice(history: &mut [Record], random: &mut Random) -> bool {
    let taken = history.iter().find_map(|record| match record.act {
        Act::Take { value: Some(value) } if record.error.is_none() => Some(value),
        _ => None,
    });
    let is_fit = |record: &Record| matches!(record.act, Act::Take { value: None });
    taken.is_some() && alter(history, random, is_fit, |record| record.act = Act::Take { value: taken })
}

fn lose_what_was_put(history: &mut [Record], random: &mut Random) -> bool {
    let is_fit = |record: &Record| matches!(record.act, Act::Take { value: Some(_) });
    alter(history, random, is_fit, |record| record.act = Act::Take { value: None })
}

fn tear_batches(history: &mut [Record], random: &mut Random) -> bool {
    let is_fit = |record: &Record| matches!(record.act, Act::Seen { .. });
    alter(history, random, is_fit, |record| {
        if let Act::Seen { values } = &mut record.act {
            values[0] += 1;
        }
    })
}

fn revive(history: &mut [Record], random: &mut Random) -> bool {
    let ended: Vec<_> = history
        .iter()
        .filter_map(|record| match &record.act {
            Act::End { token } if record.error.is_none() => Some((token.clone(), record.to)),
            _ => None,
        })
        .collect();
    let is_dead = |token: &str, from: u64| ended.iter().any(|(ended, to)| ended == token && *to < from);
    let is_fit =
        |record: &Record| matches!(&record.act, Act::Used { token, .. } if is_dead(token, record.from));
    alter(history, random, is_fit, |record| {
        if let Act::Used { is_alive, .. } = &mut record.act {
            *is_alive = true;
        }
    })
}

fn keep_too_many(history: &mut [Record], random: &mut Random) -> bool {
    let is_fit = |record: &Record| matches!(record.act, Act::Kept { live, keep, .. } if live == keep);
    alter(history, random, is_fit, |record| {
        if let Act::Kept { live, .. } = &mut record.act {
            *live += 1;
        }
    })
}

fn deadlock(history: &mut [Record], random: &mut Random) -> bool {
    alter(history, random, |_| true, |record| record.error = Some("40P01".into()))
}
