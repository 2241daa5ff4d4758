//! One visit to one database: a process that sweeps for a short while and ends.

use std::time::{Duration, Instant};

use pgrx::pg_sys;
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use super::purge::Sweep;
use super::rekey::{self, Pass};
use crate::pg::spi::{Access, Db, as_owner};
use crate::pg::worker::{self, Mark, Visit};
use crate::pg::{clock, transaction};
use crate::settings;
use crate::store::key::Cursor;
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
        visit.failure = failure.as_str().into();
    }
    worker::note(ticket, |noted| *noted = visit);
}

/// What is done in a database that has the extension and can be written to.
fn work(visit: &mut Visit) -> Result<(), String> {
    match in_extension(|_| transaction::is_read_only())? {
        None => return Ok(()),
        Some(true) => return Err("database is read-only (default_transaction_read_only is on)".into()),
        Some(false) => (),
    }
    let found = visit.removed();
    let now = clock::now();
    if visit.started_at == 0 {
        visit.started_at = now.0;
    }
    let failure = sweep(visit, now).and_then(|()| rekey(visit, now)).err().map(explain);
    let run = Run {
        started_at: Timestamp(visit.started_at),
        ended_at: clock::now(),
        removed: visit.removed(),
        uncounted: visit.removed() - found,
        error: failure.as_deref(),
    };
    let recorded = in_extension(|db| purge::record(db, &run));
    match failure {
        Some(failure) => Err(failure),
        None => recorded.map(|_| ()).map_err(explain),
    }
}

/// Batches, each a transaction of its own, until nothing is left or the stay is over.
fn sweep(visit: &mut Visit, now: Timestamp) -> Result<(), String> {
    worker::show("removing expired sessions and attributes");
    let arrival = Instant::now();
    let (attributes, sessions) = (visit.attributes, visit.sessions);
    let mut sweep = Sweep::start(now);
    while !sweep.is_over() && arrival.elapsed() < STAY {
        worker::reload_if_asked();
        let limit = settings::purge_batch_size();
        if said(in_extension(|db| sweep.batch(db, limit)))?.is_none() {
            return Ok(());
        }
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
    let mut pass = match &visit.rekeying {
        Some(mark) => {
            let session = Uuid::from_bytes(mark.session);
            Pass::resume(Cursor { session, name: mark.name.as_str().to_owned() })
        }
        None if said(in_extension(|db| rekey::is_due(db, now)))?.unwrap_or(false) => Pass::default(),
        None => return Ok(()),
    };
    worker::show("encrypting values anew under the primary key");
    let arrival = Instant::now();
    while !pass.is_over() && arrival.elapsed() < STAY {
        worker::reload_if_asked();
        if said(in_extension(|db| rekey::batch(db, &vault::sealer(db)?, &mut pass, rekey::BATCH_SIZE)))?
            .is_none()
        {
            return Ok(());
        }
    }
    visit.resealed += pass.resealed();
    visit.unfinished = !pass.is_over();
    visit.rekeying = (!pass.is_over()).then(|| {
        let Cursor { session, name } = pass.cursor();
        Mark { session: session.into_bytes(), name: name.as_str().into() }
    });
    // With every visit: the next one does not know of them.
    pass.warn_of_unopened();
    if pass.is_over() && visit.resealed == 0 {
        said(in_extension(|db| rekey::mark_done(db, now)))?;
    }
    Ok(())
}

/// A refusal of our own, put into words as the server's are.
fn said<T>(outcome: Result<Option<sso_attr_core::Result<T>>, String>) -> Result<Option<T>, String> {
    outcome?.transpose().map_err(|error| match error.detail() {
        Some(detail) => format!("{error}: {detail}"),
        None => error.to_string(),
    })
}

/// A transaction of its own, with the owner's rights; nothing is done where the extension is not.
fn in_extension<T>(work: impl FnOnce(&Db) -> T) -> Result<Option<T>, String> {
    worker::transaction(|| worker::hold_extension().then(|| as_owner(Access::Write, work)))
}

/// Adds to a failure what most often is its cause.
fn explain(failure: String) -> String {
    let library = env!("CARGO_PKG_VERSION");
    match in_extension(purge::installed_version) {
        Ok(Some(Some(version))) if version != library => format!(
            "{failure} (the extension is of version {version} here, the library of {library}: \
             run ALTER EXTENSION sso_attr UPDATE)"
        ),
        _ => failure,
    }
}
