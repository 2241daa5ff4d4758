//! The table sso_attr.session.

use sso_attr_core::expiry::Timestamp;
use sso_attr_core::token::Claim;
use uuid::Uuid;

use crate::pg::datum;
use crate::pg::interrupt;
use crate::pg::spi::Db;
use crate::pg::sql::{Bytes, Id, Inet, Name, Null, Text, Time};
use crate::pg::statement::statement;

/// A session whose secret the claim proves, live or not.
#[derive(Clone, Copy)]
pub struct Found {
    pub created_at: Timestamp,
    /// As stored; the cap may come earlier.
    pub expires_at: Timestamp,
}

/// What a new session is opened with.
pub struct Opening<'a> {
    pub claim: Claim,
    pub user_id: &'a str,
    pub current_app: Option<&'a str>,
    pub remote_addr: Option<datum::Inet>,
    pub user_agent: Option<&'a str>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A session as the functions show it.
pub struct Shown {
    pub id: Uuid,
    pub user_id: String,
    pub current_app: Option<String>,
    pub remote_addr: Option<datum::Inet>,
    pub user_agent: Option<String>,
    pub created_at: Timestamp,
    /// As stored; the cap may come earlier.
    pub expires_at: Timestamp,
}

statement! {
    FIND(Id) -> (Bytes, Time, Time) =
        "SELECT secret_digest, created_at, expires_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    /// Keeps the row from being deleted until the rows that refer to it are in.
    FIND_FOR_INSERT(Id) -> (Bytes, Time, Time) =
        "SELECT secret_digest, created_at, expires_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE"
}
statement! {
    LOCK(Id) -> (Time, Time) =
        "SELECT created_at, expires_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1 FOR UPDATE"
}
statement! {
    INSERT(Id, Bytes, Text, Null<Text>, Null<Inet>, Null<Text>, Time, Time) =
        "INSERT INTO sso_attr.session
              (id, secret_digest, user_id, current_app, remote_addr, user_agent, created_at, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
          ON CONFLICT (id) DO NOTHING"
}
statement! {
    SHOW(Id) -> (Id, Text, Null<Text>, Null<Inet>, Null<Text>, Time, Time) =
        "SELECT id, user_id, current_app, remote_addr, user_agent, created_at, expires_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    LIST_BY_USER(Text, Time, Time) -> (Id, Text, Null<Text>, Null<Inet>, Null<Text>, Time, Time) =
        "SELECT id, user_id, current_app, remote_addr, user_agent, created_at, expires_at
          FROM sso_attr.session
          WHERE user_id OPERATOR(pg_catalog.=) $1
            AND expires_at OPERATOR(pg_catalog.>) $2 AND created_at OPERATOR(pg_catalog.>) $3
          ORDER BY created_at DESC, id DESC"
}
statement! {
    IDS_BY_USER(Text) -> (Id) =
        "SELECT id FROM sso_attr.session WHERE user_id OPERATOR(pg_catalog.=) $1 ORDER BY id"
}
statement! {
    SET_EXPIRES_AT(Id, Bytes, Time, Time) =
        "UPDATE sso_attr.session SET expires_at = $4
          WHERE id OPERATOR(pg_catalog.=) $1 AND secret_digest OPERATOR(pg_catalog.=) $2
            AND expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    SET_DIGEST(Id, Bytes, Time, Bytes) =
        "UPDATE sso_attr.session SET secret_digest = $4
          WHERE id OPERATOR(pg_catalog.=) $1 AND secret_digest OPERATOR(pg_catalog.=) $2
            AND expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    /// Changes no key, so that it does not wait for those who insert attributes.
    END(Id, Time, Time) =
        "UPDATE sso_attr.session SET expires_at = $2
          WHERE id OPERATOR(pg_catalog.=) $1
            AND expires_at OPERATOR(pg_catalog.>) $2 AND created_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    END_PROVEN(Id, Time, Time, Bytes) =
        "UPDATE sso_attr.session SET expires_at = $2
          WHERE id OPERATOR(pg_catalog.=) $1
            AND expires_at OPERATOR(pg_catalog.>) $2 AND created_at OPERATOR(pg_catalog.>) $3
            AND secret_digest OPERATOR(pg_catalog.=) $4"
}
statement! {
    LOCK_FREE_ATTRIBUTES(Id) -> (Name) =
        "SELECT name FROM sso_attr.attribute WHERE session_id OPERATOR(pg_catalog.=) $1 FOR UPDATE SKIP LOCKED"
}
statement! {
    COUNT_ATTRIBUTES(Id) = "SELECT FROM sso_attr.attribute WHERE session_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    DELETE_ATTRIBUTES(Id) = "DELETE FROM sso_attr.attribute WHERE session_id OPERATOR(pg_catalog.=) $1"
}
statement! {
    DELETE_ATTRIBUTE(Id, Text) =
        "DELETE FROM sso_attr.attribute
          WHERE session_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
}
statement! {
    LOCK_EMPTY(Id) =
        "SELECT FROM sso_attr.session AS s
          WHERE s.id OPERATOR(pg_catalog.=) $1
            AND NOT EXISTS (SELECT FROM sso_attr.attribute AS a WHERE a.session_id OPERATOR(pg_catalog.=) $1)
          FOR UPDATE SKIP LOCKED"
}
statement! {
    /// Looks again at what the lock now keeps from changing: an attribute whose insertion was under
    /// way before would make the cascade wait for whoever holds it.
    DELETE_EMPTY(Id) =
        "DELETE FROM sso_attr.session AS s
          WHERE s.id OPERATOR(pg_catalog.=) $1
            AND NOT EXISTS (SELECT FROM sso_attr.attribute AS a WHERE a.session_id OPERATOR(pg_catalog.=) $1)"
}
statement! {
    /// In name order, so that the cascade that follows never waits for a batch that waits for it.
    LOCK_ATTRIBUTES(Id) =
        "SELECT FROM sso_attr.attribute WHERE session_id OPERATOR(pg_catalog.=) $1 ORDER BY name FOR UPDATE"
}
statement! {
    DELETE(Id) = "DELETE FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}

/// The session that a claim proves, live or not.
pub fn find(db: &Db, claim: &Claim) -> Option<Found> {
    db.one(&FIND, (&claim.id,), |row| proven(claim, row)).flatten()
}

/// As [`find`]; the row stays until the transaction is over.
pub fn find_for_insert(db: &Db, claim: &Claim) -> Option<Found> {
    db.one(&FIND_FOR_INSERT, (&claim.id,), |row| proven(claim, row)).flatten()
}

fn proven(claim: &Claim, (digest, created_at, expires_at): (&[u8], Timestamp, Timestamp)) -> Option<Found> {
    claim.digest.matches(digest).then_some(Found { created_at, expires_at })
}

/// Any session of that id, locked against every other use.
pub fn lock(db: &Db, id: Uuid) -> Option<Found> {
    db.one(&LOCK, (&id,), |(created_at, expires_at)| Found { created_at, expires_at })
}

/// Stores a new session; false where its id is there.
pub fn insert(db: &Db, opening: &Opening<'_>) -> bool {
    let params = (
        &opening.claim.id,
        &opening.claim.digest.as_bytes()[..],
        opening.user_id,
        opening.current_app,
        opening.remote_addr,
        opening.user_agent,
        opening.created_at,
        opening.expires_at,
    );
    db.run(&INSERT, params) == 1
}

/// All about a session.
pub fn show(db: &Db, id: Uuid) -> Option<Shown> {
    db.one(&SHOW, (&id,), shown)
}

/// The sessions of a user that end after `now` and were created after `created_after`, newest first.
pub fn list(db: &Db, user_id: &str, now: Timestamp, created_after: Timestamp) -> Vec<Shown> {
    db.all(&LIST_BY_USER, (user_id, now, created_after), shown)
}

type ShownRow<'r> =
    (Uuid, &'r str, Option<&'r str>, Option<datum::Inet>, Option<&'r str>, Timestamp, Timestamp);

fn shown((id, user_id, current_app, remote_addr, user_agent, created_at, expires_at): ShownRow<'_>) -> Shown {
    Shown {
        id,
        user_id: user_id.to_owned(),
        current_app: current_app.map(str::to_owned),
        remote_addr,
        user_agent: user_agent.map(str::to_owned),
        created_at,
        expires_at,
    }
}

/// The ids of a user's sessions, live or not, in the order in which they are locked.
pub fn ids(db: &Db, user_id: &str) -> Vec<Uuid> {
    db.all(&IDS_BY_USER, (user_id,), |(id,)| id)
}

/// Moves the end of a session whose claim still holds; false where it does not.
pub fn set_expires_at(db: &Db, claim: &Claim, now: Timestamp, expires_at: Timestamp) -> bool {
    db.run(&SET_EXPIRES_AT, (&claim.id, &claim.digest.as_bytes()[..], now, expires_at)) == 1
}

/// Replaces the secret of a session whose claim still holds; of two concurrent rotations one wins.
pub fn set_digest(db: &Db, claim: &Claim, now: Timestamp, new: &Claim) -> bool {
    let (former, digest) = (claim.digest.as_bytes(), new.digest.as_bytes());
    db.run(&SET_DIGEST, (&claim.id, &former[..], now, &digest[..])) == 1
}

/// Has a session that was created after `created_after` expire now; false where it was over. Whoever
/// inserts attributes is not waited for.
pub fn end(db: &Db, id: Uuid, now: Timestamp, created_after: Timestamp) -> bool {
    db.run(&END, (&id, now, created_after)) == 1
}

/// As [`end`], if the claim still holds.
pub fn end_proven(db: &Db, claim: &Claim, now: Timestamp, created_after: Timestamp) -> bool {
    db.run(&END_PROVEN, (&claim.id, now, created_after, &claim.digest.as_bytes()[..])) == 1
}

/// Deletes what nobody else holds of a session that is over; the purge deletes the rest. No plan of
/// this sorts or hashes: a session of any size ends without a temporary file.
pub fn delete_free(db: &Db, id: Uuid) {
    let free = db.all(&LOCK_FREE_ATTRIBUTES, (&id,), |(name,)| name);
    if free.len() as u64 == db.run(&COUNT_ATTRIBUTES, (&id,)) {
        db.run(&DELETE_ATTRIBUTES, (&id,));
    } else {
        for name in &free {
            interrupt::check();
            db.run(&DELETE_ATTRIBUTE, (&id, name));
        }
    }
    if db.run(&LOCK_EMPTY, (&id,)) == 1 {
        db.run(&DELETE_EMPTY, (&id,));
    }
}

/// Deletes a locked session with its attributes.
pub fn delete_locked(db: &Db, id: Uuid) {
    db.run(&LOCK_ATTRIBUTES, (&id,));
    db.run(&DELETE, (&id,));
}
