//! The table sso_attr.attribute, one row at a time.

use sso_attr_core::expiry::Timestamp;

use super::session::Live;
use crate::pg::datum::Jsonb;
use crate::pg::param::Param;
use crate::pg::row::Row;
use crate::pg::spi::{Db, statement};

/// A value in the form in which a row holds it.
pub enum Stored {
    Clear(Jsonb),
    Sealed(Vec<u8>),
}

impl Stored {
    /// For the one column that it is in.
    fn param(&self) -> Param<'_> {
        match self {
            Stored::Clear(json) => Param::Json(*json),
            Stored::Sealed(bytes) => Param::Bytes(bytes),
        }
    }

    /// For the columns `value` and `sealed`.
    pub(super) fn params(&self) -> (Param<'_>, Param<'_>) {
        match self {
            Stored::Clear(json) => (Param::Json(*json), Param::Null),
            Stored::Sealed(bytes) => (Param::Null, Param::Bytes(bytes)),
        }
    }
}

/// Which rows take a content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Every row, whatever form it holds now.
    Any,
    /// Only one that is in clear or sealed as the content is.
    SameForm,
}

/// A row as sso_attr_list shows it.
pub struct Listed {
    pub name: String,
    pub stored: Stored,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub expires_at: Timestamp,
}

