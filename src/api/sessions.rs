//! `sso_session_*`.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::expiry::{Ttl, renewal_granule};
use sso_attr_core::token::{self, Claim};
use sso_attr_core::{Error, name};
use zeroize::Zeroizing;

use super::{answer, claim, on_session, ttl};
use crate::error::Answer;
use crate::pg::clock;
use crate::pg::datum::{Inet, TimestampTz};
use crate::pg::spi::{Access, as_owner};
use crate::settings;
use crate::store::session::{self, Opening, Shown};

/// Opens a session and returns its UST.
#[pg_extern]
fn sso_session_create(
    user_id: Option<&str>,
    current_app: default!(Option<&str>, "NULL"),
    remote_addr: default!(Option<Inet>, "NULL"),
    user_agent: default!(Option<&str>, "NULL"),
    expiration: default!(Option<f64>, "NULL"),
    ust: default!(Option<&str>, "NULL"),
) -> Answer<String> {
    answer(|| {
        let user_id = name::bounded("user_id", user_id)?;
        let current_app = name::optional("current_app", current_app)?;
        let ttl = ttl(expiration)?.unwrap_or_else(settings::session_expiration);
        let now = clock::now();
        let (text, claim) = match ust {
            Some(adopted) => (Zeroizing::new(adopted.to_owned()), token::adopt(adopted)?),
            None => {
                let issued = token::issue(now.unix_millis())?;
                (issued.text, issued.claim)
            }
        };
        let opening = Opening {
            claim,
            user_id,
            current_app,
            remote_addr,
            user_agent: user_agent.map(name::cut_user_agent),
            created_at: now,
            expires_at: session::capped_end(now, ttl.end(now)?),
        };
        as_owner(Access::Write, |db| session::open(db, &opening))?;
        Ok(text.as_str().to_owned())
    })
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
            session.expires_at.finite().map(TimestampTz::from),
        )
    }))
}

/// All about a live session.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_session_get(
    ust: Option<&str>,
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
    answer(|| on_session(Access::Read, ust, |call| Ok(rows(vec![session::show(call.db, &call.session)?]))))
}

/// Whether a text is the token of a live session.
#[pg_extern(stable, parallel_safe)]
fn sso_session_verify(ust: Option<&str>) -> bool {
    on_session(Access::Read, ust, |_| Ok(())).is_ok()
}

/// Moves a session's end, counted from now.
#[pg_extern]
fn sso_session_renew(
    ust: Option<&str>,
    expiration: default!(Option<f64>, "NULL"),
) -> Answer<Option<TimestampTz>> {
    answer(|| {
        let ttl = ttl(expiration)?.unwrap_or_else(settings::session_expiration);
        on_session(Access::Write, ust, |call| {
            let session = &call.session;
            let wanted = session::capped_end(session.created_at, ttl.end(call.now)?);
            let current = session::capped_end(session.created_at, session.expires_at);
            if is_worth_a_write(ttl, current.0, wanted.0) {
                session::set_end(call.db, &call.claim, call.now, wanted)?;
                return Ok(wanted.finite().map(TimestampTz::from));
            }
            Ok(current.finite().map(TimestampTz::from))
        })
    })
}

fn is_worth_a_write(ttl: Ttl, current: i64, wanted: i64) -> bool {
    wanted != current && wanted.abs_diff(current) >= renewal_granule(ttl).unsigned_abs()
}

/// Gives a session a new token; the old one is dead at once.
#[pg_extern]
fn sso_session_rotate(ust: Option<&str>) -> Answer<String> {
    answer(|| {
        on_session(Access::Write, ust, |call| {
            let issued = token::issue_for(call.session.id)?;
            session::set_digest(call.db, &call.claim, call.now, &issued.claim)?;
            Ok(issued.text.as_str().to_owned())
        })
    })
}

/// Ends a session with its attributes.
#[pg_extern]
fn sso_session_end(ust: Option<&str>) -> bool {
    let now = clock::now();
    ust.and_then(Claim::parse)
        .is_some_and(|claim| as_owner(Access::Write, |db| session::end(db, &claim, now)))
}

/// Ends every session of a user, except one.
#[pg_extern]
fn sso_session_end_all(user_id: Option<&str>, keep_ust: default!(Option<&str>, "NULL")) -> Answer<i64> {
    answer(|| {
        let user_id = name::bounded("user_id", user_id)?;
        let now = clock::now();
        let keep = keep_ust.map(|ust| claim(Some(ust))).transpose()?;
        as_owner(Access::Write, |db| {
            if let Some(claim) = &keep {
                let kept = session::live(db, claim, now)?;
                if session::show(db, &kept)?.user_id != user_id {
                    return Err(Error::SessionNotLive);
                }
            }
            Ok(session::end_all(db, user_id, keep.map(|claim| claim.id), now) as i64)
        })
    })
}

/// The live sessions of a user, newest first.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_session_list(
    user_id: Option<&str>,
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
    answer(|| {
        let user_id = name::bounded("user_id", user_id)?;
        let now = clock::now();
        Ok(rows(as_owner(Access::Read, |db| session::list(db, user_id, now))))
    })
}
