//! The table sso_attr.attribute, many rows of one session in one step.

use sso_attr_core::expiry::Timestamp;

use super::attribute::{Stored, name, stored};
use super::session::Live;
use crate::pg::param::{ArrayOf, Param, Tid};
use crate::pg::spi::{Db, statement};

/// One row to write, its protection decided.
pub struct Entry<'a> {
    pub name: &'a str,
    pub content: Stored,
    /// `None` keeps the end of a row that is there.
    pub end: Option<Timestamp>,
}

/// A live attribute found under its name.
pub struct Found {
    pub name: String,
    pub sealed: bool,
}

/// A live attribute that is locked until the transaction is over, and where: nobody moves it, so
/// the statement that follows goes there without a second look into the index, which saves 11,000
/// instructions of 70,000 for each.
pub struct Locked {
    pub sealed: bool,
    tid: Tid,
}

statement! {
    /// Locks in name order; what concurrent calls deleted meanwhile does not come back.
    LOCK(UUIDOID, TEXTARRAYOID, TIMESTAMPTZOID) =
        "SELECT a.ctid, a.sealed IS NOT NULL, a.name FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) ANY ($2)
            AND a.expires_at OPERATOR(pg_catalog.>) $3
          ORDER BY a.name FOR NO KEY UPDATE"
}
statement! {
    LOCK_FOR_DELETE(UUIDOID, TEXTARRAYOID, TIMESTAMPTZOID) =
        "SELECT a.ctid FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) ANY ($2)
            AND a.expires_at OPERATOR(pg_catalog.>) $3
          ORDER BY a.name FOR UPDATE"
}
statement! {
    FIND(UUIDOID, TEXTARRAYOID, TIMESTAMPTZOID) =
        "SELECT a.name, a.sealed IS NOT NULL FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) ANY ($2)
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    /// For what a batch mostly is: nothing sealed, no end moved.
    UPDATE_CLEAR(UUIDOID, TIDARRAYOID, TIMESTAMPTZOID, JSONBARRAYOID) =
        "UPDATE sso_attr.attribute AS a SET value = d.value, sealed = NULL, updated_at = $3
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($4)) AS d(tid, value)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.ctid OPERATOR(pg_catalog.=) d.tid"
}
statement! {
    UPDATE(UUIDOID, TIDARRAYOID, TIMESTAMPTZOID, JSONBARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID) =
        "UPDATE sso_attr.attribute AS a
          SET value = d.value, sealed = d.sealed, updated_at = $3,
              expires_at = COALESCE(d.expires_at, a.expires_at)
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($4), pg_catalog.unnest($5),
                          pg_catalog.unnest($6)) AS d(tid, value, sealed, expires_at)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.ctid OPERATOR(pg_catalog.=) d.tid"
}
statement! {
    CREATE(UUIDOID, TEXTARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZOID) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, created_at, updated_at)
          SELECT $1, d.name, d.value, d.sealed, COALESCE(d.expires_at, 'infinity'), $6, $6
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),
                          pg_catalog.unnest($5)) AS d(name, value, sealed, expires_at)
          ORDER BY d.name COLLATE pg_catalog.\"C\"
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = EXCLUDED.value, sealed = EXCLUDED.sealed, expires_at = EXCLUDED.expires_at,
              created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at
          WHERE a.expires_at OPERATOR(pg_catalog.<=) $6
          RETURNING a.name"
}
statement! {
    /// DO UPDATE sees only the row and EXCLUDED, where `infinity` may mean never or unchanged, and
    /// a protection may be wanted or merely guessed: $7 names the items whose protection was asked
    /// for, $8 those that shall never expire. Rows that the last WHERE leaves out are locked.
    SET(UUIDOID, TEXTARRAYOID, JSONBARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZOID,
        TEXTARRAYOID, TEXTARRAYOID) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, created_at, updated_at)
          SELECT $1, d.name, d.value, d.sealed, COALESCE(d.expires_at, 'infinity'), $6, $6
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),
                          pg_catalog.unnest($5)) AS d(name, value, sealed, expires_at)
          ORDER BY d.name COLLATE pg_catalog.\"C\"
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = EXCLUDED.value, sealed = EXCLUDED.sealed, updated_at = EXCLUDED.updated_at,
              created_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $6 THEN $6 ELSE a.created_at END,
              expires_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $6
                                     OR EXCLUDED.expires_at OPERATOR(pg_catalog.<) 'infinity'
                                     OR a.name OPERATOR(pg_catalog.=) ANY ($8)
                                THEN EXCLUDED.expires_at ELSE a.expires_at END
          WHERE a.expires_at OPERATOR(pg_catalog.<=) $6
             OR (a.sealed IS NULL) OPERATOR(pg_catalog.=) (EXCLUDED.sealed IS NULL)
             OR a.name OPERATOR(pg_catalog.=) ANY ($7)
          RETURNING a.name"
}
statement! {
    SET_EXPIRY(UUIDOID, TIDARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZOID) =
        "UPDATE sso_attr.attribute AS a SET expires_at = d.expires_at, updated_at = $4
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS d(tid, expires_at)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.ctid OPERATOR(pg_catalog.=) d.tid"
}
statement! {
    DELETE(UUIDOID, TIDARRAYOID) =
        "DELETE FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.ctid OPERATOR(pg_catalog.=) ANY ($2)"
}
statement! {
    GET(UUIDOID, TEXTARRAYOID, TIMESTAMPTZOID) =
        "SELECT a.name, a.value, a.sealed FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) ANY ($2)
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}

