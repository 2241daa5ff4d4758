//! Moving sealed values to the primary key, batch by batch.
//!
//! A batch locks its rows, except those that others have locked, so that a concurrent update is neither
//! lost nor delayed by more than one batch. The next pass finds the rows that were skipped.

use std::collections::{BTreeMap, VecDeque};

use sso_attr_core::Result;
use sso_attr_core::envelope::{self, Place};
use sso_attr_core::expiry::Timestamp;

use crate::pg::spi::Db;
use crate::pg::tables::Tables;
use crate::pg::{citus, interrupt};
use crate::store::cluster;
use crate::store::key::{self, Cursor};
use crate::vault::{self, Sealer};

/// Rows locked at a time: some milliseconds of work.
pub const BATCH_SIZE: i64 = 1000;

/// A pass that found nothing is repeated after this time: a transaction that was open during it may
/// have sealed with the former key, and locked rows were skipped.
const REPEAT_SECONDS: i64 = 3600;

/// How far a pass over the tables has come, and how many values it could not open, by key id.
pub struct Pass {
    /// Where there is still something to do, from now on.
    tables: VecDeque<Tables>,
    cursor: Cursor,
    resealed: u64,
    unopened: BTreeMap<u32, u64>,
}

impl Pass {
    pub fn start(db: &Db) -> Pass {
        let tables = cluster::tables(db).into();
        Pass { tables, cursor: Cursor::default(), resealed: 0, unopened: BTreeMap::new() }
    }

    /// A pass that goes on after the attribute that an earlier one has come to, in the tables that it was
    /// in. Where those have moved to another node, it starts over.
    pub fn resume(db: &Db, tables: Tables, cursor: Cursor) -> Pass {
        let mut pass = Pass::start(db);
        if let Some(at) = pass.tables.iter().position(|here| *here == tables) {
            pass.tables.drain(..at);
            pass.cursor = cursor;
        }
        pass
    }

    pub fn is_over(&self) -> bool {
        self.tables.is_empty()
    }

    /// How far it has come; `None` at the end.
    pub fn reached(&self) -> Option<(Tables, &Cursor)> {
        Some((*self.tables.front()?, &self.cursor))
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

/// Whether a key other than the primary one may have sealed values left on this node, where the last pass
/// that found none was at `last`. In a cluster the check values are all nodes' and do not tell when that was.
pub fn is_due(db: &Db, last: Timestamp, now: Timestamp) -> Result<bool> {
    let primary = vault::keyring()?.primary().id();
    let horizon = now.plus_seconds(-REPEAT_SECONDS);
    Ok(match citus::is_loaded() {
        false => key::is_rekey_due(db, primary, horizon),
        true => last < horizon && key::is_rekey_due(db, primary, Timestamp::NEVER),
    })
}

/// Stores that a whole pass found nothing to do.
pub fn mark_done(db: &Db, now: Timestamp) -> Result<()> {
    if !citus::is_loaded() {
        key::mark_rekeyed(db, vault::keyring()?.primary().id(), now);
    }
    Ok(())
}

/// Reseals up to `limit` rows and moves the pass on. No key is fetched while rows are locked.
pub fn batch(db: &Db, sealer: &Sealer, pass: &mut Pass, limit: i64) -> Result<()> {
    let Some(tables) = pass.tables.front().copied() else { return Ok(()) };
    db.on(tables, || reseal_next(db, sealer, pass, limit))
}

fn reseal_next(db: &Db, sealer: &Sealer, pass: &mut Pass, limit: i64) -> Result<()> {
    let rows = key::pick(db, sealer.key_id(), &pass.cursor, limit);
    if (rows.len() as i64) < limit {
        pass.tables.pop_front();
        pass.cursor = Cursor::default();
    } else if let Some(last) = rows.last() {
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
