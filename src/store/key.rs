//! The table sso_attr.key_check, and the values that a key has sealed. These statements span
//! sessions by nature.

use sso_attr_core::Result;
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use crate::pg::envelope;
use crate::pg::spi::Db;
use crate::pg::sql::{Array, ArrayOf, Bytes, Envelope, Id, Int, Name, Text, Time};
use crate::pg::statement::statement;
use crate::pg::text::TextDatum;
use crate::pg::{citus, clock, transaction};

statement! {
    CHECKS(Int) -> (Bytes, Int) =
        "SELECT check_value, xmin::pg_catalog.text::pg_catalog.int8 FROM sso_attr.key_check
          WHERE key_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    /// On another node a row has another xmin.
    CHECKS_IN_CLUSTER(Int) -> (Bytes, Time) =
        "SELECT check_value, created_at FROM sso_attr.key_check WHERE key_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    ALL_CHECK_VALUES() -> (Int, Bytes) = "SELECT key_id, check_value FROM sso_attr.key_check ORDER BY key_id"
}
statement! {
    REGISTER(Int, Bytes, Time) =
        "INSERT INTO sso_attr.key_check (key_id, check_value, created_at) VALUES ($1, $2, $3)"
}
statement! {
    /// Bytes 3 to 6 of a sealed value are the key id, big-endian.
    #[by(Scan)]
    USES() -> (Bytes, Int, Time) =
        "SELECT pg_catalog.substring(sealed, 3, 4), pg_catalog.count(*), pg_catalog.max(expires_at)
          FROM sso_attr.attribute WHERE sealed IS NOT NULL GROUP BY 1 ORDER BY 1"
}
statement! {
    PICK(Bytes, Id, Text, Int) -> (Id, Name, Envelope) =
        "SELECT session_id, name, sealed FROM sso_attr.attribute
          WHERE sealed IS NOT NULL
            AND pg_catalog.substring(sealed, 3, 4) OPERATOR(pg_catalog.<>) $1
            AND ROW(session_id, name) OPERATOR(pg_catalog.>) ROW($2, $3)
          ORDER BY session_id, name LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED"
}
statement! {
    RESEAL(Array<Id>, Array<Text>, Array<Envelope>) =
        "UPDATE sso_attr.attribute AS a SET sealed = d.sealed
          FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))
              AS d(session_id, name, sealed)
          WHERE a.session_id OPERATOR(pg_catalog.=) d.session_id AND a.name OPERATOR(pg_catalog.=) d.name"
}
statement! {
    STALE(Int, Time) =
        "SELECT FROM sso_attr.key_check
          WHERE key_id OPERATOR(pg_catalog.<>) $1
            AND (rekeyed_at IS NULL OR rekeyed_at OPERATOR(pg_catalog.<) $2) LIMIT 1"
}
statement! {
    MARK_REKEYED(Int, Time) =
        "UPDATE sso_attr.key_check
          SET rekeyed_at = CASE WHEN key_id OPERATOR(pg_catalog.<>) $1 THEN $2 END"
}

/// A check value that is known for a key.
pub struct Check {
    pub value: Vec<u8>,
    /// Whether it is there for good: one that our own transaction has stored may still be rolled back, also
    /// to a savepoint; any other visible one is committed.
    pub is_committed: bool,
}

/// The check values known for a key: none if it has written nothing, one if all is well.
pub fn checks(db: &Db, key_id: u32) -> Vec<Check> {
    if citus::is_loaded() {
        let start = clock::transaction_start();
        return db.all(&CHECKS_IN_CLUSTER, (key_id.into(),), |(value, created_at)| Check {
            value: value.to_vec(),
            is_committed: created_at < start,
        });
    }
    db.all(&CHECKS, (key_id.into(),), |(value, transaction)| Check {
        value: value.to_vec(),
        is_committed: !transaction::is_own(transaction as u32),
    })
}

/// All check values, by key id.
pub fn all_check_values(db: &Db) -> Vec<(u32, Vec<u8>)> {
    db.all(&ALL_CHECK_VALUES, (), |(key_id, check_value)| (key_id as u32, check_value.to_vec()))
}

/// Stores the check value of a key that is about to write data.
pub fn register(db: &Db, key_id: u32, check_value: &[u8], now: Timestamp) {
    db.run(&REGISTER, (key_id.into(), check_value, now));
}

/// What a key has sealed.
pub struct Use {
    pub key_id: u32,
    pub attributes: i64,
    pub last_expires_at: Timestamp,
}

/// The keys of stored values, by a scan of the whole table.
pub fn uses(db: &Db) -> Vec<Use> {
    let uses = db.all(&USES, (), |(key_id, attributes, last_expires_at)| {
        let key_id = u32::from_be_bytes(key_id.try_into().ok()?);
        Some(Use { key_id, attributes, last_expires_at })
    });
    uses.into_iter().flatten().collect()
}

/// A sealed value and the row it is in.
pub struct SealedRow {
    pub session_id: Uuid,
    pub name: TextDatum,
    pub sealed: envelope::Envelope,
}

/// The attribute that a rekey pass has come to.
#[derive(Default)]
pub struct Cursor {
    pub session: Uuid,
    pub name: String,
}

/// Locks the next rows after a cursor that a key other than `primary` has sealed, in the order of the
/// table's primary key; rows that others have locked are skipped.
pub fn pick(db: &Db, primary: u32, after: &Cursor, limit: i64) -> Vec<SealedRow> {
    let id = primary.to_be_bytes();
    db.all(&PICK, (&id[..], &after.session, &*after.name, limit), |(session_id, name, sealed)| SealedRow {
        session_id,
        name,
        sealed,
    })
}

/// Replaces the sealed values of rows that [`pick`] locked.
pub fn reseal(db: &Db, rows: &[SealedRow]) -> Result<()> {
    let ids = ArrayOf::new(rows.iter().map(|row| &row.session_id))?;
    let names = ArrayOf::new(rows.iter().map(|row| &*row.name))?;
    let sealed = ArrayOf::new(rows.iter().map(|row| &row.sealed))?;
    db.run(&RESEAL, (ids, names, sealed));
    Ok(())
}

/// Whether a key other than `primary` has written data and no rekey since `horizon` found none.
pub fn is_rekey_due(db: &Db, primary: u32, horizon: Timestamp) -> bool {
    db.run(&STALE, (primary.into(), horizon)) > 0
}

/// Stores that a whole pass found no value of a key other than `primary`.
pub fn mark_rekeyed(db: &Db, primary: u32, now: Timestamp) {
    db.run(&MARK_REKEYED, (primary.into(), now));
}
