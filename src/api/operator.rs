//! `sso_attr_purge` and `sso_attr_purge_status`, for those who run the server.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::Result;

use super::call::{changing, reading};
use super::cluster::{everything_or, on_every_node};
use crate::maintenance::purge::Sweep;
use crate::pg::datum::TimestampTz;
use crate::pg::report::Answer;
use crate::pg::spi::{Access, as_owner, batch_as_owner};
use crate::pg::{clock, transaction};
use crate::settings;
use crate::store::purge::{self, Run};

/// One sweep in the caller's transaction, after one on each other node of a cluster; returns the rows removed.
#[pg_extern]
fn sso_attr_purge(max_rows: default!(Option<i64>, "NULL")) -> Answer<i64> {
    changing("sso_attr_purge", |call| {
        let most = everything_or("max_rows", max_rows)?;
        transaction::refuse_read_only(c"sso_attr_purge()");
        let removed = on_every_node("purge_node", most, sweep)?;
        call.audit(|line| line.count(removed.unsigned_abs()));
        Ok(removed)
    })
}

/// What sso_attr_purge does on this node alone. sql/distribute.sql creates the function.
#[pg_extern(sql = false)]
fn purge_node(max_rows: i64) -> Answer<i64> {
    changing("sso_attr_purge", |call| {
        let removed = sweep(max_rows)?;
        call.audit(|line| line.count(removed.unsigned_abs()));
        Ok(removed)
    })
}

fn sweep(most: i64) -> Result<i64> {
    let mut sweep = as_owner(Access::Write, |db| Sweep::start(db, clock::now()));
    let most = most.unsigned_abs();
    while !sweep.is_over() && sweep.removed() < most {
        let limit = settings::purge_batch_size().min(most - sweep.removed());
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
    Ok(i64::try_from(removed).unwrap_or(i64::MAX))
}

/// What the purge did last and what awaits it.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_attr_purge_status() -> std::result::Result<
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
