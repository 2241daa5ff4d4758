//! `sso_attr_*` on one attribute, and on all of a session.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::envelope::Place;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::{Error, Result, name};

use super::{Call, answer, end, inserting, on_session, ttl, value};
use crate::error::Answer;
use crate::pg::any::AnyValue;
use crate::pg::datum::{Jsonb, TimestampTz};
use crate::pg::jsonb::Object;
use crate::pg::spi::Access;
use crate::store::attribute::{self, Stored};

/// Creates an attribute; one that is there raises unique_violation.
#[pg_extern]
fn sso_attr_create(
    ust: Option<&str>,
    name: Option<&str>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "false"),
) -> Answer<()> {
    answer(|| {
        let name = name::written(name)?;
        let ttl = ttl(expiration)?;
        let json = value::decode(value)?;
        inserting(ust, |call| {
            let content = value::protect(call.db, place(call, name), json, encrypt.unwrap_or(false))?;
            if attribute::create(call.db, &call.session, name, &content, end(ttl, call.now)?, call.now) {
                return Ok(());
            }
            Err(Error::AttributeExists(vec![name.to_owned()]))
        })
    })
}

/// Replaces the value of an attribute; one that is not there raises no_data_found.
#[pg_extern]
fn sso_attr_update(
    ust: Option<&str>,
    name: Option<&str>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<()> {
    answer(|| {
        let name = name::written(name)?;
        let ttl = ttl(expiration)?;
        let json = value::decode(value)?;
        on_session(Access::Write, ust, |call| {
            let end = end(ttl, call.now)?;
            let updated = value::write(
                call.db,
                place(call, name),
                json,
                encrypt,
                |content| attribute::update(call.db, &call.session, name, content, end, call.now),
                || attribute::is_sealed(call.db, &call.session, name, call.now),
            )?;
            if updated { Ok(()) } else { Err(call.unless_ended(missing(name))) }
        })
    })
}

/// Creates or replaces an attribute.
#[pg_extern]
fn sso_attr_set(
    ust: Option<&str>,
    name: Option<&str>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<()> {
    answer(|| {
        let name = name::written(name)?;
        let ttl = ttl(expiration)?;
        let json = value::decode(value)?;
        inserting(ust, |call| {
            let end = end(ttl, call.now)?;
            let set = value::write(
                call.db,
                place(call, name),
                json,
                encrypt,
                |content| attribute::set(call.db, &call.session, name, content, end, call.now),
                || attribute::is_sealed(call.db, &call.session, name, call.now),
            )?;
            if set { Ok(()) } else { Err(call.unless_ended(missing(name))) }
        })
    })
}

fn place<'a>(call: &Call<'_>, name: &'a str) -> Place<'a> {
    Place { session: call.session.id, name }
}

fn missing(name: &str) -> Error {
    Error::AttributeMissing(vec![name.to_owned()])
}

/// The value of an attribute; NULL where it is not there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get(ust: Option<&str>, name: Option<&str>) -> Answer<Option<Jsonb>> {
    answer(|| get(ust, name))
}

/// The value as text, a string without its quotes; NULL where it is not there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get_text(ust: Option<&str>, name: Option<&str>) -> Answer<Option<String>> {
    answer(|| Ok(get(ust, name)?.and_then(Jsonb::to_unquoted)))
}

fn get(ust: Option<&str>, name: Option<&str>) -> Result<Option<Jsonb>> {
    let name = name::sought(name)?;
    let (session, stored) = on_session(Access::Read, ust, |call| {
        Ok((call.session, attribute::get(call.db, &call.session, name, call.now)))
    })?;
    stored.map(|stored| value::reveal(Place { session: session.id, name }, &stored)).transpose()
}

/// Gives the value and deletes the attribute in the same step; NULL where it is not there.
#[pg_extern]
fn sso_attr_take(ust: Option<&str>, name: Option<&str>) -> Answer<Option<Jsonb>> {
    answer(|| {
        let name = name::sought(name)?;
        let (session, stored) = on_session(Access::Write, ust, |call| {
            let stored = attribute::take(call.db, &call.session, name, call.now);
            call.still_live(stored.is_some())?;
            Ok((call.session, stored))
        })?;
        stored.map(|stored| value::reveal(Place { session: session.id, name }, &stored)).transpose()
    })
}

/// Deletes an attribute; false where it is not there.
#[pg_extern]
fn sso_attr_delete(ust: Option<&str>, name: Option<&str>) -> Answer<bool> {
    answer(|| {
        let name = name::sought(name)?;
        on_session(Access::Write, ust, |call| {
            let deleted = attribute::delete(call.db, &call.session, name, call.now);
            call.still_live(deleted)?;
            Ok(deleted)
        })
    })
}

/// Whether an attribute is there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_exists(ust: Option<&str>, name: Option<&str>) -> Answer<bool> {
    answer(|| {
        let name = name::sought(name)?;
        on_session(Access::Read, ust, |call| Ok(attribute::exists(call.db, &call.session, name, call.now)))
    })
}

/// Moves the end of an attribute; one that is not there raises no_data_found.
#[pg_extern]
fn sso_attr_set_expiry(ust: Option<&str>, name: Option<&str>, expiration: Option<f64>) -> Answer<()> {
    answer(|| {
        let name = name::written(name)?;
        let ttl = ttl(expiration)?;
        on_session(Access::Write, ust, |call| {
            let end = end(ttl, call.now)?.unwrap_or(Timestamp::NEVER);
            if attribute::set_expiry(call.db, &call.session, name, end, call.now) {
                return Ok(());
            }
            Err(call.unless_ended(missing(name)))
        })
    })
}

/// The names of all attributes, in byte order.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_names(ust: Option<&str>) -> std::result::Result<SetOfIterator<'static, String>, ErrorReport> {
    answer(|| {
        let names =
            on_session(Access::Read, ust, |call| Ok(attribute::names(call.db, &call.session, call.now)))?;
        Ok(SetOfIterator::new(names))
    })
}

/// All attributes of a session, by name in byte order.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_attr_list(
    ust: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(name, String),
            name!(value, Jsonb),
            name!(encrypted, bool),
            name!(created_at, TimestampTz),
            name!(updated_at, TimestampTz),
            name!(expires_at, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    answer(|| {
        let (session, listed) = on_session(Access::Read, ust, |call| {
            Ok((call.session, attribute::list(call.db, &call.session, call.now)))
        })?;
        let rows = listed.into_iter().map(|row| {
            let encrypted = matches!(row.stored, Stored::Sealed(_));
            let value = value::reveal(Place { session: session.id, name: &row.name }, &row.stored)?;
            let expires_at = row.expires_at.finite().map(TimestampTz::from);
            Ok((row.name, value, encrypted, row.created_at.into(), row.updated_at.into(), expires_at))
        });
        Ok(TableIterator::new(rows.collect::<Result<Vec<_>>>()?))
    })
}

/// All attributes of a session as one object.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get_all(ust: Option<&str>) -> Answer<Jsonb> {
    answer(|| {
        let (session, listed) = on_session(Access::Read, ust, |call| {
            Ok((call.session, attribute::list(call.db, &call.session, call.now)))
        })?;
        let mut object = Object::new();
        for row in &listed {
            let place = Place { session: session.id, name: &row.name };
            object.entry(&row.name, value::reveal(place, &row.stored)?.into())?;
        }
        Ok(object.finish())
    })
}
