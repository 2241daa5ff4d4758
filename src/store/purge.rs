//! What the purge removes, and its own record.
//!
//! These statements are the exception to "the session id as a bare parameter": they find rows by their
//! expiry. They never wait for a row that someone else has locked: they delete only what they have
//! locked, by ctid within one statement, or by the cascade of a session all of whose attributes they
//! have locked, which is a fifth cheaper.

use sso_attr_core::Result;
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use crate::pg::citus;
use crate::pg::spi::Db;
use crate::pg::sql::{Array, ArrayOf, Id, Int, Null, Text, Time};
use crate::pg::statement::statement;
use crate::pg::tables::Tables;
use crate::store::{cluster, session};

/// Where a sweep has come to in the indexes that it goes through, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub bin: Timestamp,
    pub session: Uuid,
}

impl Cursor {
    /// Before everything.
    pub const START: Cursor = Cursor { bin: Timestamp::BEFORE_ALL, session: Uuid::nil() };
}

/// A sweep as sso_attr_purge_status shows it.
pub struct Run<'a> {
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    /// Rows removed by the whole sweep.
    pub removed: u64,
    /// Those that no earlier record of the same sweep has counted.
    pub uncounted: u64,
    pub error: Option<&'a str>,
}

/// The record of the last run and of what is left to do.
#[derive(Default)]
pub struct Status {
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub removed: Option<i64>,
    pub removed_in_total: i64,
    pub error: Option<String>,
    pub oldest: Option<Timestamp>,
}

// "purge_bin < 'infinity'" follows from the comparison with a time, but the planner, which does not know
// the time, uses the partial index only if the condition is written down.

