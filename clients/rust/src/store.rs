//! The statements, one for each call, and what a record is in them.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::Pool;
use serde_json::Value;
use time::{OffsetDateTime, PrimitiveDateTime};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Json, Type};
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error, Result};
use tower_sessions_core::{ExpiredDeletion, SessionStore};

pub(crate) type Data = HashMap<String, Value>;

const CREATE: &str = "WITH opened AS MATERIALIZED (
        SELECT sso_session_create(user_id => $1, current_app => $2, ust => $3, expires_at => $4) AS ust)
    SELECT sso_session_save(ust, changed => $5, encrypt => $6, expires_at => $4) FROM opened";
const SAVE: &str = "SELECT sso_session_save(
        $1, changed => $2, removed => $3, replace => $4, encrypt => $5, expires_at => $6)";
const LOAD: &str = "SELECT attributes, expires_at FROM sso_session_load($1)";
const DELETE: &str = "SELECT sso_session_end($1)";

/// Sessions in a database that has the extension sso_attr: each key of a session is an attribute.
///
/// By itself it serves whoever has nothing but a [`Record`], and a save replaces all of the session.
/// With [`SsoAttrLayer`](crate::SsoAttrLayer) around it, a save writes what the request has changed.
#[derive(Clone, Debug)]
pub struct SsoAttrStore {
    pool: Pool,
    app: Option<Arc<str>>,
    is_sealed: fn(&str) -> bool,
    user: fn(&Record) -> Option<&str>,
}

/// What a save writes.
pub(crate) struct Change<'a> {
    pub(crate) changed: HashMap<&'a str, &'a Value>,
    pub(crate) removed: Vec<&'a str>,
    /// Every other attribute goes.
    pub(crate) replace: bool,
}

impl SsoAttrStore {
    /// The role of the pool's connections needs `sso_attr_grant(role, 'app')`.
    pub fn new(pool: Pool) -> Self {
        Self { pool, app: None, is_sealed: |_| false, user: |_| None }
    }

    /// The application's name, shown where sessions are listed.
    #[must_use]
    pub fn with_app(self, name: &str) -> Self {
        Self { app: Some(name.into()), ..self }
    }

    /// Which keys are encrypted at rest, by name; `|_| true` for all. The server needs a keyring.
    #[must_use]
    pub fn with_encryption(self, is_sealed: fn(&str) -> bool) -> Self {
        Self { is_sealed, ..self }
    }

    /// Whose session a new one is, so that `sso_session_list` and `sso_session_end_all` find it. A
    /// session is created when it is first saved and again after `Session::cycle_id`, as at login.
    #[must_use]
    pub fn with_user(self, user: fn(&Record) -> Option<&str>) -> Self {
        Self { user, ..self }
    }

    pub(crate) async fn write(&self, record: &Record, change: Change<'_>) -> Result<()> {
        let sealed = self.sealed(change.changed.keys().copied());
        let client = self.pool.get().await.map_err(backend)?;
        let saved = client
            .execute_typed(
                SAVE,
                &[
                    (&record.id.to_string(), Type::TEXT),
                    (&Json(&change.changed), Type::JSONB),
                    (&change.removed, Type::TEXT_ARRAY),
                    (&change.replace, Type::BOOL),
                    (&sealed, Type::TEXT_ARRAY),
                    (&record.expiry_date, Type::TIMESTAMPTZ),
                ],
            )
            .await;
        match saved {
            // Nothing is lost: it asked for nothing that the end has not done.
            Err(error) if is_over(&error) && change.changed.is_empty() => Ok(()),
            Err(error) => Err(refused(&error)),
            Ok(_) => Ok(()),
        }
    }

    fn sealed<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        names.filter(|name| (self.is_sealed)(name)).collect()
    }
}

#[async_trait]
impl SessionStore for SsoAttrStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let client = self.pool.get().await.map_err(backend)?;
        loop {
            let ust = record.id.to_string();
            // The tokens that the server issues begin like this; it adopts none that do.
            if ust.starts_with("sso_") {
                record.id = Id::default();
                continue;
            }
            let created = client
                .execute_typed(
                    CREATE,
                    &[
                        (&(self.user)(record), Type::TEXT),
                        (&self.app.as_deref(), Type::TEXT),
                        (&ust, Type::TEXT),
                        (&record.expiry_date, Type::TIMESTAMPTZ),
                        (&Json(&record.data), Type::JSONB),
                        (&self.sealed(record.data.keys().map(String::as_str)), Type::TEXT_ARRAY),
                    ],
                )
                .await;
            match created {
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => record.id = Id::default(),
                // It was to end at a time that has passed, so there is nothing to keep.
                Err(error) if is_over(&error) => return Ok(()),
                Err(error) => return Err(refused(&error)),
                Ok(_) => return Ok(()),
            }
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let changed = record.data.iter().map(|(name, value)| (name.as_str(), value)).collect();
        self.write(record, Change { changed, removed: Vec::new(), replace: true }).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let client = self.pool.get().await.map_err(backend)?;
        let row = client.query_typed_opt(LOAD, &[(&id.to_string(), Type::TEXT)]).await;
        row.map_err(|error| refused(&error))?.map(|row| loaded(*id, &row)).transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let client = self.pool.get().await.map_err(backend)?;
        let ended = client.execute_typed(DELETE, &[(&id.to_string(), Type::TEXT)]).await;
        ended.map(drop).map_err(|error| refused(&error))
    }
}

/// The server removes what has expired by itself, and what has expired is never loaded before that.
#[async_trait]
impl ExpiredDeletion for SsoAttrStore {
    async fn delete_expired(&self) -> Result<()> {
        Ok(())
    }
}

fn loaded(id: Id, row: &Row) -> Result<Record> {
    let decode = |error: tokio_postgres::Error| Error::Decode(error.to_string());
    let Json(data) = row.try_get(0).map_err(decode)?;
    let expires_at: Option<OffsetDateTime> = row.try_get(1).map_err(decode)?;
    // A session that somebody else has created can be one that never ends.
    Ok(Record { id, data, expiry_date: expires_at.unwrap_or(PrimitiveDateTime::MAX.assume_utc()) })
}

fn is_over(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

/// Message and SQLSTATE only: in DETAIL and CONTEXT PostgreSQL quotes the JSON that it does not take.
fn refused(error: &tokio_postgres::Error) -> Error {
    backend(match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => error.to_string(),
    })
}

fn backend(error: impl ToString) -> Error {
    Error::Backend(error.to_string())
}