/// An update with and without a new end. Where nobody moves the end it is left out rather than set
/// to itself: the generated column is then not computed. Each names only what it has to, since
/// every term of a statement is set up anew for every call.
macro_rules! updates {
    ($keeping:ident, $moving:ident, $content:ident: $set:literal $(, $where:literal)?) => {
        statement! {
            $keeping(UUIDOID, TEXTOID, TIMESTAMPTZOID, $content) = concat!(
                "UPDATE sso_attr.attribute AS a SET ", $set, ", updated_at = $3
                 WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
                   AND a.expires_at OPERATOR(pg_catalog.>) $3" $(, " AND ", $where)?)
        }
        statement! {
            $moving(UUIDOID, TEXTOID, TIMESTAMPTZOID, $content, TIMESTAMPTZOID) = concat!(
                "UPDATE sso_attr.attribute AS a SET ", $set, ", updated_at = $3, expires_at = $5
                 WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
                   AND a.expires_at OPERATOR(pg_catalog.>) $3" $(, " AND ", $where)?)
        }
    };
}

updates! { CLEAR, CLEAR_WITH_END, JSONBOID: "value = $4, sealed = NULL" }
updates! { CLEAR_OVER_CLEAR, CLEAR_OVER_CLEAR_WITH_END, JSONBOID: "value = $4", "a.sealed IS NULL" }
updates! { SEALED, SEALED_WITH_END, BYTEAOID: "value = NULL, sealed = $4" }
updates! { SEALED_OVER_SEALED, SEALED_OVER_SEALED_WITH_END, BYTEAOID: "sealed = $4", "a.value IS NULL" }

statement! {
    CREATE(UUIDOID, TEXTOID, JSONBOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, created_at, updated_at)
          VALUES ($1, $2, $3, $4, COALESCE($5, 'infinity'), $6, $6)
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = EXCLUDED.value, sealed = EXCLUDED.sealed, expires_at = EXCLUDED.expires_at,
              created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at
          WHERE a.expires_at OPERATOR(pg_catalog.<=) $6"
}
statement! {
    /// A row that the last WHERE leaves out is locked all the same.
    SET(UUIDOID, TEXTOID, JSONBOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, created_at, updated_at)
          VALUES ($1, $2, $3, $4, COALESCE($5, 'infinity'), $6, $6)
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = $3, sealed = $4, updated_at = $6,
              created_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $6 THEN $6 ELSE a.created_at END,
              expires_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $6 THEN EXCLUDED.expires_at
                                ELSE COALESCE($5, a.expires_at) END
          WHERE $7 OR a.expires_at OPERATOR(pg_catalog.<=) $6
             OR (a.sealed IS NULL) OPERATOR(pg_catalog.=) ($4 IS NULL)"
}
statement! {
    SET_EXPIRY(UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID) =
        "UPDATE sso_attr.attribute AS a SET expires_at = $3, updated_at = $4
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $4"
}
statement! {
    GET(UUIDOID, TEXTOID, TIMESTAMPTZOID) =
        "SELECT a.value, a.sealed FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    FIND(UUIDOID, TEXTOID, TIMESTAMPTZOID) =
        "SELECT a.sealed IS NOT NULL FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    TAKE(UUIDOID, TEXTOID, TIMESTAMPTZOID) =
        "DELETE FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3
          RETURNING a.value, a.sealed"
}
statement! {
    DELETE(UUIDOID, TEXTOID, TIMESTAMPTZOID) =
        "DELETE FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    NAMES(UUIDOID, TIMESTAMPTZOID) =
        "SELECT a.name FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.expires_at OPERATOR(pg_catalog.>) $2
          ORDER BY a.name"
}
statement! {
    LIST(UUIDOID, TIMESTAMPTZOID) =
        "SELECT a.name, a.value, a.sealed, a.created_at, a.updated_at, a.expires_at
          FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.expires_at OPERATOR(pg_catalog.>) $2
          ORDER BY a.name"
}

/// Replaces a live attribute; false where there is none that takes the content.
pub fn update(
    db: &Db,
    session: &Live,
    name: &str,
    (content, over): (&Stored, Over),
    end: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let (keeping, moving) = match (content, over) {
        (Stored::Clear(_), Over::Any) => (&CLEAR, &CLEAR_WITH_END),
        (Stored::Clear(_), Over::SameForm) => (&CLEAR_OVER_CLEAR, &CLEAR_OVER_CLEAR_WITH_END),
        (Stored::Sealed(_), Over::Any) => (&SEALED, &SEALED_WITH_END),
        (Stored::Sealed(_), Over::SameForm) => (&SEALED_OVER_SEALED, &SEALED_OVER_SEALED_WITH_END),
    };
    let [id, name, now] = sought(session, name, now);
    let updated = match end {
        None => db.run(keeping, [id, name, now, content.param()]),
        Some(end) => db.run(moving, [id, name, now, content.param(), Param::Time(end)]),
    };
    updated == 1
}

/// Creates an attribute, over an expired one too; false where a live one is.
pub fn create(
    db: &Db,
    session: &Live,
    name: &str,
    content: &Stored,
    end: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let (value, sealed) = content.params();
    let end = end.map_or(Param::Null, Param::Time);
    let [id, name, now] = sought(session, name, now);
    db.run(&CREATE, [id, name, value, sealed, end, now]) == 1
}

/// Creates or replaces; false where there is one that does not take the content, which is then locked.
pub fn set(
    db: &Db,
    session: &Live,
    name: &str,
    (content, over): (&Stored, Over),
    end: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let (value, sealed) = content.params();
    let over = Param::Bool(over == Over::Any);
    let end = end.map_or(Param::Null, Param::Time);
    let [id, name, now] = sought(session, name, now);
    db.run(&SET, [id, name, value, sealed, end, now, over]) == 1
}

/// Moves the end of a live attribute; false where there is none.
pub fn set_expiry(db: &Db, session: &Live, name: &str, end: Timestamp, now: Timestamp) -> bool {
    let [id, name, now] = sought(session, name, now);
    db.run(&SET_EXPIRY, [id, name, Param::Time(end), now]) == 1
}

/// A live attribute's value.
pub fn get(db: &Db, session: &Live, name: &str, now: Timestamp) -> Option<Stored> {
    db.one(&GET, sought(session, name, now), |row| stored(row, 1))
}

/// Whether a live attribute is there.
pub fn exists(db: &Db, session: &Live, name: &str, now: Timestamp) -> bool {
    is_sealed(db, session, name, now).is_some()
}

/// Whether a live attribute, if there is one, is sealed.
pub fn is_sealed(db: &Db, session: &Live, name: &str, now: Timestamp) -> Option<bool> {
    db.one(&FIND, sought(session, name, now), |row| Some(row.is_true(1)))
}

/// Deletes a live attribute and gives its value: of concurrent calls one gets it.
pub fn take(db: &Db, session: &Live, name: &str, now: Timestamp) -> Option<Stored> {
    db.one(&TAKE, sought(session, name, now), |row| stored(row, 1))
}

/// Deletes a live attribute; false where there is none.
pub fn delete(db: &Db, session: &Live, name: &str, now: Timestamp) -> bool {
    db.run(&DELETE, sought(session, name, now)) == 1
}

fn sought<'a>(session: &'a Live, name: &'a str, now: Timestamp) -> [Param<'a>; 3] {
    [Param::Uuid(&session.id), Param::Text(name), Param::Time(now)]
}

/// The names of all live attributes, in byte order.
pub fn names(db: &Db, session: &Live, now: Timestamp) -> Vec<String> {
    db.all(&NAMES, [Param::Uuid(&session.id), Param::Time(now)], name)
}

/// The name in the first column.
pub(super) fn name(row: &Row<'_>) -> Option<String> {
    row.text(1).map(str::to_owned)
}

/// All live attributes, by name in byte order.
pub fn list(db: &Db, session: &Live, now: Timestamp) -> Vec<Listed> {
    db.all(&LIST, [Param::Uuid(&session.id), Param::Time(now)], |row| {
        Some(Listed {
            name: name(row)?,
            stored: stored(row, 2)?,
            created_at: row.time(4)?,
            updated_at: row.time(5)?,
            expires_at: row.time(6)?,
        })
    })
}

/// The columns `value` and `sealed`, of which a CHECK keeps exactly one.
pub(super) fn stored(row: &Row<'_>, value: i16) -> Option<Stored> {
    match row.json(value) {
        Some(json) => Some(Stored::Clear(json)),
        None => row.bytes(value + 1).map(|bytes| Stored::Sealed(bytes.to_vec())),
    }
}