statement! {
    /// Many attributes of one session can stand at one cursor, so the search goes on from it, not after it.
    DELETE_ATTRIBUTES(Time, Time, Id, Int) -> (Time, Id) =
        "DELETE FROM sso_attr.attribute WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
              SELECT ctid FROM sso_attr.attribute
              WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity' AND purge_bin OPERATOR(pg_catalog.<=) $1
                AND ROW (purge_bin, session_id) OPERATOR(pg_catalog.>=) ROW ($2, $3)
                AND expires_at OPERATOR(pg_catalog.<=) $1
              ORDER BY purge_bin, session_id LIMIT $4 FOR UPDATE SKIP LOCKED))
          RETURNING purge_bin, session_id"
}
statement! {
    LOCK_EXPIRED(Time, Time, Id, Int) -> (Time, Id) =
        "SELECT purge_bin, id FROM sso_attr.session
          WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity' AND purge_bin OPERATOR(pg_catalog.<=) $1
            AND ROW (purge_bin, id) OPERATOR(pg_catalog.>) ROW ($2, $3)
            AND expires_at OPERATOR(pg_catalog.<=) $1
          ORDER BY purge_bin, id LIMIT $4 FOR UPDATE SKIP LOCKED"
}
statement! {
    LOCK_ATTRIBUTES(Array<Id>, Int) =
        "SELECT FROM sso_attr.attribute WHERE session_id OPERATOR(pg_catalog.=) ANY ($1)
          LIMIT $2 FOR UPDATE SKIP LOCKED"
}
statement! {
    COUNT_ATTRIBUTES(Array<Id>) -> (Int) =
        "SELECT pg_catalog.count(*) FROM sso_attr.attribute WHERE session_id OPERATOR(pg_catalog.=) ANY ($1)"
}
statement! {
    DELETE(Array<Id>) = "DELETE FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) ANY ($1)"
}
statement! {
    DELETE_ATTRIBUTES_OF(Array<Id>, Int) =
        "DELETE FROM sso_attr.attribute WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
              SELECT ctid FROM sso_attr.attribute WHERE session_id OPERATOR(pg_catalog.=) ANY ($1)
              LIMIT $2 FOR UPDATE SKIP LOCKED))"
}
statement! {
    /// OFFSET keeps the planner from turning the look-ups into a join, whatever the statistics say.
    EMPTY(Array<Id>, Int) -> (Id) =
        "SELECT id FROM pg_catalog.unnest($1) AS over (id)
          WHERE NOT EXISTS (SELECT FROM sso_attr.attribute AS a
                            WHERE a.session_id OPERATOR(pg_catalog.=) over.id OFFSET 0)
          LIMIT $2"
}
statement! {
    DELETE_ALIASES(Array<Id>) = "DELETE FROM sso_attr.session WHERE alias_of OPERATOR(pg_catalog.=) ANY ($1)"
}
statement! {
    ALIASES(Array<Id>) -> (Id) =
        "SELECT id FROM sso_attr.session WHERE alias_of OPERATOR(pg_catalog.=) ANY ($1)"
}
statement! {
    AGED(Id, Time, Time) =
        "SELECT FROM sso_attr.session
          WHERE id OPERATOR(pg_catalog.<) $1 AND created_at OPERATOR(pg_catalog.<=) $2
            AND expires_at OPERATOR(pg_catalog.>) $3
          LIMIT 1"
}
statement! {
    END_AGED(Id, Time, Time, Int, Time) =
        "WITH aged AS MATERIALIZED (
              SELECT id FROM sso_attr.session
              WHERE id OPERATOR(pg_catalog.<) $1 AND created_at OPERATOR(pg_catalog.<=) $2
                AND expires_at OPERATOR(pg_catalog.>) $3
              ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED)
          UPDATE sso_attr.session AS s SET expires_at = $3, purge_bin = $5 FROM aged
          WHERE s.id OPERATOR(pg_catalog.=) aged.id"
}
statement! {
    OUTLOOK() -> (Null<Time>) =
        "SELECT LEAST(
              (SELECT purge_bin FROM sso_attr.attribute
               WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity' ORDER BY purge_bin LIMIT 1),
              (SELECT purge_bin FROM sso_attr.session
               WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity' ORDER BY purge_bin LIMIT 1))"
}
statement! {
    VERSION() -> (Text) =
        "SELECT extversion FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'sso_attr'"
}
statement! {
    LAST_RUN() -> (Time, Time, Int, Null<Text>) =
        "SELECT started_at, ended_at, removed, error FROM sso_attr.purge_run
          ORDER BY ended_at DESC, id DESC LIMIT 1"
}
statement! {
    TOTAL() -> (Null<Int>) =
        "SELECT pg_catalog.sum(removed_in_total)::pg_catalog.int8 FROM sso_attr.purge_run"
}
statement! {
    RECORD(Time, Time, Int, Int, Null<Text>) =
        "WITH past AS MATERIALIZED (SELECT id FROM sso_attr.purge_run FOR UPDATE SKIP LOCKED),
          replaced AS (
              DELETE FROM sso_attr.purge_run AS r USING past
              WHERE r.id OPERATOR(pg_catalog.=) past.id RETURNING r.removed_in_total)
          INSERT INTO sso_attr.purge_run (started_at, ended_at, removed, removed_in_total, error)
          SELECT $1, $2, $3,
                 COALESCE(pg_catalog.sum(removed_in_total), 0)::pg_catalog.int8 OPERATOR(pg_catalog.+) $4, $5
          FROM replaced"
}
statement! {
    /// Within a bin the index has no order by expiry, so all rows of the oldest bin are read.
    OLDEST(Time) -> (Null<Time>) =
        "SELECT LEAST(
              (SELECT pg_catalog.min(expires_at) FROM sso_attr.attribute
               WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity' AND expires_at OPERATOR(pg_catalog.<=) $1
                 AND purge_bin OPERATOR(pg_catalog.=)
                     (SELECT pg_catalog.min(purge_bin) FROM sso_attr.attribute
                      WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity')),
              (SELECT pg_catalog.min(expires_at) FROM sso_attr.session
               WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity' AND expires_at OPERATOR(pg_catalog.<=) $1
                 AND purge_bin OPERATOR(pg_catalog.=)
                     (SELECT pg_catalog.min(purge_bin) FROM sso_attr.session
                      WHERE purge_bin OPERATOR(pg_catalog.<) 'infinity')))"
}

/// Deletes attributes that have expired by themselves, from a cursor on; returns how many, and the
/// last cursor among them.
pub fn delete_attributes(db: &Db, now: Timestamp, from: Cursor, limit: u64) -> (u64, Cursor) {
    let removed = db.all(&DELETE_ATTRIBUTES, (now, from.bin, &from.session, count(limit)), cursor);
    let last = removed.iter().max();
    (removed.len() as u64, *last.unwrap_or(&from))
}

/// Locks expired sessions, after a cursor. Nobody can insert attributes into them from now on.
pub fn lock_expired(db: &Db, now: Timestamp, after: Cursor, limit: u64) -> Vec<Cursor> {
    db.all(&LOCK_EXPIRED, (now, after.bin, &after.session, count(limit)), cursor)
}

fn cursor((bin, session): (Timestamp, Uuid)) -> Cursor {
    Cursor { bin, session }
}

/// Deletes sessions that are locked, with their attributes, and counts both: at most `limit` rows, and
/// no attribute that somebody else has locked, whose session stays then.
pub fn delete_sessions(db: &Db, sessions: &[Uuid], limit: u64) -> Result<(u64, u64)> {
    let locked = db.run(&LOCK_ATTRIBUTES, (ids(sessions)?, count(limit)));
    let is_all = |stored| stored == count(locked);
    if locked + sessions.len() as u64 <= limit
        && db.one(&COUNT_ATTRIBUTES, (ids(sessions)?,), |(stored,)| stored).is_some_and(is_all)
    {
        // The cascade meets no attribute that it would have to wait for.
        return Ok((locked, delete(db, sessions)?));
    }
    let attributes = db.run(&DELETE_ATTRIBUTES_OF, (ids(sessions)?, count(limit)));
    let empty = db.all(&EMPTY, (ids(sessions)?, count(limit - attributes)), |(id,)| id);
    Ok((attributes, delete(db, &empty)?))
}

fn delete(db: &Db, sessions: &[Uuid]) -> Result<u64> {
    let deleted = db.run(&DELETE, (ids(sessions)?,));
    if deleted > 0 {
        // They can be in other shards than their sessions.
        db.on(Tables::Whole, || delete_aliases(db, sessions))?;
    }
    Ok(deleted)
}

fn delete_aliases(db: &Db, sessions: &[Uuid]) -> Result<()> {
    if citus::is_loaded() {
        for alias in db.all(&ALIASES, (ids(sessions)?,), |(id,)| id) {
            session::delete_row(db, alias);
        }
    } else {
        db.run(&DELETE_ALIASES, (ids(sessions)?,));
    }
    Ok(())
}

/// Makes sessions that were created by `latest` expire now, and counts them. They are found by the time
/// in their id; `bound` is the first id that is too young.
pub fn end_aged(db: &Db, bound: Uuid, latest: Timestamp, now: Timestamp, limit: u64) -> u64 {
    // Hardly ever is there one, and to look costs a new process less than to prepare the change.
    if db.run(&AGED, (&bound, latest, now)) == 0 {
        return 0;
    }
    db.run(&END_AGED, (&bound, latest, now, count(limit), now.purge_bin()))
}

/// The time before which nothing that is stored now expires, to within ten minutes.
pub fn outlook(db: &Db) -> Timestamp {
    db.one(&OUTLOOK, (), |(earliest,)| earliest).flatten().unwrap_or(Timestamp::NEVER)
}

/// The version of the extension in this database, which can be older than the library.
pub fn installed_version(db: &Db) -> Option<String> {
    db.one(&VERSION, (), |(version,)| version.to_owned())
}

/// Records a run, unless it removed nothing and ended like the one before: idle sweeps write nothing.
pub fn record(db: &Db, run: &Run<'_>) {
    let last_error = db.one(&LAST_RUN, (), |(.., error)| error.map(str::to_owned)).flatten();
    if run.uncounted == 0 && last_error.as_deref() == run.error {
        return;
    }
    db.run(&RECORD, (run.started_at, run.ended_at, count(run.removed), count(run.uncounted), run.error));
}

/// The last run and what awaits the next one, on this node.
pub fn status(db: &Db, now: Timestamp) -> Status {
    let oldest = |tables| db.on(tables, || db.one(&OLDEST, (now,), |(oldest,)| oldest).flatten());
    let mut status = Status {
        removed_in_total: db.one(&TOTAL, (), |(total,)| total).flatten().unwrap_or(0),
        oldest: cluster::tables(db).into_iter().filter_map(oldest).min(),
        ..Status::default()
    };
    db.one(&LAST_RUN, (), |(started_at, ended_at, removed, error)| {
        status.started_at = Some(started_at);
        status.ended_at = Some(ended_at);
        status.removed = Some(removed);
        status.error = error.map(str::to_owned);
    });
    status
}

fn ids(sessions: &[Uuid]) -> Result<ArrayOf<Id>> {
    ArrayOf::new(sessions.iter())
}

fn count(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
