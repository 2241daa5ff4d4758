//! One sweep of one database, batch by batch.

use sso_attr_core::Result;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::token;
use uuid::Uuid;

use crate::lifetime;
use crate::pg::spi::Db;
use crate::store::purge::{self, Cursor};

/// What a sweep has done and what it does next.
///
/// A batch can be a transaction of its own: whatever changes between two batches is looked at
/// again. Every sweep ends, since a batch removes rows or goes on to a later place; what it found
/// locked is left for the next sweep.
pub struct Sweep {
    now: Timestamp,
    stage: Stage,
    attributes: u64,
    sessions: u64,
    /// Attributes of each of the sessions that were removed last, so that as many sessions are
    /// chosen as fit into a batch with their attributes.
    each: u64,
}

enum Stage {
    /// Sessions past sso_attr.session_max_lifetime that outlast it by their stored end.
    Aged,
    /// Attributes that expired by themselves, from a place on.
    Attributes {
        from: Cursor,
    },
    /// The sessions that are over, after a place.
    Sessions {
        after: Cursor,
    },
    /// Some of these: the place of the last one, and the attributes removed of them so far.
    Chosen {
        sessions: Vec<Uuid>,
        last: Cursor,
        attributes: u64,
    },
    Over,
}

/// Attributes that a session is taken to have until some have been seen.
const TYPICAL_ATTRIBUTES: u64 = 9;

impl Sweep {
    /// A sweep of what has expired at `now`.
    pub fn start(now: Timestamp) -> Sweep {
        Sweep { now, stage: Stage::Aged, attributes: 0, sessions: 0, each: TYPICAL_ATTRIBUTES }
    }

    pub fn started_at(&self) -> Timestamp {
        self.now
    }

    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
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

    /// Removes at most `limit` rows, which is positive.
    pub fn batch(&mut self, db: &Db, limit: u64) -> Result<()> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        self.stage = match stage {
            Stage::Aged => self.end_aged(db, limit),
            Stage::Attributes { from } => self.remove_attributes(db, from, limit),
            Stage::Sessions { after } => self.choose(db, after, limit)?,
            Stage::Chosen { sessions, last, attributes } => {
                self.remove_sessions(db, sessions, last, attributes, limit)?
            }
            Stage::Over => Stage::Over,
        };
        Ok(())
    }

    fn end_aged(&mut self, db: &Db, limit: u64) -> Stage {
        let ended = lifetime::latest_past_cap(self.now).map_or(0, |latest| {
            let bound = token::first_id(latest.unix_millis());
            purge::end_aged(db, bound, latest, self.now, limit)
        });
        if ended == limit { Stage::Aged } else { Stage::Attributes { from: Cursor::START } }
    }

    fn remove_attributes(&mut self, db: &Db, from: Cursor, limit: u64) -> Stage {
        let (removed, last) = purge::delete_attributes(db, self.now, from, limit);
        self.attributes += removed;
        if removed == limit {
            return Stage::Attributes { from: last };
        }
        Stage::Sessions { after: Cursor::START }
    }

    fn choose(&mut self, db: &Db, after: Cursor, limit: u64) -> Result<Stage> {
        let fit = (limit / (self.each + 1)).max(1);
        let places = purge::over_sessions(db, self.now, after, fit);
        match places.last() {
            None => Ok(Stage::Over),
            Some(&last) => {
                let sessions = places.iter().map(|place| place.session).collect();
                self.remove_sessions(db, sessions, last, 0, limit)
            }
        }
    }

    /// Attributes first, so that the cascade of a session finds none, however many it had.
    fn remove_sessions(
        &mut self,
        db: &Db,
        sessions: Vec<Uuid>,
        last: Cursor,
        attributes: u64,
        limit: u64,
    ) -> Result<Stage> {
        let removed = purge::delete_attributes_of(db, &sessions, self.now, limit)?;
        self.attributes += removed;
        let attributes = attributes + removed;
        if removed == limit {
            return Ok(Stage::Chosen { sessions, last, attributes });
        }
        let left = limit - removed;
        let ended = purge::delete_empty(db, &sessions, self.now, left)?;
        self.sessions += ended;
        if ended == left {
            return Ok(Stage::Chosen { sessions, last, attributes });
        }
        self.each = attributes / sessions.len() as u64;
        Ok(Stage::Sessions { after: last })
    }
}
