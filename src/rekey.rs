//! Moving sealed values to the primary key, batch by batch.
//!
//! A batch locks its rows, skipping those that others have locked, so that a concurrent update is
//! neither lost nor delayed by more than one batch. What was skipped is found by the next pass.

use std::collections::BTreeMap;

use sso_attr_core::Result;
use sso_attr_core::envelope::{self, Place};
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use crate::pg::spi::Db;
use crate::store::key::{self, SealedRow};
use crate::vault;

/// Rows locked at a time: some milliseconds of work.
pub const BATCH: i64 = 1000;

/// A pass that found nothing is repeated after this time: a transaction that was open meanwhile may
/// have sealed with the former key, and a locked row was skipped.
const REPEAT_SECONDS: i64 = 3600;

/// How far a pass over the table has come, and what it could not open.
#[derive(Default)]
pub struct Pass {
    after: (Uuid, String),
    over: bool,
    resealed: u64,
    unopened: BTreeMap<u32, u64>,
}

impl From<Uuid> for Pass {
    /// A pass that goes on with a session that an earlier one has come to.
    fn from(session: Uuid) -> Self {
        Pass { after: (session, String::new()), ..Pass::default() }
    }
}

impl Pass {
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The session that it has come to.
    pub fn session(&self) -> Uuid {
        self.after.0
    }

    /// Values encrypted anew so far.
    pub fn resealed(&self) -> u64 {
        self.resealed
    }

    /// Tells of values that stayed under their key because it is missing or wrong, or they are broken.
    pub fn warn_of_unopened(&self) {
        for (key_id, count) in &self.unopened {
            pgrx::warning!("rekey cannot open {count} sealed values of key {key_id}");
        }
    }
}

/// Whether a key other than the primary one may have sealed values left.
pub fn is_due(db: &Db, now: Timestamp) -> Result<bool> {
    let primary = vault::keyring()?.primary().id();
    Ok(key::is_rekey_due(db, primary, now.plus_seconds(-REPEAT_SECONDS)))
}

/// Remembers that a whole pass found nothing to do.
pub fn note_done(db: &Db, now: Timestamp) -> Result<()> {
    key::mark_rekeyed(db, vault::keyring()?.primary().id(), now);
    Ok(())
}

/// Reseals up to `limit` rows and moves the pass on.
pub fn batch(db: &Db, pass: &mut Pass, limit: i64) -> Result<()> {
    let sealer = vault::sealer(db)?;
    let rows = key::pick(db, sealer.key_id(), (pass.after.0, &pass.after.1), limit);
    pass.over = (rows.len() as i64) < limit;
    if let Some(last) = rows.last() {
        pass.after = (last.session_id, last.name.clone());
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
                *pass.unopened.entry(envelope::key_id(&row.sealed).unwrap_or_default()).or_default() += 1;
            }
        }
    }
    key::reseal(db, &resealed);
    pass.resealed += resealed.len() as u64;
    Ok(())
}
