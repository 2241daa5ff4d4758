//! The table sso_attr.session.

use sso_attr_core::expiry::Timestamp;
use sso_attr_core::token::Claim;
use uuid::Uuid;

use crate::pg::citus;
use crate::pg::datum;
use crate::pg::interrupt;
use crate::pg::spi::Db;
use crate::pg::sql::{Bytes, Id, Inet, Int, Name, Null, Text, Time};
use crate::pg::statement::statement;
use crate::pg::text::TextDatum;

/// A session whose secret the claim proves, live or not.
#[derive(Clone, Copy)]
pub struct Found {
    pub id: Uuid,
    pub created_at: Timestamp,
    /// As stored; the cap may come earlier.
    pub expires_at: Timestamp,
    /// Where it was read along, as it is not for what never renews a session.
    pub idle_limit: Option<IdleLimit>,
}

/// For how many microseconds a session may be idle; `None` is for ever.
#[derive(Clone, Copy)]
pub struct IdleLimit(pub Option<i64>);

/// What a new session is opened with.
pub struct Opening<'a> {
    pub claim: Claim,
    pub user_id: Option<&'a str>,
    pub current_app: Option<&'a str>,
    pub remote_addr: Option<datum::Inet>,
    pub user_agent: Option<&'a str>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// In microseconds; `None` is for ever.
    pub idle_limit: Option<i64>,
}

/// A session as the functions show it.
pub struct Shown {
    pub id: Uuid,
    pub user_id: Option<TextDatum>,
    pub current_app: Option<TextDatum>,
    pub remote_addr: Option<datum::Inet>,
    pub user_agent: Option<TextDatum>,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
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
    FIND_FOR_INSERT(Id) -> (Bytes, Time, Time, Null<Int>) =
        "SELECT secret_digest, created_at, expires_at, idle_limit
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE"
}
statement! {
    ALIAS_OF(Id) -> (Null<Id>) = "SELECT alias_of FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    IDLE_LIMIT(Id) -> (Null<Int>) =
        "SELECT idle_limit FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    LOCK(Id) -> (Time, Time, Null<Id>) =
        "SELECT created_at, expires_at, alias_of
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1 FOR UPDATE"
}
statement! {
    INSERT(Id, Bytes, Null<Text>, Null<Text>, Null<Inet>, Null<Text>, Time, Time, Time, Null<Int>) =
        "INSERT INTO sso_attr.session
              (id, secret_digest, user_id, current_app, remote_addr, user_agent,
               created_at, last_seen_at, expires_at, purge_bin, idle_limit)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10)
          ON CONFLICT (id) DO NOTHING"
}
statement! {
    /// A second id of a session, which never expires by itself.
    INSERT_ALIAS(Id, Id, Time) =
        "INSERT INTO sso_attr.session
              (id, alias_of, secret_digest, created_at, last_seen_at, expires_at, purge_bin)
          VALUES ($1, $2, '', $3, $3, 'infinity', 'infinity')
          ON CONFLICT (id) DO NOTHING"
}
statement! {
    DELETE_ALIASES(Id) = "DELETE FROM sso_attr.session WHERE alias_of OPERATOR(pg_catalog.=) $1"
}
statement! {
    ALIASES(Id) -> (Id) = "SELECT id FROM sso_attr.session WHERE alias_of OPERATOR(pg_catalog.=) $1"
}
statement! {
    SHOW(Id) -> (Id, Null<Name>, Null<Name>, Null<Inet>, Null<Name>, Time, Time, Time) =
        "SELECT id, user_id, current_app, remote_addr, user_agent, created_at, last_seen_at, expires_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    /// What FIND and SHOW tell, in one look.
    FIND_AND_SHOW(Id)
        -> (Bytes, Id, Null<Name>, Null<Name>, Null<Inet>, Null<Name>, Time, Time, Time) =
        "SELECT secret_digest,
                id, user_id, current_app, remote_addr, user_agent, created_at, last_seen_at, expires_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    LIST_BY_USER(Text, Time, Time) -> (Id, Null<Name>, Null<Name>, Null<Inet>, Null<Name>, Time, Time, Time) =
        "SELECT id, user_id, current_app, remote_addr, user_agent, created_at, last_seen_at, expires_at
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
    SET_EXPIRES_AT(Id, Bytes, Time, Time, Time) =
        "UPDATE sso_attr.session SET last_seen_at = $3, expires_at = $4, purge_bin = $5
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
    /// Binds an anonymous session to its user; one of that user already stays so.
    SET_DIGEST_AND_USER(Id, Bytes, Time, Bytes, Text) =
        "UPDATE sso_attr.session SET secret_digest = $4, user_id = $5
          WHERE id OPERATOR(pg_catalog.=) $1 AND secret_digest OPERATOR(pg_catalog.=) $2
            AND expires_at OPERATOR(pg_catalog.>) $3
            AND (user_id IS NULL OR user_id OPERATOR(pg_catalog.=) $5)"
}
statement! {
    /// Changes no key, so that it does not wait for those who insert attributes.
    END(Id, Time, Time, Time) =
        "UPDATE sso_attr.session SET expires_at = $2, purge_bin = $3
          WHERE id OPERATOR(pg_catalog.=) $1
            AND expires_at OPERATOR(pg_catalog.>) $2 AND created_at OPERATOR(pg_catalog.>) $4"
}
statement! {
    END_PROVEN(Id, Time, Time, Time, Bytes) =
        "UPDATE sso_attr.session SET expires_at = $2, purge_bin = $3
          WHERE id OPERATOR(pg_catalog.=) $1
            AND expires_at OPERATOR(pg_catalog.>) $2 AND created_at OPERATOR(pg_catalog.>) $4
            AND secret_digest OPERATOR(pg_catalog.=) $5"
}
statement! {
    END_OF_USER(Id, Time, Time, Time, Text) =
        "UPDATE sso_attr.session SET expires_at = $2, purge_bin = $3
          WHERE id OPERATOR(pg_catalog.=) $1
            AND expires_at OPERATOR(pg_catalog.>) $2 AND created_at OPERATOR(pg_catalog.>) $4
            AND user_id OPERATOR(pg_catalog.=) $5"
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
    by_claim(db, claim, |id| {
        db.one(&FIND, (&id,), |(digest, created_at, expires_at)| {
            let found = Found { id, created_at, expires_at, idle_limit: None };
            claim.digest.matches(digest).then_some(found)
        })
    })
}

