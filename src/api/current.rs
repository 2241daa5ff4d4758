//! `sso_session_use` and `sso_current_*`, for row-level security.

use pgrx::prelude::*;
use sso_attr_core::name;

use super::call::reading;
use crate::current;
use crate::pg::clock;
use crate::pg::datum::Jsonb;
use crate::pg::report::Answer;
use crate::pg::spi::{Access, as_owner};
use crate::pg::text::Text;
use crate::protection;
use crate::store::attribute::Attributes;

/// Makes a live session the current one until the transaction is over; no session for any other text.
#[pg_extern(parallel_unsafe)]
fn sso_session_use(ust: Option<Text<'_>>) -> Answer<bool> {
    reading("sso_session_use", |call| {
        let claim = call.read(ust, |session| Ok(session.claim)).ok();
        current::set(claim);
        Ok(claim.is_some())
    })
}

/// The user of the current session.
#[pg_extern(stable, parallel_restricted)]
fn sso_current_user_id() -> Answer<Option<String>> {
    reading("sso_current_user_id", |_| Ok(current::get().and_then(|current| current.user_id)))
}

/// The id of the current session.
#[pg_extern(stable, parallel_restricted)]
fn sso_current_session_id() -> Answer<Option<pgrx::Uuid>> {
    reading("sso_current_session_id", |_| {
        Ok(current::get().map(|current| pgrx::Uuid::from_bytes(current.id.into_bytes())))
    })
}

/// The value of an attribute of the current session.
#[pg_extern(stable, parallel_restricted)]
fn sso_current_attr(name: Option<Text<'_>>) -> Answer<Option<Jsonb>> {
    reading("sso_current_attr", |call| {
        let name = name::validate_lookup(name.as_deref())?;
        let Some(current) = current::get() else { return Ok(None) };
        call.audit(|line| {
            line.session(current.id, current.user_id.as_deref(), None);
            line.name(name);
        });
        as_owner(Access::Read, |db| {
            let attributes = Attributes::new(db, current.id, clock::now());
            let value = attributes.get(name)?;
            value.map(|value| protection::reveal(&attributes, name, value)).transpose()
        })
    })
}
