//! What one request has loaded, so that a save writes what the request has changed.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::Result;

use crate::store::{Change, Data, SsoAttrStore};

/// The store of one request, made by [`SsoAttrLayer`](crate::SsoAttrLayer).
pub struct RequestStore {
    store: SsoAttrStore,
    /// What the server was last seen to have; none where that is not known.
    seen: Mutex<Option<Record>>,
}

impl RequestStore {
    pub(crate) fn new(store: SsoAttrStore) -> Self {
        Self { store, seen: Mutex::new(None) }
    }
}

/// Without the values.
impl fmt::Debug for RequestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestStore").field("store", &self.store).finish_non_exhaustive()
    }
}

fn between<'a>(before: &'a Data, after: &'a Data) -> Change<'a> {
    Change {
        changed: after
            .iter()
            .filter(|(name, value)| before.get(*name) != Some(*value))
            .map(|(name, value)| (name.as_str(), value))
            .collect::<HashMap<_, _>>(),
        removed: before.keys().filter(|name| !after.contains_key(*name)).map(String::as_str).collect(),
        replace: false,
    }
}

#[async_trait]
impl SessionStore for RequestStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let mut seen = self.seen.lock().await;
        *seen = None;
        self.store.create(record).await?;
        *seen = Some(record.clone());
        Ok(())
    }

    /// Where this one fails or is cancelled, nobody knows what it has written, and the next one replaces
    /// everything.
    async fn save(&self, record: &Record) -> Result<()> {
        let mut seen = self.seen.lock().await;
        match seen.take().filter(|seen| seen.id == record.id) {
            Some(before) => self.store.write(record, between(&before.data, &record.data)).await?,
            None => self.store.save(record).await?,
        }
        *seen = Some(record.clone());
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let mut seen = self.seen.lock().await;
        seen.clone_from(&self.store.load(id).await?);
        Ok(seen.clone())
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.store.delete(id).await
    }
}
