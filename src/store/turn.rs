//! Turns: what at most one transaction at a time does for one user, or to one session, in the whole cluster.

use sso_attr_core::expiry::Timestamp;
use sso_attr_core::token;
use uuid::Uuid;

use super::session;
use crate::pg::spi::Db;
use crate::pg::sql::{Id, Time};
use crate::pg::statement::statement;
use crate::pg::{citus, lock};

statement! {
    /// Waits for whoever has inserted the same row. Nobody else ever sees it.
    TAKE(Id, Time) =
        "INSERT INTO sso_attr.session (id, secret_digest, created_at, last_seen_at, expires_at)
          VALUES ($1, '', $2, $2, $2)"
}

/// Holds a user's turn until the transaction is over.
pub fn of_user(db: &Db, user_id: &str, now: Timestamp) {
    if citus::is_loaded() {
        take(db, token::turn_id("user", user_id.as_bytes()), now);
    } else {
        lock::user(db, user_id);
    }
}

/// Holds a session's turn until the transaction is over, without a lock on its row.
pub fn of_session(db: &Db, id: Uuid, now: Timestamp) {
    if citus::is_loaded() {
        take(db, token::turn_id("session", id.as_bytes()), now);
    } else {
        lock::session(db, id);
    }
}

/// A lock of this server would not keep another node waiting; a row of a distributed table does, by its key.
fn take(db: &Db, id: Uuid, now: Timestamp) {
    db.run(&TAKE, (&id, now));
    session::delete_row(db, id);
}
