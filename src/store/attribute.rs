//! The table sso_attr.attribute, as one session sees it: one row at a time, and all of them.

use sso_attr_core::expiry::Timestamp;
use sso_attr_core::{Error, Result};
use uuid::Uuid;

use crate::pg::datum::Jsonb;
use crate::pg::envelope;
use crate::pg::spi::Db;
use crate::pg::sql::{Bool, Envelope, Id, Json, Name, NameText, Null, Text, Time};
use crate::pg::statement::statement;
use crate::pg::transaction;

/// The attributes of one session at one instant.
pub struct Attributes<'db> {
    pub(super) db: &'db Db,
    pub session: Uuid,
    pub now: Timestamp,
}

/// A value as a row holds it.
pub enum Value {
    Clear(Jsonb),
    Sealed(envelope::Envelope),
}

impl Value {
    /// The columns `value` and `sealed`, of which a row has exactly one.
    pub(super) fn columns(&self) -> (Option<Jsonb>, Option<&envelope::Envelope>) {
        match self {
            Value::Clear(json) => (Some(*json), None),
            Value::Sealed(envelope) => (None, Some(envelope)),
        }
    }

    pub(super) fn from_columns(columns: (Option<Jsonb>, Option<envelope::Envelope>)) -> Result<Value> {
        match columns {
            (Some(json), None) => Ok(Value::Clear(json)),
            (None, Some(envelope)) => Ok(Value::Sealed(envelope)),
            _ => Err(NOT_ONE_VALUE),
        }
    }

    pub fn is_sealed(&self) -> bool {
        matches!(self, Value::Sealed(_))
    }
}

const NOT_ONE_VALUE: Error = Error::RowCorrupted("an attribute must have either a value or a sealed value");

/// Which rows take a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Every row, sealed or clear.
    Any,
    /// Only one that is sealed, or clear, as the value is.
    Alike,
}

/// A row as sso_attr_list shows it.
pub struct Listed {
    pub name: NameText,
    pub value: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub expires_at: Timestamp,
}

// An update without a new end leaves the column out rather than setting it to itself: the generated
// column is then not computed. Each names only what it has to, since every term of a statement is
// set up anew for every call.

statement! {
    UPDATE_CLEAR(Id, Text, Time, Json, Bool) =
        "UPDATE sso_attr.attribute AS a SET value = $4, sealed = NULL, updated_at = $3
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3 AND ((a.value IS NOT NULL AND a.sealed IS NULL) OR $5)"
}
statement! {
    UPDATE_CLEAR_AND_EXPIRY(Id, Text, Time, Json, Bool, Time) =
        "UPDATE sso_attr.attribute AS a SET value = $4, sealed = NULL, updated_at = $3, expires_at = $6
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3 AND ((a.value IS NOT NULL AND a.sealed IS NULL) OR $5)"
}
statement! {
    UPDATE_SEALED(Id, Text, Time, Envelope, Bool) =
        "UPDATE sso_attr.attribute AS a SET value = NULL, sealed = $4, updated_at = $3
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3 AND ((a.sealed IS NOT NULL AND a.value IS NULL) OR $5)"
}
statement! {
    UPDATE_SEALED_AND_EXPIRY(Id, Text, Time, Envelope, Bool, Time) =
        "UPDATE sso_attr.attribute AS a SET value = NULL, sealed = $4, updated_at = $3, expires_at = $6
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3 AND ((a.sealed IS NOT NULL AND a.value IS NULL) OR $5)"
}
statement! {
    CREATE(Id, Text, Null<Json>, Null<Envelope>, Null<Time>, Time) =
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
    SET(Id, Text, Null<Json>, Null<Envelope>, Null<Time>, Time, Bool) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, created_at, updated_at)
          VALUES ($1, $2, $3, $4, COALESCE($5, 'infinity'), $6, $6)
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = $3, sealed = $4, updated_at = $6,
              created_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $6 THEN $6 ELSE a.created_at END,
              expires_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $6 THEN EXCLUDED.expires_at
                                ELSE COALESCE($5, a.expires_at) END
          WHERE $7 OR a.expires_at OPERATOR(pg_catalog.<=) $6
             OR ((a.value IS NULL) OPERATOR(pg_catalog.=) ($3 IS NULL)
                 AND (a.sealed IS NULL) OPERATOR(pg_catalog.=) ($4 IS NULL))"
}
statement! {
    SET_EXPIRY(Id, Text, Time, Time) =
        "UPDATE sso_attr.attribute AS a SET expires_at = $3, updated_at = $4
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $4"
}
statement! {
    GET(Id, Text, Time) -> (Null<Json>, Null<Envelope>) =
        "SELECT a.value, a.sealed FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    FIND(Id, Text, Time) -> (Bool, Bool) =
        "SELECT a.value IS NOT NULL, a.sealed IS NOT NULL FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    TAKE(Id, Text, Time) -> (Null<Json>, Null<Envelope>) =
        "DELETE FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3
          RETURNING a.value, a.sealed"
}
statement! {
    DELETE(Id, Text, Time) =
        "DELETE FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    NAMES(Id, Time) -> (Name) =
        "SELECT a.name FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.expires_at OPERATOR(pg_catalog.>) $2
          ORDER BY a.name"
}
statement! {
    LIST(Id, Time) -> (Name, Null<Json>, Null<Envelope>, Time, Time, Time) =
        "SELECT a.name, a.value, a.sealed, a.created_at, a.updated_at, a.expires_at
          FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.expires_at OPERATOR(pg_catalog.>) $2
          ORDER BY a.name"
}
statement! {
    COUNT_SEEN(Id, Text) =
        "SELECT FROM sso_attr.attribute
          WHERE session_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
}

