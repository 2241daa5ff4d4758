//! The table sso_attr.key_check, and the values that a key has sealed. These statements span
//! sessions by nature.

use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use crate::pg::param::{ArrayOf, Param};
use crate::pg::spi::{Db, statement};

statement! {
    CHECK_VALUES(INT8OID) =
        "SELECT check_value FROM sso_attr.key_check WHERE key_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    ALL_CHECK_VALUES() = "SELECT key_id, check_value FROM sso_attr.key_check ORDER BY key_id"
}
statement! {
    REGISTER(INT8OID, BYTEAOID, TIMESTAMPTZOID) =
        "INSERT INTO sso_attr.key_check (key_id, check_value, created_at) VALUES ($1, $2, $3)"
}
statement! {
    /// Bytes 3 to 6 of a sealed value are the key id, big-endian.
    USES() =
        "SELECT pg_catalog.substring(sealed, 3, 4), pg_catalog.count(*), pg_catalog.max(expires_at)
          FROM sso_attr.attribute WHERE sealed IS NOT NULL GROUP BY 1 ORDER BY 1"
}
statement! {
    PICK(BYTEAOID, UUIDOID, TEXTOID, INT8OID) =
        "SELECT session_id, name, sealed FROM sso_attr.attribute
          WHERE sealed IS NOT NULL
            AND pg_catalog.substring(sealed, 3, 4) OPERATOR(pg_catalog.<>) $1
            AND ROW(session_id, name) OPERATOR(pg_catalog.>) ROW($2, $3)
          ORDER BY session_id, name LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED"
}
statement! {
    RESEAL(UUIDARRAYOID, TEXTARRAYOID, BYTEAARRAYOID) =
        "UPDATE sso_attr.attribute AS a SET sealed = d.sealed
          FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))
              AS d(session_id, name, sealed)
          WHERE a.session_id OPERATOR(pg_catalog.=) d.session_id AND a.name OPERATOR(pg_catalog.=) d.name"
}
statement! {
    STALE(INT8OID, TIMESTAMPTZOID) =
        "SELECT FROM sso_attr.key_check
          WHERE key_id OPERATOR(pg_catalog.<>) $1
            AND (rekeyed_at IS NULL OR rekeyed_at OPERATOR(pg_catalog.<) $2) LIMIT 1"
}
statement! {
    MARK_REKEYED(INT8OID, TIMESTAMPTZOID) =
        "UPDATE sso_attr.key_check
          SET rekeyed_at = CASE WHEN key_id OPERATOR(pg_catalog.<>) $1 THEN $2 END"
}

/// The check values known for a key; none where it has written nothing, one where all is well.
pub fn check_values(db: &Db, key_id: u32) -> Vec<Vec<u8>> {
    db.all(&CHECK_VALUES, [Param::Int(key_id.into())], |row| row.bytes(1).map(<[u8]>::to_vec))
}

/// All check values, by key id.
pub fn all_check_values(db: &Db) -> Vec<(u32, Vec<u8>)> {
    db.all(&ALL_CHECK_VALUES, [], |row| Some((row.int(1)?.try_into().ok()?, row.bytes(2)?.to_vec())))
}

/// Remembers a key that is about to write data.
pub fn register(db: &Db, key_id: u32, check_value: &[u8], now: Timestamp) {
    db.run(&REGISTER, [Param::Int(key_id.into()), Param::Bytes(check_value), Param::Time(now)]);
}

/// What a key has sealed.
pub struct Use {
    pub key_id: u32,
    pub attributes: i64,
    pub last_expires_at: Timestamp,
}

/// The keys that stored values name, by a scan of the whole table.
pub fn uses(db: &Db) -> Vec<Use> {
    db.all(&USES, [], |row| {
        let key_id = u32::from_be_bytes(row.bytes(1)?.try_into().ok()?);
        Some(Use { key_id, attributes: row.int(2)?, last_expires_at: row.time(3)? })
    })
}

/// A sealed value and the row it is in.
pub struct SealedRow {
    pub session_id: Uuid,
    pub name: String,
    pub sealed: Vec<u8>,
}

/// Locks the next rows behind `after` that a key other than `primary` has sealed, in the order of
/// the primary key; rows that others have locked are left out.
pub fn pick(db: &Db, primary: u32, after: (Uuid, &str), limit: i64) -> Vec<SealedRow> {
    let id = primary.to_be_bytes();
    let params = [Param::Bytes(&id), Param::Uuid(&after.0), Param::Text(after.1), Param::Int(limit)];
    db.all(&PICK, params, |row| {
        Some(SealedRow {
            session_id: row.uuid(1)?,
            name: row.text(2)?.to_owned(),
            sealed: row.bytes(3)?.to_vec(),
        })
    })
}

/// Replaces the sealed values of rows that [`pick`] locked.
pub fn reseal(db: &Db, rows: &[SealedRow]) {
    let ids = Param::array(ArrayOf::Uuid, rows.iter().map(|row| Param::Uuid(&row.session_id)));
    let names = Param::array(ArrayOf::Text, rows.iter().map(|row| Param::Text(&row.name)));
    let sealed = Param::array(ArrayOf::Bytes, rows.iter().map(|row| Param::Bytes(&row.sealed)));
    db.run(&RESEAL, [ids, names, sealed]);
}

/// Whether a key other than `primary` has written data and no rekey since `horizon` found none.
pub fn is_rekey_due(db: &Db, primary: u32, horizon: Timestamp) -> bool {
    db.run(&STALE, [Param::Int(primary.into()), Param::Time(horizon)]) > 0
}

/// Remembers that a whole pass found no value of a key other than `primary`.
pub fn mark_rekeyed(db: &Db, primary: u32, now: Timestamp) {
    db.run(&MARK_REKEYED, [Param::Int(primary.into()), Param::Time(now)]);
}