/// Locks the live attributes of these names, which are in byte order, and returns them in the same;
/// or, where any is not there, the names of those that are not.
pub fn lock(db: &Db, session: &Live, names: &[&str], now: Timestamp) -> Result<Vec<Locked>, Vec<String>> {
    let mut sought = names.iter();
    let mut missing = Vec::new();
    let locked = db.all(&LOCK, among(session, names, now), |row| {
        let found = row.text(3)?;
        missing.extend(sought.by_ref().take_while(|name| **name != found));
        Some(Locked { sealed: row.is_true(2), tid: row.tid(1)? })
    });
    missing.extend(sought);
    if missing.is_empty() { Ok(locked) } else { Err(missing.into_iter().map(str::to_owned).collect()) }
}

/// The live attributes among `names`, without a lock.
pub fn find(db: &Db, session: &Live, names: &[&str], now: Timestamp) -> Vec<Found> {
    db.all(&FIND, among(session, names, now), |row| {
        Some(Found { name: row.text(1)?.to_owned(), sealed: row.is_true(2) })
    })
}

/// Replaces attributes that [`lock`] found, each by the entry at the same place, and counts them.
pub fn update(db: &Db, session: &Live, locked: &[Locked], entries: &[Entry<'_>], now: Timestamp) -> u64 {
    let (id, tids, now) = (Param::Uuid(&session.id), tids(locked), Param::Time(now));
    let [values, sealed] = contents(entries);
    if entries.iter().all(|entry| entry.end.is_none() && matches!(entry.content, Stored::Clear(_))) {
        db.run(&UPDATE_CLEAR, [id, tids, now, values])
    } else {
        db.run(&UPDATE, [id, tids, now, values, sealed, ends(entries)])
    }
}

/// Creates attributes, over expired ones too; returns the names created, the others being there.
pub fn create(db: &Db, session: &Live, entries: &[Entry<'_>], now: Timestamp) -> Vec<String> {
    db.all(&CREATE, written(session, entries, now), name)
}

/// Creates or replaces; returns the names done. One is left out where the row's protection is not
/// the entry's and `protected` does not name it; that row is locked then.
pub fn set(
    db: &Db,
    session: &Live,
    entries: &[Entry<'_>],
    protected: &[&str],
    now: Timestamp,
) -> Vec<String> {
    let never: Vec<&str> =
        entries.iter().filter(|entry| entry.end == Some(Timestamp::NEVER)).map(|entry| entry.name).collect();
    let [id, names, values, sealed, ends, now] = written(session, entries, now);
    db.all(&SET, [id, names, values, sealed, ends, now, texts(protected), texts(&never)], name)
}

/// Moves the ends of attributes that [`lock`] found, each to the one at the same place, and counts them.
pub fn set_expiry(db: &Db, session: &Live, locked: &[Locked], ends: &[Timestamp], now: Timestamp) -> u64 {
    let times = Param::array(ArrayOf::Time, ends.iter().map(|end| Param::Time(*end)));
    db.run(&SET_EXPIRY, [Param::Uuid(&session.id), tids(locked), times, Param::Time(now)])
}

/// Deletes the live attributes among `names` and counts them.
pub fn delete(db: &Db, session: &Live, names: &[&str], now: Timestamp) -> u64 {
    let tids = db.all(&LOCK_FOR_DELETE, among(session, names, now), |row| row.tid(1));
    let tids = Param::array(ArrayOf::Tid, tids.iter().map(Param::Tid));
    db.run(&DELETE, [Param::Uuid(&session.id), tids])
}

/// The values of the live attributes among `names`.
pub fn get(db: &Db, session: &Live, names: &[&str], now: Timestamp) -> Vec<(String, Stored)> {
    db.all(&GET, among(session, names, now), |row| Some((row.text(1)?.to_owned(), stored(row, 2)?)))
}

fn among<'a>(session: &'a Live, names: &[&str], now: Timestamp) -> [Param<'a>; 3] {
    [Param::Uuid(&session.id), texts(names), Param::Time(now)]
}

fn texts(names: &[&str]) -> Param<'static> {
    Param::array(ArrayOf::Text, names.iter().map(|name| Param::Text(name)))
}

fn tids(locked: &[Locked]) -> Param<'static> {
    Param::array(ArrayOf::Tid, locked.iter().map(|row| Param::Tid(&row.tid)))
}

fn written<'a>(session: &'a Live, entries: &[Entry<'_>], now: Timestamp) -> [Param<'a>; 6] {
    let names = Param::array(ArrayOf::Text, entries.iter().map(|entry| Param::Text(entry.name)));
    let [values, sealed] = contents(entries);
    [Param::Uuid(&session.id), names, values, sealed, ends(entries), Param::Time(now)]
}

fn contents(entries: &[Entry<'_>]) -> [Param<'static>; 2] {
    let columns = entries.iter().map(|entry| entry.content.params());
    [
        Param::array(ArrayOf::Json, columns.clone().map(|(value, _)| value)),
        Param::array(ArrayOf::Bytes, columns.map(|(_, sealed)| sealed)),
    ]
}

fn ends(entries: &[Entry<'_>]) -> Param<'static> {
    Param::array(ArrayOf::Time, entries.iter().map(|entry| entry.end.map_or(Param::Null, Param::Time)))
}