impl<'db> Attributes<'db> {
    pub fn new(db: &'db Db, session: Uuid, now: Timestamp) -> Self {
        Attributes { db, session, now }
    }

    /// The connection, for what has to be asked beside the attributes.
    pub fn db(&self) -> &'db Db {
        self.db
    }

    /// Creates an attribute, over an expired one too; false where a live one is.
    pub fn create(&self, name: &str, value: &Value, expires_at: Option<Timestamp>) -> Result<bool> {
        let (clear, sealed) = value.columns();
        let created = self.db.run(&CREATE, (&self.session, name, clear, sealed, expires_at, self.now)) == 1;
        self.refuse_two(name)?;
        Ok(created)
    }

    /// Replaces a live attribute; false where there is none that takes the value.
    pub fn update(&self, name: &str, value: &Value, over: Over, expires_at: Option<Timestamp>) -> bool {
        let (id, now, any) = (&self.session, self.now, over == Over::Any);
        let updated = match (value, expires_at) {
            (Value::Clear(json), None) => self.db.run(&UPDATE_CLEAR, (id, name, now, *json, any)),
            (Value::Clear(json), Some(expires_at)) => {
                self.db.run(&UPDATE_CLEAR_AND_EXPIRY, (id, name, now, *json, any, expires_at))
            }
            (Value::Sealed(envelope), None) => self.db.run(&UPDATE_SEALED, (id, name, now, envelope, any)),
            (Value::Sealed(envelope), Some(expires_at)) => {
                self.db.run(&UPDATE_SEALED_AND_EXPIRY, (id, name, now, envelope, any, expires_at))
            }
        };
        updated == 1
    }

    /// Creates or replaces; false where there is one that does not take the value, which is then
    /// locked.
    pub fn set(&self, name: &str, value: &Value, over: Over, expires_at: Option<Timestamp>) -> Result<bool> {
        let (clear, sealed) = value.columns();
        let params = (&self.session, name, clear, sealed, expires_at, self.now, over == Over::Any);
        let set = self.db.run(&SET, params) == 1;
        self.refuse_two(name)?;
        Ok(set)
    }

    /// Where one snapshot serves the whole transaction, an attribute that others have deleted since
    /// is still seen in it, beside the one that was inserted now: better to fail than to show both.
    fn refuse_two(&self, name: &str) -> Result<()> {
        if transaction::has_one_snapshot() && self.db.run(&COUNT_SEEN, (&self.session, name)) > 1 {
            return Err(Error::DeletedMeanwhile);
        }
        Ok(())
    }

    /// Has a live attribute expire at another time; false where there is none.
    pub fn set_expiry(&self, name: &str, expires_at: Timestamp) -> bool {
        self.db.run(&SET_EXPIRY, (&self.session, name, expires_at, self.now)) == 1
    }

    /// A live attribute's value.
    pub fn get(&self, name: &str) -> Result<Option<Value>> {
        self.db.one(&GET, (&self.session, name, self.now), Value::from_columns).transpose()
    }

    /// Whether a live attribute, if there is one, is sealed.
    pub fn is_sealed(&self, name: &str) -> Result<Option<bool>> {
        self.db.one(&FIND, (&self.session, name, self.now), is_sealed).transpose()
    }

    /// Deletes a live attribute and gives its value: of concurrent calls one gets it.
    pub fn take(&self, name: &str) -> Result<Option<Value>> {
        self.db.one(&TAKE, (&self.session, name, self.now), Value::from_columns).transpose()
    }

    /// Deletes a live attribute; false where there is none.
    pub fn delete(&self, name: &str) -> bool {
        self.db.run(&DELETE, (&self.session, name, self.now)) == 1
    }

    /// The names of all live attributes, in byte order.
    pub fn names(&self) -> Vec<NameText> {
        self.db.all(&NAMES, (&self.session, self.now), |(name,)| name)
    }

    /// All live attributes, by name in byte order.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let rows = self.db.all(
            &LIST,
            (&self.session, self.now),
            |(name, clear, sealed, created_at, updated_at, expires_at)| {
                let value = Value::from_columns((clear, sealed))?;
                Ok(Listed { name, value, created_at, updated_at, expires_at })
            },
        );
        rows.into_iter().collect()
    }
}

/// What the columns `value` and `sealed` say, by whether each is there.
pub(super) fn is_sealed((has_value, is_sealed): (bool, bool)) -> Result<bool> {
    if has_value != is_sealed { Ok(is_sealed) } else { Err(NOT_ONE_VALUE) }
}
