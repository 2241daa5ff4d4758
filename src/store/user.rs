//! The table sso_attr.user.
//!
//! A row is locked before its user's sessions are looked at or one is opened, so that no session can
//! slip in by a former password or for a deleted user.

use sso_attr_core::expiry::Timestamp;
use sso_attr_core::user::Key;

use crate::pg::spi::Db;
use crate::pg::sql::{Int, Null, Text, Time};
use crate::pg::statement::statement;

statement! {
    INSERT(Text, Text, Text, Text, Time) =
        "INSERT INTO sso_attr.user (user_id, username, username_key, password, created_at, password_changed_at)
          VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING"
}
statement! {
    FIND(Text) -> (Text, Text, Int, Null<Time>, Null<Time>) =
        "SELECT user_id, password, failures, failed_at, locked_until
          FROM sso_attr.user WHERE username_key OPERATOR(pg_catalog.=) $1"
}
statement! {
    /// Locks out changes of the row, not those who refer to its key.
    LOCK(Text, Text) -> (Text, Text, Int, Null<Time>, Null<Time>) =
        "SELECT user_id, password, failures, failed_at, locked_until
          FROM sso_attr.user
          WHERE user_id OPERATOR(pg_catalog.=) $1 AND username_key OPERATOR(pg_catalog.=) $2
          FOR NO KEY UPDATE"
}
statement! {
    COUNT_FAILURE(Text, Int, Time, Text) =
        "UPDATE sso_attr.user SET failures = $2, failed_at = $3, refused_at = $3, refusal = $4
          WHERE user_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    NOTE_REFUSAL(Text, Time, Text) =
        "UPDATE sso_attr.user SET refused_at = $2, refusal = $3 WHERE user_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    CLEAR_FAILURES(Text) =
        "UPDATE sso_attr.user SET failures = 0, failed_at = NULL WHERE user_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    REHASH(Text, Text) = "UPDATE sso_attr.user SET password = $2 WHERE user_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    SET_PASSWORD(Text, Text, Time) -> (Text) =
        "UPDATE sso_attr.user SET password = $2, password_changed_at = $3, failures = 0, failed_at = NULL
          WHERE username_key OPERATOR(pg_catalog.=) $1 RETURNING user_id"
}
statement! {
    LOCK_UNTIL(Text, Time) -> (Text) =
        "UPDATE sso_attr.user SET locked_until = $2 WHERE username_key OPERATOR(pg_catalog.=) $1 RETURNING user_id"
}
statement! {
    UNLOCK(Text) -> (Text) =
        "UPDATE sso_attr.user SET locked_until = NULL, failures = 0, failed_at = NULL
          WHERE username_key OPERATOR(pg_catalog.=) $1 RETURNING user_id"
}
statement! {
    DELETE(Text) -> (Text) =
        "DELETE FROM sso_attr.user WHERE username_key OPERATOR(pg_catalog.=) $1 RETURNING user_id"
}
statement! {
    LIST() -> (Text, Text, Time, Time, Int, Null<Time>, Null<Time>, Null<Text>, Null<Time>) =
        "SELECT user_id, username, created_at, password_changed_at,
                failures, failed_at, refused_at, refusal, locked_until
          FROM sso_attr.user ORDER BY username_key"
}
statement! {
    /// Has the transaction write something to the WAL, and change nothing.
    WRITE_NOTHING() =
        "SELECT FROM pg_catalog.pg_logical_emit_message(true, 'sso_attr', '')"
}

/// What a login is decided by.
pub struct Found {
    pub user_id: String,
    /// PHC string.
    pub password: String,
    /// In a row.
    pub failures: i64,
    pub failed_at: Option<Timestamp>,
    pub locked_until: Option<Timestamp>,
}

type FoundRow<'r> = (&'r str, &'r str, i64, Option<Timestamp>, Option<Timestamp>);

fn found((user_id, password, failures, failed_at, locked_until): FoundRow<'_>) -> Found {
    Found { user_id: user_id.to_owned(), password: password.to_owned(), failures, failed_at, locked_until }
}

/// Stores a new user; false where the username or the user_id is taken.
pub fn insert(db: &Db, user_id: &str, username: &str, key: &Key, password: &str, now: Timestamp) -> bool {
    db.run(&INSERT, (user_id, username, key.as_str(), password, now)) == 1
}

pub fn find(db: &Db, key: &Key) -> Option<Found> {
    db.one(&FIND, (key.as_str(),), found)
}

/// The user as it is now, if it still has that name; it stays so until the transaction is over.
pub fn lock(db: &Db, user_id: &str, key: &Key) -> Option<Found> {
    db.one(&LOCK, (user_id, key.as_str()), found)
}

/// Sets the number of failures of a locked user, the last one now.
pub fn count_failure(db: &Db, user_id: &str, failures: i64, now: Timestamp, refusal: &str) {
    db.run(&COUNT_FAILURE, (user_id, failures, now, refusal));
}

/// Remembers why a locked user was refused.
pub fn note_refusal(db: &Db, user_id: &str, now: Timestamp, refusal: &str) {
    db.run(&NOTE_REFUSAL, (user_id, now, refusal));
}

pub fn clear_failures(db: &Db, user_id: &str) {
    db.run(&CLEAR_FAILURES, (user_id,));
}

/// Replaces the hash of a password by another one of the same password.
pub fn rehash(db: &Db, user_id: &str, password: &str) {
    db.run(&REHASH, (user_id, password));
}

/// Sets a password and clears the failures; returns the user_id.
pub fn set_password(db: &Db, key: &Key, password: &str, now: Timestamp) -> Option<String> {
    db.one(&SET_PASSWORD, (key.as_str(), password, now), |(user_id,)| user_id.to_owned())
}

/// Refuses logins until then; returns the user_id.
pub fn lock_until(db: &Db, key: &Key, until: Timestamp) -> Option<String> {
    db.one(&LOCK_UNTIL, (key.as_str(), until), |(user_id,)| user_id.to_owned())
}

/// Takes back a lock, and the wait after failures; returns the user_id.
pub fn unlock(db: &Db, key: &Key) -> Option<String> {
    db.one(&UNLOCK, (key.as_str(),), |(user_id,)| user_id.to_owned())
}

/// Deletes a user; returns the user_id.
pub fn delete(db: &Db, key: &Key) -> Option<String> {
    db.one(&DELETE, (key.as_str(),), |(user_id,)| user_id.to_owned())
}

/// A user as the list shows it.
pub struct Listed {
    pub user_id: String,
    pub username: String,
    pub created_at: Timestamp,
    pub password_changed_at: Timestamp,
    pub failures: i64,
    pub failed_at: Option<Timestamp>,
    pub refused_at: Option<Timestamp>,
    pub refusal: Option<String>,
    pub locked_until: Option<Timestamp>,
}

/// All users by name.
pub fn list(db: &Db) -> Vec<Listed> {
    db.all(&LIST, (), |row| {
        let (
            user_id,
            username,
            created_at,
            changed_at,
            failures,
            failed_at,
            refused_at,
            refusal,
            locked_until,
        ) = row;
        Listed {
            user_id: user_id.to_owned(),
            username: username.to_owned(),
            created_at,
            password_changed_at: changed_at,
            failures,
            failed_at,
            refused_at,
            refusal: refusal.map(str::to_owned),
            locked_until,
        }
    })
}

/// Has the end of the transaction take as long as that of one that has counted a failure.
pub fn write_nothing(db: &Db) {
    db.run(&WRITE_NOTHING, ());
}
