//! One visit to one database: a process that sweeps for a short while and ends.

use std::time::{Duration, Instant};

use pgrx::pg_sys;
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use super::sweep::Sweep;
use crate::pg::clock;
use crate::pg::spi::{Access, as_owner};
use crate::pg::worker::{self, Visit};
use crate::rekey::{self, Pass};
use crate::settings;
use crate::store::purge::{self, Run};
use crate::vault;

/// DROP DATABASE and its like wait five seconds for others to leave.
const STAY: Duration = Duration::from_secs(2);

/// Sweeps the database and leaves word of what came of it.
pub fn visit(database: pg_sys::Oid, ticket: u32) {
    let mut visit = worker::announced();
    if visit.ticket != ticket {
        return;
    }
    let outcome = worker::enter(c"sso_attr purge", database).and_then(|()| {
        worker::note(ticket, |noted| noted.entered = true);
        work(&mut visit)
    });
    visit.entered = true;
    if let Err(failure) = outcome {
        visit.unfinished = false;
        visit.failure = failure.as_str().into();
    }
    worker::note(ticket, |noted| *noted = visit);
}

/// What is done in a database that has the extension and can be written to.
fn work(visit: &mut Visit) -> Result<(), String> {
    match worker::transaction(|| worker::has_extension().then(worker::is_read_only))? {
        None => return Ok(()),
        Some(true) => return Err("database is read-only (default_transaction_read_only is on)".into()),
        Some(false) => (),
    }
    let found = removed(visit);
    let started = clock::now();
    if visit.started_at == 0 {
        visit.started_at = started.0;
    }
    let outcome = sweep(visit, started).and_then(|()| rekey(visit, started));
    let failure = outcome.err().and_then(explain);
    let run = Run {
        started_at: Timestamp(visit.started_at),
        ended_at: clock::now(),
        removed: removed(visit),
        uncounted: removed(visit) - found,
        error: failure.as_deref(),
    };
    let recorded = worker::transaction(|| as_owner(Access::Write, |db| purge::record(db, &run)));
    match failure {
        Some(failure) => Err(failure),
        None => recorded.or_else(|failure| explain(failure).map_or(Ok(()), Err)),
    }
}

fn removed(visit: &Visit) -> u64 {
    visit.attributes + visit.sessions
}

/// Batches, each a transaction of its own, until nothing is left or the stay is over.
fn sweep(visit: &mut Visit, now: Timestamp) -> Result<(), String> {
    worker::show("removing expired sessions and attributes");
    let arrival = Instant::now();
    let (attributes, sessions) = (visit.attributes, visit.sessions);
    let mut sweep = Sweep::start(now);
    visit.unfinished = true;
    while !sweep.is_over() && arrival.elapsed() < STAY {
        worker::reload_if_asked();
        let limit = settings::purge_batch_size();
        worker::transaction(|| as_owner(Access::Write, |db| sweep.batch(db, limit)))?;
        visit.attributes = attributes + sweep.attributes();
        visit.sessions = sessions + sweep.sessions();
    }
    visit.unfinished = !sweep.is_over();
    Ok(())
}

/// Moves values of other keys to the primary one, likewise in batches, where that is due.
fn rekey(visit: &mut Visit, now: Timestamp) -> Result<(), String> {
    if visit.unfinished || !vault::is_configured() {
        return Ok(());
    }
    let mut pass = match visit.rekeying {
        Some(session) => Pass::from(Uuid::from_bytes(session)),
        None if said(worker::transaction(|| as_owner(Access::Read, |db| rekey::is_due(db, now))))? => {
            Pass::default()
        }
        None => return Ok(()),
    };
    worker::show("encrypting values anew under the primary key");
    let arrival = Instant::now();
    while !pass.is_over() && arrival.elapsed() < STAY {
        worker::reload_if_asked();
        said(worker::transaction(|| {
            as_owner(Access::Write, |db| rekey::batch(db, &mut pass, rekey::BATCH))
        }))?;
    }
    visit.resealed += pass.resealed();
    visit.unfinished = !pass.is_over();
    visit.rekeying = (!pass.is_over()).then(|| pass.session().into_bytes());
    if pass.is_over() {
        pass.warn_of_unopened();
        if visit.resealed == 0 {
            said(worker::transaction(|| as_owner(Access::Write, |db| rekey::note_done(db, now))))?;
        }
    }
    Ok(())
}

/// A refusal of our own, put into words as the server's are.
fn said<T>(outcome: Result<sso_attr_core::Result<T>, String>) -> Result<T, String> {
    outcome?.map_err(|error| match error.detail() {
        Some(detail) => format!("{error}: {detail}"),
        None => error.to_string(),
    })
}

/// Makes the most of a failure's message; none is left where the extension was dropped meanwhile.
fn explain(message: String) -> Option<String> {
    let library = env!("CARGO_PKG_VERSION");
    let installed = worker::transaction(|| {
        worker::has_extension().then(|| as_owner(Access::Read, purge::installed_version)).flatten()
    });
    match installed {
        Ok(None) => None,
        Ok(Some(version)) if version != library => Some(format!(
            "{message} (the extension is of version {version} here and the library of {library}: \
             run ALTER EXTENSION sso_attr UPDATE)"
        )),
        _ => Some(message),
    }
}
