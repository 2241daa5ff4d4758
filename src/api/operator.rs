//! `sso_attr_purge` and `sso_attr_purge_status`, for those who run the server.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::Error;

use super::call::{changing, reading};
use crate::maintenance::purge::Sweep;
use crate::pg::datum::TimestampTz;
use crate::pg::report::Answer;
use crate::pg::spi::{Access, as_owner, batch_as_owner};
use crate::pg::{clock, transaction};
use crate::settings;
use crate::store::purge::{self, Run};

/// One sweep in the caller's transaction; returns the rows removed.
#[pg_extern]
fn sso_attr_purge(max_rows: default!(Option<i64>, "NULL")) -> Answer<i64> {
    changing("sso_attr_purge", |call| {
        let max_rows = match max_rows.map(u64::try_from) {
            None => u64::MAX,
            Some(Ok(rows)) => rows,
            Some(Err(_)) => return Err(Error::argument("max_rows must not be negative")),
        };
        transaction::refuse_read_only(c"sso_attr_purge()");
        let mut sweep = Sweep::start(clock::now());
        while !sweep.is_over() && sweep.removed() < max_rows {
            let limit = settings::purge_batch_size().min(max_rows - sweep.removed());
            // A connection for each batch: what it has read is freed with it.
            batch_as_owner(Access::Write, |db| sweep.batch(db, limit))?;
        }
        let removed = sweep.removed();
        let run = Run {
            started_at: sweep.started_at(),
            ended_at: clock::now(),
            removed,
            uncounted: removed,
            error: None,
        };
        as_owner(Access::Write, |db| purge::record(db, &run));
        call.audit(|line| line.count(removed));
        Ok(i64::try_from(removed).unwrap_or(i64::MAX))
    })
}

/// What the purge did last and what awaits it.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_attr_purge_status() -> Result<
    TableIterator<
        'static,
        (
            name!(last_start, Option<TimestampTz>),
            name!(last_end, Option<TimestampTz>),
            name!(last_removed, Option<i64>),
            name!(total_removed, i64),
            name!(oldest_expired, Option<TimestampTz>),
            name!(last_error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    reading("sso_attr_purge_status", |_| {
        let status = as_owner(Access::Read, |db| purge::status(db, clock::now()));
        Ok(TableIterator::once((
            status.started_at.map(TimestampTz::from),
            status.ended_at.map(TimestampTz::from),
            status.removed,
            status.removed_in_total,
            status.oldest.map(TimestampTz::from),
            status.error,
        )))
    })
}
