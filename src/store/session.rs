//! The table sso_attr.session.

use std::thread::LocalKey;

use sso_attr_core::expiry::Timestamp;
use sso_attr_core::token::Claim;
use sso_attr_core::{Error, Result};
use uuid::Uuid;

use crate::pg::datum::Inet;
use crate::pg::param::Param;
use crate::pg::row::Row;
use crate::pg::spi::{Db, Statement, statement};
use crate::settings;

/// Proof that a token was presented whose session was live when the call looked.
#[derive(Clone, Copy)]
pub struct Live {
    pub id: Uuid,
    pub created_at: Timestamp,
    /// The end as stored; the cap may come earlier.
    pub expires_at: Timestamp,
}

/// What a new session is opened with.
pub struct Opening<'a> {
    pub claim: Claim,
    pub user_id: &'a str,
    pub current_app: Option<&'a str>,
    pub remote_addr: Option<Inet>,
    pub user_agent: Option<&'a str>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A session as the functions show it, in the caller's memory.
pub struct Shown {
    pub id: Uuid,
    pub user_id: String,
    pub current_app: Option<String>,
    pub remote_addr: Option<Inet>,
    pub user_agent: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

statement! {
    PROBE(UUIDOID) =
        "SELECT secret_digest, expires_at, created_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    /// Keeps the session from being ended until the rows that refer to it are in.
    PROBE_KEY_SHARE(UUIDOID) =
        "SELECT secret_digest, expires_at, created_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE"
}
statement! {
    PROBE_FOR_UPDATE(UUIDOID) =
        "SELECT secret_digest, expires_at, created_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1 FOR UPDATE"
}
statement! {
    INSERT(UUIDOID, BYTEAOID, TEXTOID, TEXTOID, INETOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID) =
        "INSERT INTO sso_attr.session
              (id, secret_digest, user_id, current_app, remote_addr, user_agent, created_at, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
          ON CONFLICT (id) DO NOTHING"
}
statement! {
    SHOW(UUIDOID) =
        "SELECT id, user_id, current_app, remote_addr, user_agent, created_at, expires_at
          FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    SET_END(UUIDOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID) =
        "UPDATE sso_attr.session SET expires_at = $4
          WHERE id OPERATOR(pg_catalog.=) $1 AND secret_digest OPERATOR(pg_catalog.=) $2
            AND expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    SET_DIGEST(UUIDOID, BYTEAOID, TIMESTAMPTZOID, BYTEAOID) =
        "UPDATE sso_attr.session SET secret_digest = $4
          WHERE id OPERATOR(pg_catalog.=) $1 AND secret_digest OPERATOR(pg_catalog.=) $2
            AND expires_at OPERATOR(pg_catalog.>) $3"
}
statement! {
    /// In name order, so that the cascade that follows never waits for a batch that waits for it.
    LOCK_ATTRIBUTES(UUIDOID) =
        "SELECT pg_catalog.count(*) FROM
              (SELECT FROM sso_attr.attribute WHERE session_id OPERATOR(pg_catalog.=) $1
               ORDER BY name FOR UPDATE) AS locked"
}
statement! {
    DELETE(UUIDOID) = "DELETE FROM sso_attr.session WHERE id OPERATOR(pg_catalog.=) $1"
}
statement! {
    LIST_BY_USER(TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID) =
        "SELECT id, user_id, current_app, remote_addr, user_agent, created_at, expires_at
          FROM sso_attr.session
          WHERE user_id OPERATOR(pg_catalog.=) $1
            AND expires_at OPERATOR(pg_catalog.>) $2 AND created_at OPERATOR(pg_catalog.>) $3
          ORDER BY created_at DESC, id DESC"
}
statement! {
    IDS_BY_USER(TEXTOID) =
        "SELECT id FROM sso_attr.session WHERE user_id OPERATOR(pg_catalog.=) $1 ORDER BY id"
}

/// The session that a claim proves, or the one error for everything else.
pub fn live(db: &Db, claim: &Claim, now: Timestamp) -> Result<Live> {
    judge(db, &PROBE, claim, now)
}

/// As [`live`], held against being ended until the transaction is over.
pub fn live_for_insert(db: &Db, claim: &Claim, now: Timestamp) -> Result<Live> {
    judge(db, &PROBE_KEY_SHARE, claim, now)
}

/// As [`live`], locked against every other use.
fn live_for_end(db: &Db, claim: &Claim, now: Timestamp) -> Result<Live> {
    judge(db, &PROBE_FOR_UPDATE, claim, now)
}

fn judge(db: &Db, probe: &'static LocalKey<Statement<1>>, claim: &Claim, now: Timestamp) -> Result<Live> {
    db.one(probe, [Param::Uuid(&claim.id)], |row| {
        let found = Live { id: claim.id, expires_at: row.time(2)?, created_at: row.time(3)? };
        (claim.digest.matches(row.bytes(1)?) && !is_over(&found, now)).then_some(found)
    })
    .ok_or(Error::SessionNotLive)
}

fn is_over(session: &Live, now: Timestamp) -> bool {
    capped_end(session.created_at, session.expires_at).is_over(now)
}

/// The end in force: the stored one, or the cap of sso_attr.session_max_lifetime if earlier.
pub fn capped_end(created_at: Timestamp, expires_at: Timestamp) -> Timestamp {
    match settings::session_max_lifetime() {
        Some(seconds) => expires_at.min(created_at.plus_seconds(seconds)),
        None => expires_at,
    }
}

/// The latest creation that puts a session past the cap; `None` where there is no cap.
pub fn youngest_aged(now: Timestamp) -> Option<Timestamp> {
    settings::session_max_lifetime().map(|seconds| now.plus_seconds(-seconds))
}

/// Stores a new session. An id that is there is in use, unless its session is over: then the
/// token is adopted afresh and nothing of the old session is left.
pub fn open(db: &Db, opening: &Opening<'_>) -> Result<()> {
    if let Some(end) = lock(db, opening.claim.id) {
        if !end.is_over(opening.created_at) {
            return Err(Error::TokenInUse);
        }
        remove(db, opening.claim.id);
    }
    let inserted = db.run(
        &INSERT,
        [
            Param::Uuid(&opening.claim.id),
            Param::Bytes(opening.claim.digest.as_bytes()),
            Param::Text(opening.user_id),
            opening.current_app.map_or(Param::Null, Param::Text),
            opening.remote_addr.map_or(Param::Null, Param::Inet),
            opening.user_agent.map_or(Param::Null, Param::Text),
            Param::Time(opening.created_at),
            Param::Time(opening.expires_at),
        ],
    );
    if inserted == 1 { Ok(()) } else { Err(Error::TokenInUse) }
}

/// The end in force of a session, live or not, that is locked against every other use.
fn lock(db: &Db, id: Uuid) -> Option<Timestamp> {
    db.one(&PROBE_FOR_UPDATE, [Param::Uuid(&id)], |row| Some(capped_end(row.time(3)?, row.time(2)?)))
}

/// All about a live session.
pub fn show(db: &Db, session: &Live) -> Result<Shown> {
    db.one(&SHOW, [Param::Uuid(&session.id)], shown).ok_or(Error::SessionNotLive)
}

/// The live sessions of a user, newest first.
pub fn list(db: &Db, user_id: &str, now: Timestamp) -> Vec<Shown> {
    let youngest_aged = youngest_aged(now).unwrap_or(Timestamp::BEFORE_ALL);
    db.all(&LIST_BY_USER, [Param::Text(user_id), Param::Time(now), Param::Time(youngest_aged)], shown)
}

fn shown(row: &Row<'_>) -> Option<Shown> {
    let (created_at, expires_at) = row.time(6).zip(row.time(7))?;
    Some(Shown {
        id: row.uuid(1)?,
        user_id: row.text(2)?.to_owned(),
        current_app: row.text(3).map(str::to_owned),
        remote_addr: row.inet(4),
        user_agent: row.text(5).map(str::to_owned),
        created_at,
        expires_at: capped_end(created_at, expires_at),
    })
}

/// Moves the end of a session whose claim still holds.
pub fn set_end(db: &Db, claim: &Claim, now: Timestamp, end: Timestamp) -> Result<()> {
    let params =
        [Param::Uuid(&claim.id), Param::Bytes(claim.digest.as_bytes()), Param::Time(now), Param::Time(end)];
    one(db.run(&SET_END, params))
}

/// Replaces the secret of a session whose claim still holds; of two concurrent rotations one wins.
pub fn set_digest(db: &Db, claim: &Claim, now: Timestamp, new: &Claim) -> Result<()> {
    let params = [
        Param::Uuid(&claim.id),
        Param::Bytes(claim.digest.as_bytes()),
        Param::Time(now),
        Param::Bytes(new.digest.as_bytes()),
    ];
    one(db.run(&SET_DIGEST, params))
}

fn one(changed: u64) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(Error::SessionNotLive) }
}

/// Ends a live session; false where there is none.
pub fn end(db: &Db, claim: &Claim, now: Timestamp) -> bool {
    let ended = live_for_end(db, claim, now).is_ok();
    if ended {
        remove(db, claim.id);
    }
    ended
}

/// Ends every session of a user but the kept one and counts those that were live.
pub fn end_all(db: &Db, user_id: &str, keep: Option<Uuid>, now: Timestamp) -> u64 {
    let ids = db.all(&IDS_BY_USER, [Param::Text(user_id)], |row| row.uuid(1));
    let mut live = 0;
    for id in ids.into_iter().filter(|id| Some(*id) != keep) {
        if let Some(end) = lock(db, id) {
            live += u64::from(!end.is_over(now));
            remove(db, id);
        }
    }
    live
}

/// Deletes a locked session with its attributes.
fn remove(db: &Db, id: Uuid) {
    db.run(&LOCK_ATTRIBUTES, [Param::Uuid(&id)]);
    db.run(&DELETE, [Param::Uuid(&id)]);
}