/// As [`find`]; the row stays until the transaction is over.
pub fn find_for_insert(db: &Db, claim: &Claim) -> Option<Found> {
    by_claim(db, claim, |id| {
        db.one(&FIND_FOR_INSERT, (&id,), |(digest, created_at, expires_at, idle_limit)| {
            let found = Found { id, created_at, expires_at, idle_limit: Some(IdleLimit(idle_limit)) };
            claim.digest.matches(digest).then_some(found)
        })
    })
}

/// What `look` finds of the session that a claim names, or of the one that its alias leads to.
fn by_claim<T>(db: &Db, claim: &Claim, look: impl Fn(Uuid) -> Option<Option<T>>) -> Option<T> {
    look(claim.id)?.or_else(|| look(alias_of(db, claim)?)?)
}

/// The session that an adopted token leads to by an alias, which stores a digest that no token has.
fn alias_of(db: &Db, claim: &Claim) -> Option<Uuid> {
    if !claim.is_adopted {
        return None;
    }
    db.one(&ALIAS_OF, (&claim.id,), |(alias_of,)| alias_of).flatten()
}

pub fn idle_limit(db: &Db, id: Uuid) -> IdleLimit {
    IdleLimit(db.one(&IDLE_LIMIT, (&id,), |(idle_limit,)| idle_limit).flatten())
}

/// Any session of that id, locked against every other use; for an alias, the session it leads to.
pub fn lock(db: &Db, id: Uuid) -> Option<Found> {
    let look = |id: Uuid| {
        db.one(&LOCK, (&id,), |(created_at, expires_at, alias_of)| {
            alias_of.map_or(Ok(Found { id, created_at, expires_at, idle_limit: None }), Err)
        })
    };
    match look(id)? {
        Ok(found) => Some(found),
        // An alias without its session is one of a session that is over.
        Err(of) => Some(look(of).and_then(Result::ok).unwrap_or(Found {
            id: of,
            created_at: Timestamp::BEFORE_ALL,
            expires_at: Timestamp::BEFORE_ALL,
            idle_limit: None,
        })),
    }
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
        opening.expires_at.purge_bin(),
        opening.idle_limit,
    );
    db.run(&INSERT, params) == 1
}

/// Has another id lead to a session; false where that id is there.
pub fn insert_alias(db: &Db, id: Uuid, of: Uuid, now: Timestamp) -> bool {
    db.run(&INSERT_ALIAS, (&id, &of, now)) == 1
}

/// Deletes the aliases of a session. In a cluster they can be anywhere: to look costs one question to each
/// shard, to delete without looking a transaction over all nodes.
fn delete_aliases(db: &Db, of: Uuid) {
    if citus::is_loaded() {
        for alias in db.all(&ALIASES, (&of,), |(id,)| id) {
            delete_row(db, alias);
        }
    } else {
        db.run(&DELETE_ALIASES, (&of,));
    }
}

