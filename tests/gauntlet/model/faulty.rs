//! A layer between client and server that does what must not happen, so that the checker is seen to
//! find it. It strikes by what a call says, so that it strikes again when a trace is repeated.

use super::answer::Outcome;
use super::call::{Call, Lookup, Verb};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// An update, one in a thousand calls or so, is acknowledged and lost.
    LostUpdate,
    /// The last item of a batch is acknowledged and lost.
    TornBatch,
    /// A name that has expired goes on.
    ExpiredShown,
    /// The end of a session is acknowledged, and it goes on.
    Revived,
    /// A value that was to be sealed is stored in clear.
    InClear,
    /// A write is acknowledged that was cancelled, kept waiting or refused by a full disk.
    RefusalHidden,
}

/// The SQLSTATEs of those.
const REFUSALS: [&str; 3] = ["57014", "55P03", "53100"];

/// Those that need no other fault to strike.
pub const FAULTS: [Fault; 5] =
    [Fault::LostUpdate, Fault::TornBatch, Fault::ExpiredShown, Fault::Revived, Fault::InClear];

impl Fault {
    /// What the client is told of a call; `run` makes one.
    pub fn answer(self, call: &Call, run: &mut dyn FnMut(&Call) -> Outcome) -> Outcome {
        let is_true = |outcome: Outcome| outcome == Ok(Some("true".into()));
        match (self, call) {
            (
                Fault::LostUpdate,
                Call::Write { verb: Verb::Update, ust, name: name @ Some("b"), expiration, .. },
            ) if expiration.0 == "NULL"
                && is_true(run(&Call::Lookup { verb: Lookup::Exists, ust: *ust, name: *name })) =>
            {
                Ok(Some("true".into()))
            }
            (Fault::TornBatch, Call::WriteMany { verb: Verb::Update, ust, items, expiration, encrypt })
                if items.len() > 1
                    && items[items.len() - 1].expiration.is_none()
                    && is_true(run(&Call::Lookup {
                        verb: Lookup::Exists,
                        ust: *ust,
                        name: items[items.len() - 1].name,
                    })) =>
            {
                let (count, items) = (items.len(), items[..items.len() - 1].to_vec());
                let torn = Call::WriteMany {
                    verb: Verb::Update,
                    ust: *ust,
                    items,
                    expiration: *expiration,
                    encrypt: *encrypt,
                };
                run(&torn).map(|_| Some(count.to_string()))
            }
            (Fault::ExpiredShown, Call::MoveAttribute { ust, name })
                if is_true(run(&Call::Lookup { verb: Lookup::Exists, ust: *ust, name: Some(name) })) =>
            {
                Ok(Some("1".into()))
            }
            (Fault::Revived, Call::End { ust }) if is_true(run(&Call::Verify { ust: *ust })) => {
                Ok(Some("true".into()))
            }
            (
                Fault::InClear,
                Call::Write { verb, json, ust, name, value, expiration, encrypt: Some(true) },
            ) => run(&Call::Write {
                verb: *verb,
                json: *json,
                ust: *ust,
                name: *name,
                value: *value,
                expiration: *expiration,
                encrypt: Some(false),
            }),
            (Fault::RefusalHidden, Call::Write { .. }) => match run(call) {
                Err(state) if REFUSALS.contains(&&*state) => Ok(Some("true".into())),
                outcome => outcome,
            },
            _ => run(call),
        }
    }
}
