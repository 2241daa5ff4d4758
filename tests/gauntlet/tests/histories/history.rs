//! What clients recorded, and what must not be in it. All of it is plain data: no check asks the server.

use std::collections::{BTreeMap, BTreeSet};

/// A call, from the moment before it was sent to the moment after it was answered.
#[derive(Debug, Clone)]
pub struct Record {
    /// In nanoseconds since the beginning.
    pub from: u64,
    pub to: u64,
    pub act: Act,
    /// The SQLSTATE, where it failed.
    pub error: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Act {
    /// A strict update to a value that no other call writes.
    Write {
        name: String,
        value: i64,
    },
    Read {
        name: String,
        value: i64,
    },
    /// Something was added to a number: in one step, or by reading and writing in a transaction.
    Add {
        name: String,
        by: i64,
    },
    Sum {
        name: String,
        value: i64,
    },
    /// A value that no other call creates; taking gives it, or nothing.
    Put {
        value: i64,
    },
    Take {
        value: Option<i64>,
    },
    /// What is still there when all is over.
    Left {
        values: Vec<i64>,
    },
    /// All values of a batch, seen in one call; none where the batch was deleted.
    Seen {
        values: Vec<i64>,
    },
    Open {
        token: String,
        user: String,
    },
    /// The token is dead from now on.
    End {
        token: String,
    },
    /// So are all tokens that the user had been given before.
    EndAll {
        user: String,
    },
    /// Something was done with a token.
    Used {
        token: String,
        is_alive: bool,
    },
    /// So many sessions were live of a user who keeps so many.
    Kept {
        live: i64,
        keep: i64,
        is_last: bool,
    },
    /// Nothing that a check looks at but its error.
    Other,
}

/// Everything that must not have happened.
pub fn problems(history: &[Record]) -> Vec<String> {
    let mut problems = unexpected_errors(history);
    let done: Vec<_> = history.iter().filter(|record| record.error.is_none()).collect();
    problems.extend(stale_reads(&done));
    problems.extend(wrong_sums(&done));
    problems.extend(wrong_takes(&done));
    problems.extend(torn_batches(&done));
    problems.extend(revived_sessions(&done));
    problems.extend(wrongly_kept(&done));
    problems
}

/// Errors that some call may meet: it was not there, it was there already, the session is over, the
/// transaction has to be tried again.
const EXPECTED: [&str; 4] = ["P0002", "23505", "28000", "40001"];

fn unexpected_errors(history: &[Record]) -> Vec<String> {
    let unexpected =
        |record: &&Record| record.error.as_ref().is_some_and(|error| !EXPECTED.contains(&&**error));
    history.iter().filter(unexpected).map(|record| format!("unexpected error: {record:?}")).collect()
}

/// A read may give what was written last before it or meanwhile, never what a write after that one had
/// replaced when the read began.
fn stale_reads(done: &[&Record]) -> Vec<String> {
    let mut writes: BTreeMap<&str, Vec<(u64, u64, i64)>> = BTreeMap::new();
    for record in done {
        if let Act::Write { name, value } = &record.act {
            writes.entry(name).or_default().push((record.from, record.to, *value));
        }
    }
    let mut ends = BTreeMap::new();
    for (name, writes) in &mut writes {
        writes.sort_unstable();
        ends.extend(writes.iter().map(|(_, to, value)| ((*name, *value), *to)));
        // Of each write and those that began later: the first end.
        let mut first = u64::MAX;
        for write in writes.iter_mut().rev() {
            first = first.min(write.1);
            write.1 = first;
        }
    }
    let mut problems = Vec::new();
    for record in done {
        let Act::Read { name, value } = &record.act else { continue };
        let Some(written) = ends.get(&(name.as_str(), *value)) else {
            problems.push(format!("never written: {record:?}"));
            continue;
        };
        let of_name = &writes[name.as_str()];
        let later = of_name.partition_point(|(from, ..)| from <= written);
        if of_name.get(later).is_some_and(|(_, first_end, _)| *first_end < record.from) {
            problems.push(format!("lost update: {record:?} gives what was replaced before"));
        }
    }
    problems
}

fn wrong_sums(done: &[&Record]) -> Vec<String> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for record in done {
        if let Act::Add { name, by } = &record.act {
            *sums.entry(name).or_default() += by;
        }
    }
    let wrong = done.iter().filter_map(|record| match &record.act {
        Act::Sum { name, value } if sums.get(name.as_str()).unwrap_or(&0) != value => {
            Some(format!("lost addition: {name} is {value}, added were {:?}", sums.get(name.as_str())))
        }
        _ => None,
    });
    wrong.collect()
}

fn wrong_takes(done: &[&Record]) -> Vec<String> {
    let (mut put, mut taken, mut left, mut problems) = (BTreeSet::new(), BTreeSet::new(), None, Vec::new());
    for record in done {
        match &record.act {
            Act::Put { value } => {
                put.insert(*value);
            }
            Act::Take { value: Some(value) } if !taken.insert(*value) => {
                problems.push(format!("taken twice: {record:?}"));
            }
            Act::Left { values } => left = Some(values.iter().copied().collect::<BTreeSet<_>>()),
            _ => {}
        }
    }
    let expected: BTreeSet<_> = put.difference(&taken).copied().collect();
    if let Some(left) = left.filter(|left| *left != expected || !taken.is_subset(&put)) {
        let lost: Vec<_> = expected.symmetric_difference(&left).take(10).collect();
        problems.push(format!("put and neither taken nor left, or the other way round: {lost:?}"));
    }
    problems
}

fn torn_batches(done: &[&Record]) -> Vec<String> {
    let torn = |record: &&&Record| match &record.act {
        Act::Seen { values } => values.windows(2).any(|pair| pair[0] != pair[1]),
        _ => false,
    };
    done.iter().filter(torn).map(|record| format!("torn batch: {record:?}")).collect()
}

fn revived_sessions(done: &[&Record]) -> Vec<String> {
    let mut opened: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    // When each token was dead for certain.
    let mut dead: BTreeMap<&str, u64> = BTreeMap::new();
    let mut bury = |token, at: u64| {
        let since = dead.entry(token).or_insert(at);
        *since = at.min(*since);
    };
    for record in done {
        match &record.act {
            Act::Open { token, user } => opened.entry(user).or_default().push((record.to, token)),
            Act::End { token } => bury(token.as_str(), record.to),
            _ => {}
        }
    }
    for record in done {
        let Act::EndAll { user } = &record.act else { continue };
        for (at, token) in opened.get(user.as_str()).into_iter().flatten() {
            if *at < record.from {
                bury(token, record.to);
            }
        }
    }
    let revived = |record: &&&Record| match &record.act {
        Act::Used { token, is_alive: true } => {
            dead.get(token.as_str()).is_some_and(|dead| *dead < record.from)
        }
        _ => false,
    };
    done.iter().filter(revived).map(|record| format!("revived session: {record:?}")).collect()
}

fn wrongly_kept(done: &[&Record]) -> Vec<String> {
    let wrong = |record: &&&Record| match record.act {
        Act::Kept { live, keep, is_last } => live > keep || (is_last && live != keep),
        _ => false,
    };
    done.iter().filter(wrong).map(|record| format!("wrong number kept: {record:?}")).collect()
}