/// All about a session.
pub fn show(db: &Db, id: Uuid) -> Option<Shown> {
    db.one(&SHOW, (&id,), shown)
}

/// All about the session that a claim proves, live or not.
pub fn find_and_show(db: &Db, claim: &Claim) -> Option<Shown> {
    by_claim(db, claim, |id| {
        db.one(
            &FIND_AND_SHOW,
            (&id,),
            |(digest, id, user_id, app, addr, agent, created_at, last_seen_at, expires_at)| {
                let row = (id, user_id, app, addr, agent, created_at, last_seen_at, expires_at);
                claim.digest.matches(digest).then(|| shown(row))
            },
        )
    })
}

/// The sessions of a user that end after `now` and were created after `created_after`, newest first.
pub fn list(db: &Db, user_id: &str, now: Timestamp, created_after: Timestamp) -> Vec<Shown> {
    db.all(&LIST_BY_USER, (user_id, now, created_after), shown)
}

type ShownRow = (
    Uuid,
    Option<TextDatum>,
    Option<TextDatum>,
    Option<datum::Inet>,
    Option<TextDatum>,
    Timestamp,
    Timestamp,
    Timestamp,
);

fn shown(row: ShownRow) -> Shown {
    let (id, user_id, current_app, remote_addr, user_agent, created_at, last_seen_at, expires_at) = row;
    Shown { id, user_id, current_app, remote_addr, user_agent, created_at, last_seen_at, expires_at }
}

/// The ids of a user's sessions, live or not, in the order in which they are locked.
pub fn ids(db: &Db, user_id: &str) -> Vec<Uuid> {
    db.all(&IDS_BY_USER, (user_id,), |(id,)| id)
}

/// Has a session expire at another time, and marks it as seen now, if the claim still holds; false
/// where it does not.
pub fn set_expires_at(db: &Db, id: Uuid, claim: &Claim, now: Timestamp, expires_at: Timestamp) -> bool {
    let digest = &claim.digest.as_bytes()[..];
    db.run(&SET_EXPIRES_AT, (&id, digest, now, expires_at, expires_at.purge_bin())) == 1
}

/// Replaces the secret of a session whose claim still holds, and makes it that user's; of two
/// concurrent rotations one wins. False where the claim does not hold or the session is another user's.
pub fn set_digest(
    db: &Db,
    id: Uuid,
    claim: &Claim,
    now: Timestamp,
    new: &Claim,
    user_id: Option<&str>,
) -> bool {
    let (former, digest) = (&claim.digest.as_bytes()[..], &new.digest.as_bytes()[..]);
    let changed = match user_id {
        None => db.run(&SET_DIGEST, (&id, former, now, digest)),
        Some(user_id) => db.run(&SET_DIGEST_AND_USER, (&id, former, now, digest, user_id)),
    };
    changed == 1
}

/// Has a session that was created after `created_after` expire now; false where it was over. Does not
/// wait for those who insert attributes.
pub fn end(db: &Db, id: Uuid, now: Timestamp, created_after: Timestamp) -> bool {
    db.run(&END, (&id, now, now.purge_bin(), created_after)) == 1
}

/// As [`end`], if the claim still holds.
pub fn end_proven(db: &Db, id: Uuid, claim: &Claim, now: Timestamp, created_after: Timestamp) -> bool {
    let digest = &claim.digest.as_bytes()[..];
    db.run(&END_PROVEN, (&id, now, now.purge_bin(), created_after, digest)) == 1
}

/// As [`end`], if the session is that user's.
pub fn end_of_user(db: &Db, id: Uuid, user_id: &str, now: Timestamp, created_after: Timestamp) -> bool {
    db.run(&END_OF_USER, (&id, now, now.purge_bin(), created_after, user_id)) == 1
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
    if db.run(&LOCK_EMPTY, (&id,)) == 1 && db.run(&DELETE_EMPTY, (&id,)) == 1 {
        delete_aliases(db, id);
    }
}

/// Deletes a locked session with its attributes and its other ids.
pub fn delete_locked(db: &Db, id: Uuid) {
    db.run(&LOCK_ATTRIBUTES, (&id,));
    delete_row(db, id);
    delete_aliases(db, id);
}

/// Deletes the row of an id, and by the cascade its attributes.
pub(super) fn delete_row(db: &Db, id: Uuid) {
    db.run(&DELETE, (&id,));
}
