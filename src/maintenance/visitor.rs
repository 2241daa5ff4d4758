//! One visit to one database: a process that purges and rekeys for a short while and ends.

use std::time::{Duration, Instant};

use pgrx::pg_sys;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::{Error, Result as CoreResult};

use super::purge::Sweep;
use super::rekey::{self, Pass};
use crate::pg::spi::{Access, Db, as_owner};
use crate::pg::wait::Wait;
use crate::pg::worker::{self, RekeyCursor, Visit};
use crate::pg::{clock, reserve, transaction};
use crate::settings;
use crate::store::key::Cursor;
use crate::store::purge::{self, Run};
use crate::vault;

/// How long the purge and the rekey pass may each take: DROP DATABASE and similar statements wait five
/// seconds for others to leave.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// A sweep that has lasted so many intervals goes on without pauses: it does not keep up with what
/// expires.
const PACED_INTERVALS: u32 = 10;

/// The most rows of a batch while there are pauses: half a millisecond of work, and so little to be written
/// at once that a commit beside it hardly waits longer for the disk.
const PACED_ROWS: u64 = 100;

/// Does the work in the database and tells the launcher the result.
pub fn visit(database: pg_sys::Oid, ticket: u32) {
    let mut visit = worker::current_visit();
    if visit.ticket != ticket {
        return;
    }
    let outcome = worker::connect(c"sso_attr purge", database).and_then(|()| {
        worker::update_visit(ticket, |shared| shared.connected = true);
        work(&mut visit)
    });
    visit.connected = true;
    if let Err(failure) = outcome {
        visit.failure = failure.as_str().into();
    }
    worker::update_visit(ticket, |shared| *shared = visit);
}

/// Purges and rekeys, if the database has the extension and can be written to.
fn work(visit: &mut Visit) -> Result<(), String> {
    match in_extension(|_| transaction::is_read_only())? {
        None => {
            visit.rest_until = Timestamp::NEVER.0;
            return Ok(());
        }
        Some(true) => return Err("database is read-only (default_transaction_read_only is on)".into()),
        Some(false) => (),
    }
    let removed_before = visit.removed();
    let now = clock::now();
    if visit.started_at == 0 {
        visit.started_at = now.0;
    }
    let failure = sweep(visit, now).and_then(|()| rekey(visit, now)).err().map(with_version_mismatch);
    let run = Run {
        started_at: Timestamp(visit.started_at),
        ended_at: clock::now(),
        removed: visit.removed(),
        uncounted: visit.removed() - removed_before,
        error: failure.as_deref(),
    };
    let is_news = run.uncounted > 0 || failure.is_some() || visit.failed_before;
    let recorded = if is_news { in_extension(|db| purge::record(db, &run)).map(|_| ()) } else { Ok(()) };
    match failure {
        Some(failure) => Err(failure),
        None => recorded.map_err(with_version_mismatch),
    }
}

/// Removes batches, each in a transaction of its own, until nothing is left or the time is over.
fn sweep(visit: &mut Visit, now: Timestamp) -> Result<(), String> {
    worker::report_running("removing expired sessions and attributes");
    let start = Instant::now();
    let (attributes, sessions) = (visit.attributes, visit.sessions);
    let Some(mut sweep) = in_extension(|db| Sweep::start(db, now))? else { return Ok(()) };
    while !sweep.is_over() && start.elapsed() < TIME_LIMIT {
        worker::reload_if_pending();
        let (share, most) = (settings::purge_share(), settings::purge_batch_size());
        let is_paced = share < 100 && !is_late(visit);
        let limit = if is_paced { most.min(PACED_ROWS) } else { most };
        let batch = Instant::now();
        if try_in_extension(|db| sweep.batch(db, limit))?.is_none() {
            return Ok(());
        }
        visit.attributes = attributes + sweep.attributes();
        visit.sessions = sessions + sweep.sessions();
        if is_paced && !sweep.is_over() {
            let left = TIME_LIMIT.saturating_sub(start.elapsed());
            pause_after(batch.elapsed(), share, left);
        }
    }
    visit.unfinished = !sweep.is_over();
    visit.rest_until = sweep.rest_until().map_or(0, |until| until.0);
    Ok(())
}

