//! `sso_session_*`.

use std::net::IpAddr;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::expiry::{Timestamp, Ttl, renewal_granule};
use sso_attr_core::token::{self, Claim};
use sso_attr_core::{Error, name};
use zeroize::Zeroizing;

use super::call::{Call, Session, changing, claim, live, reading};
use super::expiry::{Deadline, deadline};
use crate::lifetime;
use crate::pg::datum::{Inet, TimestampTz};
use crate::pg::interrupt;
use crate::pg::report::Answer;
use crate::pg::spi::{Access, Db, as_owner};
use crate::pg::text::{Text, TextDatum};
use crate::store::session::{self, Found, IdleLimit, Opening, Shown};
use crate::store::turn;

/// The id of the session that a text names, if it is a token: no table is looked at, so it is nothing to audit.
#[pg_extern(immutable, parallel_safe)]
fn sso_session_id(ust: Option<Text<'_>>) -> Option<pgrx::Uuid> {
    let claim = ust.and_then(|ust| Claim::parse(&ust))?;
    Some(pgrx::Uuid::from_bytes(claim.id.into_bytes()))
}

/// Opens a session and returns its UST.
#[pg_extern]
#[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
fn sso_session_create(
    user_id: default!(Option<Text<'_>>, "NULL"),
    current_app: default!(Option<Text<'_>>, "NULL"),
    remote_addr: default!(Option<Inet>, "NULL"),
    user_agent: default!(Option<Text<'_>>, "NULL"),
    expiration: default!(Option<f64>, "NULL"),
    ust: default!(Option<Text<'_>>, "NULL"),
    keep_newest: default!(Option<i32>, "NULL"),
    expires_at: default!(Option<TimestampTz>, "NULL"),
) -> Answer<String> {
    let address = || Ok(remote_addr);
    create(user_id, current_app, address, user_agent, expiration, ust, keep_newest, expires_at)
}

/// As sso_session_create, for an address that a driver or a proxy hands over as text.
#[pg_extern(name = "sso_session_create")]
#[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
fn sso_session_create_from_text(
    user_id: Option<Text<'_>>,
    current_app: Option<Text<'_>>,
    remote_addr: Option<Text<'_>>,
    user_agent: default!(Option<Text<'_>>, "NULL"),
    expiration: default!(Option<f64>, "NULL"),
    ust: default!(Option<Text<'_>>, "NULL"),
    keep_newest: default!(Option<i32>, "NULL"),
    expires_at: default!(Option<TimestampTz>, "NULL"),
) -> Answer<String> {
    let address = || address(remote_addr.as_deref());
    create(user_id, current_app, address, user_agent, expiration, ust, keep_newest, expires_at)
}

/// An address as text; an empty one is none.
pub fn address(text: Option<&str>) -> sso_attr_core::Result<Option<Inet>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.contains(',') {
        return Err(Error::Argument {
            message: "remote_addr must be one address".into(),
            hint: Some("Of an X-Forwarded-For list, give the address that your own proxy added."),
        });
    }
    // Checked here, since PostgreSQL's own error quotes the text, which can be anything.
    let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(0..=32)) | (Ok(IpAddr::V6(_)), Ok(0..=128)) => Ok(Some(Inet::from_text(text))),
        _ => Err(Error::argument("remote_addr is not an address")),
    }
}

#[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
fn create(
    user_id: Option<Text<'_>>,
    current_app: Option<Text<'_>>,
    remote_addr: impl FnOnce() -> sso_attr_core::Result<Option<Inet>>,
    user_agent: Option<Text<'_>>,
    expiration: Option<f64>,
    ust: Option<Text<'_>>,
    keep_newest: Option<i32>,
    expires_at: Option<TimestampTz>,
) -> Answer<String> {
    changing("sso_session_create", |call| {
        let remote_addr = remote_addr()?;
        let user_id = user_id
            .as_deref()
            .map(|user_id| name::validate_required("user_id", Some(user_id)))
            .transpose()?;
        let request = Request::new(
            call,
            current_app.as_deref(),
            remote_addr,
            user_agent.as_deref(),
            expiration,
            expires_at,
            ust.as_deref(),
            keep_newest,
        )?;
        if keep_newest.is_some() && user_id.is_none() {
            return Err(Error::argument("keep_newest needs a user_id"));
        }
        as_owner(Access::Write, |db| request.open(db, call, user_id))
    })
}

/// A session that is to be opened, its arguments checked; for whom is not yet decided.
pub struct Request<'a> {
    current_app: Option<&'a str>,
    remote_addr: Option<Inet>,
    user_agent: Option<&'a str>,
    deadline: Deadline,
    text: Zeroizing<String>,
    claim: Claim,
    /// How many sessions of the user beside this one may remain.
    others: Option<usize>,
}

impl<'a> Request<'a> {
    #[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
    pub fn new(
        call: &Call,
        current_app: Option<&'a str>,
        remote_addr: Option<Inet>,
        user_agent: Option<&'a str>,
        expiration: Option<f64>,
        expires_at: Option<TimestampTz>,
        ust: Option<&str>,
        keep_newest: Option<i32>,
    ) -> sso_attr_core::Result<Self> {
        let current_app = name::validate_optional("current_app", current_app)?;
        let deadline = deadline(call.now, expiration, expires_at)?
            .map_or_else(|| Deadline::after(crate::settings::session_expiration(), call.now), Ok)?;
        let others = keep_newest.map(others).transpose()?;
        let (text, claim) = match ust {
            Some(adopted) => (Zeroizing::new(adopted.to_owned()), token::adopt(adopted)?),
            None => {
                let issued = token::issue(call.now.unix_millis())?;
                (issued.text, issued.claim)
            }
        };
        let user_agent = user_agent.map(name::cut_user_agent);
        Ok(Request { current_app, remote_addr, user_agent, deadline, text, claim, others })
    }

    /// Opens it and returns its UST.
    pub fn open(&self, db: &Db, call: &Call, user_id: Option<&str>) -> sso_attr_core::Result<String> {
        if let (Some(user_id), Some(_)) = (user_id, self.others) {
            turn::of_user(db, user_id, call.now);
        }
        let opening = Opening {
            claim: self.claim,
            user_id,
            current_app: self.current_app,
            remote_addr: self.remote_addr,
            user_agent: self.user_agent,
            created_at: call.now,
            expires_at: lifetime::capped(call.now, self.deadline.expires_at),
            idle_limit: self.deadline.idle_limit,
        };
        vacate(db, &opening)?;
        if let (Some(user_id), Some(others)) = (user_id, self.others) {
            end_oldest(db, call, user_id, others);
        }
        if !session::insert(db, &opening) {
            return Err(Error::TokenInUse);
        }
        call.audit(|line| line.session(self.claim.id, user_id, self.current_app));
        Ok(self.text.as_str().to_owned())
    }
}

fn others(keep_newest: i32) -> sso_attr_core::Result<usize> {
    match usize::try_from(keep_newest) {
        Ok(count @ 1..) => Ok(count - 1),
        _ => Err(Error::argument("keep_newest must be at least 1")),
    }
}

/// Ends a user's sessions except the newest `others`. The caller holds the user's turn, so that another
/// call that does the same for this user comes before or after, not meanwhile.
fn end_oldest(db: &Db, call: &Call, user_id: &str, others: usize) {
    for session in session::list(db, user_id, call.now, created_after(call)).into_iter().skip(others) {
        interrupt::check();
        session::end(db, session.id, call.now, created_after(call));
        session::delete_free(db, session.id);
    }
}

/// An id that exists is in use, unless its session is over: then the token is adopted afresh and
/// nothing of the old session is left.
fn vacate(db: &Db, opening: &Opening<'_>) -> sso_attr_core::Result<()> {
    if let Some(found) = session::lock(db, opening.claim.id) {
        if live(Some(found), opening.created_at).is_ok() {
            return Err(Error::TokenInUse);
        }
        session::delete_locked(db, found.id);
    }
    Ok(())
}

/// The columns in which a session is shown.
pub type SessionRow = (
    pgrx::Uuid,
    Option<TextDatum>,
    Option<TextDatum>,
    Option<Inet>,
    Option<TextDatum>,
    TimestampTz,
    TimestampTz,
    Option<TimestampTz>,
);

pub fn row(session: Shown) -> SessionRow {
    (
        pgrx::Uuid::from_bytes(session.id.into_bytes()),
        session.user_id,
        session.current_app,
        session.remote_addr,
        session.user_agent,
        session.created_at.into(),
        session.last_seen_at.into(),
        lifetime::capped(session.created_at, session.expires_at).finite().map(TimestampTz::from),
    )
}

/// All about a live session.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_session_get(
    ust: Option<Text<'_>>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(session_id, pgrx::Uuid),
            name!(user_id, Option<TextDatum>),
            name!(current_app, Option<TextDatum>),
            name!(remote_addr, Option<Inet>),
            name!(user_agent, Option<TextDatum>),
            name!(created_at, TimestampTz),
            name!(last_seen_at, TimestampTz),
            name!(expires_at, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    reading("sso_session_get", |call| {
        let shown = call.read(ust, |session| {
            session::show(session.db(), session.found.id).ok_or(Error::SessionNotLive)
        })?;
        Ok(TableIterator::once(row(shown)))
    })
}

/// Whether a text is the token of a live session.
#[pg_extern(stable, parallel_safe)]
fn sso_session_verify(ust: Option<Text<'_>>) -> Answer<bool> {
    reading("sso_session_verify", |call| Ok(call.read(ust, |_| Ok(())).is_ok()))
}

/// Has a session expire at another time, counted from now.
#[pg_extern]
fn sso_session_renew(
    ust: Option<Text<'_>>,
    expiration: default!(Option<f64>, "NULL"),
    expires_at: default!(Option<TimestampTz>, "NULL"),
) -> Answer<Option<TimestampTz>> {
    changing("sso_session_renew", |call| {
        let asked = deadline(call.now, expiration, expires_at)?;
        call.write(ust, |session| renew(call, session, asked))
    })
}

/// Has a session expire when the caller asks, or else by its own idle limit, and returns when it does.
/// Writes nothing if the end would move by less than a granule.
pub fn renew(
    call: &Call,
    session: &Session<'_>,
    asked: Option<Deadline>,
) -> sso_attr_core::Result<Option<TimestampTz>> {
    let Found { id, created_at, expires_at, idle_limit } = session.found;
    let asked = match asked {
        Some(asked) => asked,
        None => {
            let IdleLimit(idle_limit) = idle_limit.unwrap_or_else(|| session::idle_limit(session.db(), id));
            Deadline::after(idle_limit.map_or(Ttl::Never, Ttl::Micros), call.now)?
        }
    };
    let wanted = lifetime::capped(created_at, asked.expires_at);
    let current = lifetime::capped(created_at, expires_at);
    if !is_worth_a_write(asked, current, wanted, call.now) {
        return Ok(current.finite().map(TimestampTz::from));
    }
    if !session::set_expires_at(session.db(), id, &session.claim, call.now, wanted) {
        return Err(Error::SessionNotLive);
    }
    Ok(wanted.finite().map(TimestampTz::from))
}

fn is_worth_a_write(asked: Deadline, current: Timestamp, wanted: Timestamp, now: Timestamp) -> bool {
    let granule = renewal_granule(asked.idle_limit.map_or(Ttl::Never, Ttl::Micros)).unsigned_abs();
    wanted != current && (wanted.0.abs_diff(current.0) >= granule || wanted.is_over(now))
}

/// Gives a session a new token, and an anonymous one its user; the old token is dead at once.
#[pg_extern]
fn sso_session_rotate(
    ust: Option<Text<'_>>,
    user_id: default!(Option<Text<'_>>, "NULL"),
    new_ust: default!(Option<Text<'_>>, "NULL"),
) -> Answer<String> {
    changing("sso_session_rotate", |call| {
        let user_id = user_id
            .as_deref()
            .map(|user_id| name::validate_required("user_id", Some(user_id)))
            .transpose()?;
        let adopted = new_ust.as_deref().map(|text| Ok((text, token::adopt(text)?))).transpose()?;
        call.write(ust, |session| match adopted {
            Some((text, new)) => {
                adopt(session, call, &new)?;
                replace_token(session, call, &new, user_id)?;
                Ok(text.to_owned())
            }
            None => {
                let issued = token::issue_for(session.found.id)?;
                replace_token(session, call, &issued.claim, user_id)?;
                Ok(issued.text.as_str().to_owned())
            }
        })
    })
}

/// Has the id of an adopted token lead to a session that has an id of its own.
fn adopt(session: &Session<'_>, call: &Call, new: &Claim) -> sso_attr_core::Result<()> {
    let db = session.db();
    if let Some(found) = session::lock(db, new.id) {
        if found.id == session.found.id || live(Some(found), call.now).is_ok() {
            return Err(Error::TokenInUse);
        }
        session::delete_locked(db, found.id);
    }
    match session::insert_alias(db, new.id, session.found.id, call.now) {
        true => Ok(()),
        false => Err(Error::TokenInUse),
    }
}

fn replace_token(
    session: &Session<'_>,
    call: &Call,
    new: &Claim,
    user_id: Option<&str>,
) -> sso_attr_core::Result<()> {
    let (db, id) = (session.db(), session.found.id);
    if session::set_digest(db, id, &session.claim, call.now, new, user_id) {
        if let Some(user_id) = user_id {
            call.audit(|line| line.user(user_id));
        }
        return Ok(());
    }
    live(session::find(db, &session.claim), call.now)?;
    Err(Error::OtherUser)
}

/// Ends a session with its attributes.
///
/// A session that is ended is over for everybody when the call commits, whoever is writing into it;
/// the rows that nobody else holds go at once, the others with the purge.
#[pg_extern]
fn sso_session_end(ust: Option<Text<'_>>) -> Answer<bool> {
    changing("sso_session_end", |call| {
        let ended = call.write(ust, |session| {
            let (db, id) = (session.db(), session.found.id);
            let ended = session::end_proven(db, id, &session.claim, call.now, created_after(call));
            if ended {
                session::delete_free(db, id);
            }
            Ok(ended)
        });
        match ended {
            Err(Error::SessionNotLive) => Ok(false),
            ended => ended,
        }
    })
}

/// Ends one of a user's sessions by the id that the list shows.
#[pg_extern]
fn sso_session_end_one(user_id: Option<Text<'_>>, session_id: Option<pgrx::Uuid>) -> Answer<bool> {
    changing("sso_session_end_one", |call| {
        let user_id = name::validate_required("user_id", user_id.as_deref())?;
        let id = session_id.ok_or_else(|| Error::argument("session_id must not be null"))?;
        let id = uuid::Uuid::from_bytes(*id.as_bytes());
        as_owner(Access::Write, |db| {
            let ended = session::end_of_user(db, id, user_id, call.now, created_after(call));
            call.audit(|line| line.claimed(id));
            if ended {
                call.audit(|line| line.session(id, Some(user_id), None));
                session::delete_free(db, id);
            }
            Ok(ended)
        })
    })
}

/// Lets the audit know whose sessions these are. A text without sessions need not be a user's id.
fn note_user(call: &Call, user_id: &str, sessions: usize) {
    call.audit(|line| {
        line.count(sessions as u64);
        if sessions > 0 {
            line.user(user_id);
        }
    });
}

/// Sessions created after this instant are not past the cap.
fn created_after(call: &Call) -> Timestamp {
    lifetime::latest_past_cap(call.now).unwrap_or(Timestamp::BEFORE_ALL)
}

/// Ends every session of a user, except one.
#[pg_extern]
fn sso_session_end_all(
    user_id: Option<Text<'_>>,
    keep_ust: default!(Option<Text<'_>>, "NULL"),
) -> Answer<i64> {
    changing("sso_session_end_all", |call| {
        let user_id = name::validate_required("user_id", user_id.as_deref())?;
        let keep = keep_ust.map(|ust| claim(Some(ust))).transpose()?;
        as_owner(Access::Write, |db| end_others(db, call, user_id, keep.as_ref()))
    })
}

/// Ends every session of a user but the one that a claim proves, and counts those that were live.
pub fn end_others(db: &Db, call: &Call, user_id: &str, keep: Option<&Claim>) -> sso_attr_core::Result<i64> {
    let kept = match keep {
        None => None,
        Some(claim) => {
            let kept = live(session::find(db, claim), call.now)?.id;
            let shown = session::show(db, kept).ok_or(Error::SessionNotLive)?;
            if shown.user_id.as_deref() != Some(user_id) {
                return Err(Error::SessionNotLive);
            }
            Some(kept)
        }
    };
    let mut ended = 0;
    let ids = session::ids(db, user_id);
    note_user(call, user_id, ids.len());
    for id in ids.into_iter().filter(|id| Some(*id) != kept) {
        interrupt::check();
        ended += i64::from(session::end(db, id, call.now, created_after(call)));
        session::delete_free(db, id);
    }
    call.audit(|line| line.count(ended.unsigned_abs()));
    Ok(ended)
}

/// The live sessions of a user, newest first.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_session_list(
    user_id: Option<Text<'_>>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(session_id, pgrx::Uuid),
            name!(user_id, Option<TextDatum>),
            name!(current_app, Option<TextDatum>),
            name!(remote_addr, Option<Inet>),
            name!(user_agent, Option<TextDatum>),
            name!(created_at, TimestampTz),
            name!(last_seen_at, TimestampTz),
            name!(expires_at, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    reading("sso_session_list", |call| {
        let user_id = name::validate_required("user_id", user_id.as_deref())?;
        let listed = as_owner(Access::Read, |db| session::list(db, user_id, call.now, created_after(call)));
        note_user(call, user_id, listed.len());
        Ok(TableIterator::new(listed.into_iter().map(row)))
    })
}
