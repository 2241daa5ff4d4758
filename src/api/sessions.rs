//! `sso_session_*`.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::expiry::{Ttl, renewal_granule};
use sso_attr_core::token;
use sso_attr_core::{Error, name};
use zeroize::Zeroizing;

use super::call::{Call, call, claim, live, ttl};
use crate::lifetime;
use crate::pg::datum::{Inet, TimestampTz};
use crate::pg::interrupt;
use crate::pg::report::Answer;
use crate::pg::spi::{Access, Db, as_owner};
use crate::pg::text::Text;
use crate::settings;
use crate::store::session::{self, Found, Opening, Shown};

/// Opens a session and returns its UST.
#[pg_extern]
fn sso_session_create(
    user_id: Option<Text<'_>>,
    current_app: default!(Option<Text<'_>>, "NULL"),
    remote_addr: default!(Option<Inet>, "NULL"),
    user_agent: default!(Option<Text<'_>>, "NULL"),
    expiration: default!(Option<f64>, "NULL"),
    ust: default!(Option<Text<'_>>, "NULL"),
) -> Answer<String> {
    call(|call| {
        let user_id = name::validate_required("user_id", user_id.as_deref())?;
        let current_app = name::validate_optional("current_app", current_app.as_deref())?;
        let ttl = ttl(expiration)?.unwrap_or_else(settings::session_expiration);
        let (text, claim) = match ust {
            Some(adopted) => (Zeroizing::new(str::to_owned(&adopted)), token::adopt(&adopted)?),
            None => {
                let issued = token::issue(call.now.unix_millis())?;
                (issued.text, issued.claim)
            }
        };
        let opening = Opening {
            claim,
            user_id,
            current_app,
            remote_addr,
            user_agent: user_agent.as_deref().map(name::cut_user_agent),
            created_at: call.now,
            expires_at: lifetime::capped(call.now, ttl.expires_at(call.now)?),
        };
        as_owner(Access::Write, |db| open(db, &opening))?;
        Ok(text.as_str().to_owned())
    })
}

/// An id that is there is in use, unless its session is over: then the token is adopted afresh and
/// nothing of the old session is left.
fn open(db: &Db, opening: &Opening<'_>) -> sso_attr_core::Result<()> {
    if let Some(found) = session::lock(db, opening.claim.id) {
        if live(Some(found), opening.created_at).is_ok() {
            return Err(Error::TokenInUse);
        }
        session::delete_locked(db, opening.claim.id);
    }
    if session::insert(db, opening) { Ok(()) } else { Err(Error::TokenInUse) }
}

type SessionRow =
    (pgrx::Uuid, String, Option<String>, Option<Inet>, Option<String>, TimestampTz, Option<TimestampTz>);

fn rows(sessions: Vec<Shown>) -> TableIterator<'static, SessionRow> {
    TableIterator::new(sessions.into_iter().map(|session| {
        (
            pgrx::Uuid::from_bytes(session.id.into_bytes()),
            session.user_id,
            session.current_app,
            session.remote_addr,
            session.user_agent,
            session.created_at.into(),
            lifetime::capped(session.created_at, session.expires_at).finite().map(TimestampTz::from),
        )
    }))
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
            name!(user_id, String),
            name!(current_app, Option<String>),
            name!(remote_addr, Option<Inet>),
            name!(user_agent, Option<String>),
            name!(created_at, TimestampTz),
            name!(expires_at, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    call(|call| {
        let shown = call.read(ust, |session| {
            session::show(session.db(), session.claim.id).ok_or(Error::SessionNotLive)
        })?;
        Ok(rows(vec![shown]))
    })
}

/// Whether a text is the token of a live session.
#[pg_extern(stable, parallel_safe)]
fn sso_session_verify(ust: Option<Text<'_>>) -> Answer<bool> {
    call(|call| Ok(call.read(ust, |_| Ok(())).is_ok()))
}

/// Moves a session's end, counted from now.
#[pg_extern]
fn sso_session_renew(
    ust: Option<Text<'_>>,
    expiration: default!(Option<f64>, "NULL"),
) -> Answer<Option<TimestampTz>> {
    call(|call| {
        let ttl = ttl(expiration)?.unwrap_or_else(settings::session_expiration);
        let asked = ttl.expires_at(call.now)?;
        call.write(ust, |session| {
            let Found { created_at, expires_at } = session.found;
            let wanted = lifetime::capped(created_at, asked);
            let current = lifetime::capped(created_at, expires_at);
            if !is_worth_a_write(ttl, current, wanted) {
                return Ok(current.finite().map(TimestampTz::from));
            }
            if !session::set_expires_at(session.db(), &session.claim, call.now, wanted) {
                return Err(Error::SessionNotLive);
            }
            Ok(wanted.finite().map(TimestampTz::from))
        })
    })
}

fn is_worth_a_write(ttl: Ttl, Timestamp(current): Timestamp, Timestamp(wanted): Timestamp) -> bool {
    wanted != current && wanted.abs_diff(current) >= renewal_granule(ttl).unsigned_abs()
}

/// Gives a session a new token; the old one is dead at once.
#[pg_extern]
fn sso_session_rotate(ust: Option<Text<'_>>) -> Answer<String> {
    call(|call| {
        call.write(ust, |session| {
            let issued = token::issue_for(session.claim.id)?;
            if !session::set_digest(session.db(), &session.claim, call.now, &issued.claim) {
                return Err(Error::SessionNotLive);
            }
            Ok(issued.text.as_str().to_owned())
        })
    })
}

/// Ends a session with its attributes.
///
/// A session that is ended is over for everybody when the call commits, whoever is writing into it;
/// the rows that nobody else holds go at once, the others with the purge.
#[pg_extern]
fn sso_session_end(ust: Option<Text<'_>>) -> Answer<bool> {
    call(|call| {
        let ended = call.write(ust, |session| {
            let (db, claim) = (session.db(), &session.claim);
            let ended = session::end_proven(db, claim, call.now, created_after(call));
            if ended {
                session::delete_free(db, claim.id);
            }
            Ok(ended)
        });
        match ended {
            Err(Error::SessionNotLive) => Ok(false),
            ended => ended,
        }
    })
}

/// The creation after which sessions are not past the cap.
fn created_after(call: &Call) -> Timestamp {
    lifetime::latest_past_cap(call.now).unwrap_or(Timestamp::BEFORE_ALL)
}

/// Ends every session of a user, except one.
#[pg_extern]
fn sso_session_end_all(
    user_id: Option<Text<'_>>,
    keep_ust: default!(Option<Text<'_>>, "NULL"),
) -> Answer<i64> {
    call(|call| {
        let user_id = name::validate_required("user_id", user_id.as_deref())?;
        let keep = keep_ust.map(|ust| claim(Some(ust))).transpose()?;
        as_owner(Access::Write, |db| {
            if let Some(claim) = &keep {
                live(session::find(db, claim), call.now)?;
                let kept = session::show(db, claim.id).ok_or(Error::SessionNotLive)?;
                if kept.user_id != user_id {
                    return Err(Error::SessionNotLive);
                }
            }
            let kept = keep.map(|claim| claim.id);
            let mut ended = 0;
            for id in session::ids(db, user_id).into_iter().filter(|id| Some(*id) != kept) {
                interrupt::check();
                ended += i64::from(session::end(db, id, call.now, created_after(call)));
                session::delete_free(db, id);
            }
            Ok(ended)
        })
    })
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
            name!(user_id, String),
            name!(current_app, Option<String>),
            name!(remote_addr, Option<Inet>),
            name!(user_agent, Option<String>),
            name!(created_at, TimestampTz),
            name!(expires_at, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    call(|call| {
        let user_id = name::validate_required("user_id", user_id.as_deref())?;
        Ok(rows(as_owner(Access::Read, |db| session::list(db, user_id, call.now, created_after(call)))))
    })
}
