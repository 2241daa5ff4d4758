//! One sweep of one database: removing what has expired, batch by batch.

use sso_attr_core::Result;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::token;
use uuid::Uuid;

use crate::lifetime;
use crate::pg::spi::Db;
use crate::pg::tables::Tables;
use crate::store::cluster;
use crate::store::purge::{self, Cursor};

/// What a sweep has done and what it does next.
///
/// Each batch can be a transaction of its own: what may have changed between two batches is checked
/// again. Every sweep ends, since a batch either removes rows or moves the cursor on; rows that others
/// have locked are left to the next sweep.
pub struct Sweep {
    now: Timestamp,
    /// What is still to be swept, the last of it now.
    tables: Vec<Tables>,
    stage: Stage,
    attributes: u64,
    sessions: u64,
    /// The average of the sessions that were removed last, so that as many sessions are chosen as fit
    /// into a batch with their attributes.
    attributes_per_session: u64,
    /// If there was nothing to remove so far: the time until which that stays so, unless something is
    /// written.
    rest_until: Option<Timestamp>,
}

enum Stage {
    /// Sessions past sso_attr.session_max_lifetime whose stored expiry is still to come.
    Aged,
    /// Attributes with an expiry of their own, from the cursor on.
    Attributes { from: Cursor },
    /// Sessions that have expired, after the cursor.
    Sessions { after: Cursor },
}

/// What a session is assumed to have until some have been removed.
const TYPICAL_ATTRIBUTES: u64 = 9;

impl Sweep {
    /// A sweep of what has expired at `now`.
    pub fn start(db: &Db, now: Timestamp) -> Sweep {
        Sweep {
            now,
            tables: cluster::tables(db),
            stage: Stage::Aged,
            attributes: 0,
            sessions: 0,
            attributes_per_session: TYPICAL_ATTRIBUTES,
            rest_until: Some(Timestamp::NEVER),
        }
    }

    pub fn started_at(&self) -> Timestamp {
        self.now
    }

    pub fn is_over(&self) -> bool {
        self.tables.is_empty()
    }

    /// Until when no other sweep is worth while, unless something is written.
    pub fn rest_until(&self) -> Option<Timestamp> {
        self.rest_until
    }

    pub fn attributes(&self) -> u64 {
        self.attributes
    }

    pub fn sessions(&self) -> u64 {
        self.sessions
    }

    /// Rows removed so far.
    pub fn removed(&self) -> u64 {
        self.attributes + self.sessions
    }

    /// Removes at most `limit` rows, which is positive. A stage without a next one is the last.
    pub fn batch(&mut self, db: &Db, limit: u64) -> Result<()> {
        let Some(tables) = self.tables.last().copied() else { return Ok(()) };
        let stage = std::mem::replace(&mut self.stage, Stage::Aged);
        let next = db.on(tables, || match stage {
            Stage::Aged => Ok(self.end_aged(db, limit)),
            Stage::Attributes { from } => Ok(Some(self.remove_attributes(db, from, limit))),
            Stage::Sessions { after } => self.remove_sessions(db, after, limit),
        })?;
        match next {
            Some(stage) => self.stage = stage,
            None => drop(self.tables.pop()),
        }
        Ok(())
    }

    fn end_aged(&mut self, db: &Db, limit: u64) -> Option<Stage> {
        let ended = lifetime::latest_past_cap(self.now).map_or(0, |latest| {
            let bound = token::first_id(latest.unix_millis());
            purge::end_aged(db, bound, latest, self.now, limit)
        });
        if ended == limit {
            return Some(Stage::Aged);
        }
        let outlook = purge::outlook(db);
        if outlook > self.now {
            self.rest_until = self.rest_until.map(|until| until.min(outlook));
            return None;
        }
        self.rest_until = None;
        Some(Stage::Attributes { from: Cursor::START })
    }

    fn remove_attributes(&mut self, db: &Db, from: Cursor, limit: u64) -> Stage {
        let (removed, last) = purge::delete_attributes(db, self.now, from, limit);
        self.attributes += removed;
        if removed == limit {
            return Stage::Attributes { from: last };
        }
        Stage::Sessions { after: Cursor::START }
    }

    /// Sessions with their attributes, some of them where they are more than fit into a batch.
    fn remove_sessions(&mut self, db: &Db, after: Cursor, limit: u64) -> Result<Option<Stage>> {
        // An eighth less than fits on average: most batches stay within the limit.
        let fit = ((limit - limit / 8) / (self.attributes_per_session + 1)).max(1);
        let expired = purge::lock_expired(db, self.now, after, fit);
        let Some(&last) = expired.iter().max() else { return Ok(None) };
        let sessions: Vec<Uuid> = expired.iter().map(|cursor| cursor.session).collect();
        let (attributes, ended) = purge::delete_sessions(db, &sessions, limit)?;
        self.attributes += attributes;
        self.sessions += ended;
        if attributes + ended == limit {
            self.attributes_per_session = (2 * (self.attributes_per_session + 1)).min(limit);
            return Ok(Some(Stage::Sessions { after }));
        }
        self.attributes_per_session = attributes.div_ceil(sessions.len() as u64);
        Ok(Some(Stage::Sessions { after: last }))
    }
}
