//! The table sso_attr.attribute, as one session sees it: one row at a time, and all of them.

use sso_attr_core::expiry::Timestamp;
use sso_attr_core::{Error, Result};
use uuid::Uuid;

use crate::pg::datum::Jsonb;
use crate::pg::envelope;
use crate::pg::report::collected;
use crate::pg::spi::Db;
use crate::pg::sql::{Bool, Envelope, Id, Json, Name, Null, Text, Time};
use crate::pg::statement::statement;
use crate::pg::text::TextDatum;
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

/// What a verb that creates or replaces has done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Created,
    Replaced,
}

/// A row as sso_attr_list shows it.
pub struct Listed {
    pub name: TextDatum,
    pub value: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub expires_at: Timestamp,
}

// Each statement names only what it has to, since every term is set up anew for every call. Where
// expires_at is set, purge_bin is set with it.

statement! {
    UPDATE_CLEAR(Id, Text, Time, Json) =
        "UPDATE sso_attr.attribute AS a SET value = $4, updated_at = $3
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3 AND a.sealed IS NULL"
}
statement! {
    UPDATE_SEALED(Id, Text, Time, Envelope) =
        "UPDATE sso_attr.attribute AS a SET sealed = $4, updated_at = $3
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3 AND a.value IS NULL"
}
statement! {
    UPDATE_ANY(Id, Text, Time, Null<Json>, Null<Envelope>) =
        "UPDATE sso_attr.attribute AS a SET value = $4, sealed = $5, updated_at = $3
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    UPDATE_WITH_EXPIRY(Id, Text, Time, Null<Json>, Null<Envelope>, Time, Time, Bool) =
        "UPDATE sso_attr.attribute AS a
          SET value = $4, sealed = $5, updated_at = $3, expires_at = $6, purge_bin = $7
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3
            AND ($8 OR (a.sealed IS NULL) OPERATOR(pg_catalog.=) ($5 IS NULL))"
}
statement! {
    CREATE(Id, Text, Null<Json>, Null<Envelope>, Time, Time, Time) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, purge_bin, created_at, updated_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = $3, sealed = $4, expires_at = $5, purge_bin = $6, created_at = $7, updated_at = $7
          WHERE a.expires_at OPERATOR(pg_catalog.<=) $7"
}
statement! {
    /// A row that the last WHERE leaves out is locked all the same.
    SET(Id, Text, Null<Json>, Null<Envelope>, Null<Time>, Null<Time>, Time, Bool) -> (Time) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, purge_bin, created_at, updated_at)
          VALUES ($1, $2, $3, $4, COALESCE($5, 'infinity'), COALESCE($6, 'infinity'), $7, $7)
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = $3, sealed = $4, updated_at = $7,
              created_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $7 THEN $7 ELSE a.created_at END,
              expires_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $7 THEN EXCLUDED.expires_at
                                ELSE COALESCE($5, a.expires_at) END,
              purge_bin = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $7 THEN EXCLUDED.purge_bin
                               ELSE COALESCE($6, a.purge_bin) END
          WHERE $8 OR a.expires_at OPERATOR(pg_catalog.<=) $7
             OR (a.sealed IS NULL) OPERATOR(pg_catalog.=) ($4 IS NULL)
          RETURNING a.created_at"
}
statement! {
    SET_EXPIRY(Id, Text, Time, Time, Time) =
        "UPDATE sso_attr.attribute AS a SET expires_at = $3, purge_bin = $4, updated_at = $5
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $5"
}
statement! {
    LOCK(Id, Text, Time) -> (Null<Json>, Null<Envelope>) =
        "SELECT a.value, a.sealed FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) $2
            AND a.expires_at OPERATOR(pg_catalog.>) $3 FOR NO KEY UPDATE"
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
        let expires_at = expires_at.unwrap_or(Timestamp::NEVER);
        let params = (&self.session, name, clear, sealed, expires_at, expires_at.purge_bin(), self.now);
        let created = self.db.run(&CREATE, params) == 1;
        self.refuse_two(name)?;
        Ok(created)
    }

    /// Replaces a live attribute; false where there is none that takes the value.
    pub fn update(&self, name: &str, value: &Value, over: Over, expires_at: Option<Timestamp>) -> bool {
        let (id, now, any) = (&self.session, self.now, over == Over::Any);
        let updated = match (value, expires_at) {
            (Value::Clear(json), None) if !any => self.db.run(&UPDATE_CLEAR, (id, name, now, *json)),
            (Value::Sealed(envelope), None) if !any => self.db.run(&UPDATE_SEALED, (id, name, now, envelope)),
            (_, None) => {
                let (clear, sealed) = value.columns();
                self.db.run(&UPDATE_ANY, (id, name, now, clear, sealed))
            }
            (_, Some(at)) => {
                let (clear, sealed) = value.columns();
                let params = (id, name, now, clear, sealed, at, at.purge_bin(), any);
                self.db.run(&UPDATE_WITH_EXPIRY, params)
            }
        };
        updated == 1
    }

    /// Creates or replaces, and says which; `None` where there is one that does not take the value,
    /// which is then locked. Most are there, and to replace one by an UPDATE costs a third less than
    /// by an INSERT that meets it.
    pub fn set(
        &self,
        name: &str,
        value: &Value,
        over: Over,
        expires_at: Option<Timestamp>,
    ) -> Result<Option<Written>> {
        if self.update(name, value, over, expires_at) {
            return Ok(Some(Written::Replaced));
        }
        let (clear, sealed) = value.columns();
        let (bin, any) = (expires_at.map(Timestamp::purge_bin), over == Over::Any);
        let params = (&self.session, name, clear, sealed, expires_at, bin, self.now, any);
        let set = self.db.one(&SET, params, |(created_at,)| match created_at == self.now {
            true => Written::Created,
            false => Written::Replaced,
        });
        self.refuse_two(name)?;
        Ok(set)
    }

    /// A live attribute's value, locked against other writes.
    pub fn lock(&self, name: &str) -> Result<Option<Value>> {
        self.db.one(&LOCK, (&self.session, name, self.now), Value::from_columns).transpose()
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
        let params = (&self.session, name, expires_at, expires_at.purge_bin(), self.now);
        self.db.run(&SET_EXPIRY, params) == 1
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
    pub fn names(&self) -> Vec<TextDatum> {
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
        collected(rows.into_iter())
    }
}

/// What the columns `value` and `sealed` say by whether each is set.
pub(super) fn is_sealed((has_value, is_sealed): (bool, bool)) -> Result<bool> {
    if has_value != is_sealed { Ok(is_sealed) } else { Err(NOT_ONE_VALUE) }
}
