//! Locks of our own, which no SQL can take.

use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys;

use super::spi::Db;

/// Holds a user's turn until the transaction is over.
pub fn user(db: &Db, user_id: &str) {
    hold(db, &("user", user_id));
}

/// Holds a session's turn until the transaction is over, without a lock on its row.
pub fn session(db: &Db, id: uuid::Uuid) {
    hold(db, &("session", id));
}

/// Those that hash alike share a turn.
fn hold(db: &Db, whose: &impl Hash) {
    let mut hasher = DefaultHasher::new();
    whose.hash(&mut hasher);
    // SAFETY: it can only raise. That nothing can be written on a standby tells the caller more than
    // that this lock cannot be had there.
    unsafe { pg_sys::PreventCommandDuringRecovery(c"holding a turn".as_ptr()) };
    // SAFETY: a lock's object need not exist. The schema in the place of a catalog makes it one that
    // nobody else takes.
    unsafe {
        pg_sys::LockDatabaseObject(
            db.installation().into(),
            (hasher.finish() as u32).into(),
            0,
            pg_sys::ExclusiveLock as pg_sys::LOCKMODE,
        );
    }
}
