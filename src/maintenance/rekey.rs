//! Moving sealed values to the primary key, batch by batch.
//!
//! A batch locks its rows, except those that others have locked, so that a concurrent update is neither
//! lost nor delayed by more than one batch. The next pass finds the rows that were skipped.

use std::collections::BTreeMap;

use sso_attr_core::Result;
use sso_attr_core::envelope::{self, Place};
use sso_attr_core::expiry::Timestamp;

use crate::pg::interrupt;
use crate::pg::spi::Db;
use crate::store::key::{self, Cursor};
use crate::vault::{self, Sealer};

/// Rows locked at a time: some milliseconds of work.
pub const BATCH_SIZE: i64 = 1000;

/// A pass that found nothing is repeated after this time: a transaction that was open during it may
/// have sealed with the former key, and locked rows were skipped.
const REPEAT_SECONDS: i64 = 3600;

/// How far a pass over the table has come, and how many values it could not open, by key id.
#[derive(Default)]
pub struct Pass {
    cursor: Cursor,
    over: bool,
    resealed: u64,
    unopened: BTreeMap<u32, u64>,
}

impl Pass {
    /// A pass that goes on after the attribute that an earlier one has come to.
    pub fn resume(cursor: Cursor) -> Pass {
        Pass { cursor, ..Pass::default() }
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Values encrypted anew so far.
    pub fn resealed(&self) -> u64 {
        self.resealed
    }

    /// Warns of values that stay under their key, because it is missing or wrong or they are corrupted.
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

/// Stores that a whole pass found nothing to do.
pub fn mark_done(db: &Db, now: Timestamp) -> Result<()> {
    key::mark_rekeyed(db, vault::keyring()?.primary().id(), now);
    Ok(())
}

/// Reseals up to `limit` rows and moves the pass on. No key is fetched while rows are locked.
pub fn batch(db: &Db, sealer: &Sealer, pass: &mut Pass, limit: i64) -> Result<()> {
    let rows = key::pick(db, sealer.key_id(), &pass.cursor, limit);
    pass.over = (rows.len() as i64) < limit;
    if let Some(last) = rows.last() {
        pass.cursor = Cursor { session: last.session_id, name: last.name.to_string() };
    }
    let mut resealed = Vec::with_capacity(rows.len());
    for mut row in rows {
        interrupt::check();
        let place = Place { session: row.session_id, name: &row.name };
        let key_id = envelope::key_id(row.sealed.bytes()).unwrap_or_default();
        match sealer.open(place, row.sealed.bytes_mut()) {
            Ok(()) => {
                sealer.seal_again(place, row.sealed.bytes_mut())?;
                resealed.push(row);
            }
            Err(_) => *pass.unopened.entry(key_id).or_default() += 1,
        }
    }
    key::reseal(db, &resealed)?;
    pass.resealed += resealed.len() as u64;
    Ok(())
}
