//! Moving sealed values to the primary key, batch by batch.
//!
//! A batch locks its rows, skipping those that others have locked, so that a concurrent update is
//! neither lost nor delayed by more than one batch. What was skipped is found by the next pass.

use std::collections::BTreeMap;

use sso_attr_core::Result;
use sso_attr_core::envelope::{self, Place};
use uuid::Uuid;

use crate::pg::spi::Db;
use crate::store::key::{self, SealedRow};
use crate::vault;

/// Rows locked at a time: some milliseconds of work.
pub const BATCH: i64 = 1000;

/// How far a pass over the table has come, and what it could not open.
#[derive(Default)]
pub struct Cursor {
    after: (Uuid, String),
    at_end: bool,
    unopened: BTreeMap<u32, u64>,
}

impl Cursor {
    pub fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Tells of values that stayed under their key because it is missing or wrong, or they are broken.
    pub fn warn_of_unopened(&self) {
        for (key_id, count) in &self.unopened {
            pgrx::warning!("rekey cannot open {count} sealed values of key {key_id}");
        }
    }
}

/// Reseals up to `limit` rows behind the cursor, moves it on, and returns how many were resealed.
pub fn batch(db: &Db, cursor: &mut Cursor, limit: i64) -> Result<i64> {
    let sealer = vault::sealer(db)?;
    let rows = key::pick(db, sealer.key_id(), (cursor.after.0, &cursor.after.1), limit);
    cursor.at_end = (rows.len() as i64) < limit;
    if let Some(last) = rows.last() {
        cursor.after = (last.session_id, last.name.clone());
    }
    let mut resealed = Vec::with_capacity(rows.len());
    for row in rows {
        let place = Place { session: row.session_id, name: &row.name };
        match vault::open(place, &row.sealed) {
            Ok(text) => {
                let sealed = sealer.seal_bytes(place, &text)?;
                resealed.push(SealedRow { sealed, ..row });
            }
            Err(_) => {
                *cursor.unopened.entry(envelope::key_id(&row.sealed).unwrap_or_default()).or_default() += 1
            }
        }
    }
    key::reseal(db, &resealed);
    Ok(resealed.len() as i64)
}