/// Sleeps so long that the time worked is the share of it all that is wanted, but not too long.
fn pause_after(worked: Duration, share: u32, longest: Duration) {
    let pause = (worked * (100 - share) / share).min(longest);
    worker::wait(Wait::PurgeDelay, Some(pause));
}

fn is_late(visit: &Visit) -> bool {
    let lasted =
        u64::try_from(clock::now().0 - visit.started_at).map_or(Duration::ZERO, Duration::from_micros);
    settings::purge_interval().is_some_and(|interval| lasted > interval.saturating_mul(PACED_INTERVALS))
}

/// Moves values of other keys to the primary one, likewise in batches, if that is due.
fn rekey(visit: &mut Visit, now: Timestamp) -> Result<(), String> {
    if visit.unfinished || !vault::is_configured() {
        return Ok(());
    }
    if let Some(interval) = vault::fetched_every() {
        visit.rest_until = visit.rest_until.min(now.plus_seconds(interval.as_secs() as i64).0);
    }
    let last = Timestamp(visit.rekeyed_at);
    let start = |db: &Db| {
        Ok(match &visit.rekeying {
            Some(RekeyCursor { tables, session, name }) => {
                let cursor = Cursor { session: *session, name: name.as_str().to_owned() };
                Some(Pass::resume(db, *tables, cursor))
            }
            None => rekey::is_due(db, last, now)?.then(|| Pass::start(db)),
        })
    };
    let Some(mut pass) = try_in_extension(start)?.flatten() else { return Ok(()) };
    worker::report_running("encrypting values anew under the primary key");
    let start = Instant::now();
    while !pass.is_over() && start.elapsed() < TIME_LIMIT {
        worker::reload_if_pending();
        let batch = |db: &Db| rekey::batch(db, &vault::sealer(db)?, &mut pass, rekey::BATCH_SIZE);
        if try_in_extension(batch)?.is_none() {
            return Ok(());
        }
    }
    visit.resealed += pass.resealed();
    visit.unfinished = !pass.is_over();
    visit.rekeying = pass.reached().map(|(tables, Cursor { session, name })| RekeyCursor {
        tables,
        session: *session,
        name: name.as_str().into(),
    });
    // At the end of every visit: the next one does not know which values this one could not open.
    pass.warn_of_unopened();
    if pass.is_over() && visit.resealed == 0 {
        try_in_extension(|db| rekey::mark_done(db, now))?;
        visit.rekeyed_at = now.0;
    } else {
        visit.rest_until = 0;
    }
    Ok(())
}

/// Runs `work` in a transaction of its own with the owner's rights. `None` if the database does not
/// have the extension.
fn in_extension<T: Send>(work: impl FnOnce(&Db) -> T) -> Result<Option<T>, String> {
    let work = || reserve::kept(|| Ok(as_owner(Access::Write, work)));
    let done = worker::in_transaction(|| worker::lock_extension().then(work))?;
    done.transpose().map_err(|error: Error| error.to_string())
}

/// As [`in_extension`], for work that can fail with an error of our own: its message is returned, as
/// that of an ERROR is.
fn try_in_extension<T: Send>(work: impl FnOnce(&Db) -> CoreResult<T>) -> Result<Option<T>, String> {
    in_extension(work)?.transpose().map_err(|error| match error.detail() {
        Some(detail) => format!("{error}: {detail}"),
        None => error.to_string(),
    })
}

/// Adds to a failure what most often causes it: an extension of another version than the library.
fn with_version_mismatch(failure: String) -> String {
    let library = env!("CARGO_PKG_VERSION");
    match in_extension(purge::installed_version) {
        Ok(Some(Some(version))) if version != library => format!(
            "{failure} (the extension is of version {version} here, the library of {library}: \
             run ALTER EXTENSION sso_attr UPDATE)"
        ),
        _ => failure,
    }
}
