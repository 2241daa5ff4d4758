//! `sso_session_load` and `sso_session_save`: what a web framework reads when a request begins and
//! writes when it ends, in one call each.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::error::quoted;
use sso_attr_core::{Error, Result, name};

use super::attributes::to_object;
use super::call::{changing, reading};
use super::expiry::deadline;
use super::names::lookups;
use super::{sessions, value};
use crate::lifetime;
use crate::pg::datum::{Inet, Jsonb, TimestampTz};
use crate::pg::interrupt;
use crate::pg::report::{Answer, collected, push};
use crate::pg::spi::{Access, as_owner};
use crate::pg::text::{Text, TextDatum, Texts};
use crate::protection::{self, Item, Protection};
use crate::store::attribute::Attributes;
use crate::store::session;
use crate::store::turn;

/// All about a live session and its attributes as one object; no row for anything else.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_session_load(
    ust: Option<Text<'_>>,
) -> std::result::Result<
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
            name!(attributes, Jsonb),
        ),
    >,
    ErrorReport,
> {
    reading("sso_session_load", |call| {
        let Ok(claim) = call.claim(ust) else { return Ok(TableIterator::new(None)) };
        let loaded = as_owner(Access::Read, |db| {
            let found = session::find_and_show(db, &claim);
            call.note_proof(found.as_ref());
            let Some(shown) = found else { return Ok(None) };
            if lifetime::capped(shown.created_at, shown.expires_at).is_over(call.now) {
                return Ok(None);
            }
            let attributes = Attributes::new(db, shown.id, call.now);
            let values = collected(
                attributes
                    .list()?
                    .into_iter()
                    .map(|row| Ok((row.name, protection::reveal(&attributes, &row.name, row.value)?))),
            )?;
            Ok(Some((shown, values)))
        })?;
        let Some((shown, values)) = loaded else { return Ok(TableIterator::new(None)) };
        let attributes = to_object(&values)?;
        let (id, user_id, app, addr, agent, created_at, last_seen_at, expires_at) = sessions::row(shown);
        Ok(TableIterator::once((
            id,
            user_id,
            app,
            addr,
            agent,
            created_at,
            last_seen_at,
            expires_at,
            attributes,
        )))
    })
}

/// Writes what has changed in a session, deletes what was removed, and renews it.
#[pg_extern]
#[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
fn sso_session_save(
    ust: Option<Text<'_>>,
    changed: Option<Jsonb>,
    removed: default!(Option<Texts<'_>>, "NULL"),
    expiration: default!(Option<f64>, "NULL"),
    replace: default!(Option<bool>, "false"),
    encrypt: default!(Option<Texts<'_>>, "NULL"),
    expires_at: default!(Option<TimestampTz>, "NULL"),
) -> Answer<Option<TimestampTz>> {
    changing("sso_session_save", |call| {
        let changed = changed.ok_or_else(|| Error::argument("changed must not be null"))?;
        let items = items(&changed, &or_none("encrypt", encrypt)?)?;
        let removed = or_none("removed", removed)?;
        if let Some(item) = items.iter().find(|item| removed.binary_search(&item.name).is_ok()) {
            return Err(Error::argument(format!("name {} is both changed and removed", quoted(item.name))));
        }
        let asked = deadline(call.now, expiration, expires_at)?;
        call.insert(ust, &items, |session| {
            let attributes = &session.attributes;
            let present = match replace {
                Some(true) => {
                    // Of two calls that replace everything, the later one sees what the first has left.
                    turn::of_session(session.db(), session.found.id, call.now);
                    attributes.names()
                }
                _ => attributes.present(&removed)?,
            };
            let is_changed = |name: &str| items.binary_search_by(|item| item.name.cmp(name)).is_ok();
            let names = present.iter().map(|name| &**name);
            let doomed = collected(names.filter(|name| !is_changed(name)).map(Ok))?;
            call.audit(|line| {
                line.names(items.iter().map(|item| item.name));
                line.names(doomed.iter().copied());
                line.count((items.len() + doomed.len()) as u64);
            });
            protection::save(attributes, &items, &doomed)?;
            sessions::renew(call, session, asked)
        })
    })
}

/// The names; NULL stands for none.
fn or_none<'a>(what: &str, names: Option<Texts<'a>>) -> Result<Vec<&'a str>> {
    names.map_or(Ok(Vec::new()), |names| lookups(what, names))
}

/// The entries of an object as items, in byte order of their names.
fn items<'a>(changed: &'a Jsonb, sealed: &[&str]) -> Result<Vec<Item<'a>>> {
    let entries = changed.entries().ok_or_else(|| Error::argument("changed must be a JSON object"))?;
    let mut items = Vec::new();
    for (name, part) in entries {
        interrupt::check();
        let name = name::validate_new(Some(name))?;
        let protection = match sealed.binary_search(&name) {
            Ok(_) => Protection::Sealed,
            Err(_) => Protection::AsStored,
        };
        push(&mut items, Item { name, json: value::copy(part)?, protection, expires_at: None })?;
    }
    items.sort_unstable_by(|one: &Item<'_>, other| {
        interrupt::check();
        one.name.cmp(other.name)
    });
    Ok(items)
}
