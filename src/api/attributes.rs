//! `sso_attr_*` on one attribute, and on all of a session.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::{Error, Result, name};

use super::call::{Call, Session, changing, reading};
use super::value;
use crate::pg::any::AnyValue;
use crate::pg::datum::{Jsonb, TimestampTz};
use crate::pg::interrupt;
use crate::pg::jsonb::Object;
use crate::pg::numeric::Numeric;
use crate::pg::report::{Answer, collected};
use crate::pg::text::{Text, TextDatum};
use crate::protection::{self, Item, Protection, Verb};
use crate::store::attribute::Written;

/// Creates an attribute; one that is there raises unique_violation.
#[pg_extern]
fn sso_attr_create(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "false"),
) -> Answer<bool> {
    create("sso_attr_create", ust, name, || value::decode(value), expiration, encrypt)
}

/// As sso_attr_create, for drivers: not polymorphic, so that the server says what it takes.
#[pg_extern]
fn sso_attr_create_json(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "false"),
) -> Answer<bool> {
    create("sso_attr_create_json", ust, name, || value::decode_json(value), expiration, encrypt)
}

/// Replaces the value of an attribute; one that is not there raises no_data_found.
#[pg_extern]
fn sso_attr_update(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<bool> {
    update("sso_attr_update", ust, name, || value::decode(value), expiration, encrypt)
}

/// As sso_attr_update, for drivers.
#[pg_extern]
fn sso_attr_update_json(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<bool> {
    update("sso_attr_update_json", ust, name, || value::decode_json(value), expiration, encrypt)
}

/// Creates or replaces an attribute; true where it created one.
#[pg_extern]
fn sso_attr_set(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<bool> {
    set("sso_attr_set", ust, name, || value::decode(value), expiration, encrypt)
}

/// As sso_attr_set, for drivers.
#[pg_extern]
fn sso_attr_set_json(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<bool> {
    set("sso_attr_set_json", ust, name, || value::decode_json(value), expiration, encrypt)
}

fn create(
    verb: &'static str,
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    decode: impl FnOnce() -> Result<Jsonb>,
    expiration: Option<f64>,
    encrypt: Option<bool>,
) -> Answer<bool> {
    changing(verb, |call| {
        let item = item(call, name.as_deref(), decode, expiration, Some(encrypt.unwrap_or(false)))?;
        call.insert(ust, std::slice::from_ref(&item), |session| {
            match protection::create(&session.attributes, &item)? {
                true => Ok(true),
                false => Err(Error::AttributeExists([item.name].into_iter().collect())),
            }
        })
    })
}

fn update(
    verb: &'static str,
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    decode: impl FnOnce() -> Result<Jsonb>,
    expiration: Option<f64>,
    encrypt: Option<bool>,
) -> Answer<bool> {
    changing(verb, |call| {
        let item = item(call, name.as_deref(), decode, expiration, encrypt)?;
        call.write(ust, |session| {
            let written = protection::write(Verb::Update, &session.attributes, &item)?;
            session.is_there(item.name, written.is_some())?;
            Ok(true)
        })
    })
}

fn set(
    verb: &'static str,
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    decode: impl FnOnce() -> Result<Jsonb>,
    expiration: Option<f64>,
    encrypt: Option<bool>,
) -> Answer<bool> {
    changing(verb, |call| {
        let item = item(call, name.as_deref(), decode, expiration, encrypt)?;
        call.insert(ust, std::slice::from_ref(&item), |session| {
            let written = protection::write(Verb::Set, &session.attributes, &item)?;
            session.is_there(item.name, written.is_some())?;
            Ok(written == Some(Written::Created))
        })
    })
}

fn item<'a>(
    call: &Call,
    name: Option<&'a str>,
    decode: impl FnOnce() -> Result<Jsonb>,
    expiration: Option<f64>,
    encrypt: Option<bool>,
) -> Result<Item<'a>> {
    let name = name::validate_new(name)?;
    call.audit(|line| line.name(name));
    let expires_at = call.expires_at(expiration)?;
    Ok(Item { name, json: decode()?, protection: Protection::asked(encrypt), expires_at })
}

/// Replaces a value if it is the expected one; false where it is another.
#[pg_extern]
fn sso_attr_compare_and_set(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    expected: Option<Jsonb>,
    value: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<bool> {
    changing("sso_attr_compare_and_set", |call| {
        let item = item(call, name.as_deref(), || value::decode_json(value), expiration, encrypt)?;
        let expected = value::decode_json(expected)?;
        call.write(ust, |session| {
            let found = lock(session, item.name)?;
            session.is_there(item.name, found.is_some())?;
            if found.is_none_or(|found| !found.equals(expected)) {
                return Ok(false);
            }
            Ok(protection::write(Verb::Update, &session.attributes, &item)?.is_some())
        })
    })
}

/// Adds to a number in one step, creating it where it is not there, and returns the sum.
#[pg_extern]
fn sso_attr_increment(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    by: default!(Option<Numeric>, "1"),
    expiration: default!(Option<f64>, "NULL"),
) -> Answer<Numeric> {
    changing("sso_attr_increment", |call| {
        let by = by.ok_or_else(|| Error::argument("by must not be null"))?;
        let first = by.to_json().ok_or_else(|| Error::argument("by must be a finite number"))?;
        let new = item(call, name.as_deref(), || value::decode_json(Some(first)), expiration, None)?;
        call.insert(ust, std::slice::from_ref(&new), |session| {
            loop {
                let Some(found) = lock(session, new.name)? else {
                    if protection::create(&session.attributes, &new)? {
                        return Ok(by);
                    }
                    // Somebody else has created it since.
                    interrupt::check();
                    continue;
                };
                let number = found.to_numeric().ok_or_else(|| Error::argument("value is not a number"))?;
                let sum = number.plus(by);
                let json = sum.to_json().ok_or_else(|| Error::argument("sum is not a finite number"))?;
                let next = Item { json: value::decode_json(Some(json))?, expires_at: None, ..new };
                protection::write(Verb::Update, &session.attributes, &next)?;
                return Ok(sum);
            }
        })
    })
}

/// The value of an attribute that is locked against other writes, if it is there.
fn lock(session: &Session<'_>, name: &str) -> Result<Option<Jsonb>> {
    let value = session.attributes.lock(name)?;
    value.map(|value| protection::reveal(&session.attributes, name, value)).transpose()
}

fn lookup<'a>(call: &Call, name: Option<&'a str>) -> Result<&'a str> {
    let name = name::validate_lookup(name)?;
    call.audit(|line| line.name(name));
    Ok(name)
}

/// The value of an attribute; NULL where it is not there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get(ust: Option<Text<'_>>, name: Option<Text<'_>>) -> Answer<Option<Jsonb>> {
    reading("sso_attr_get", |call| {
        let name = lookup(call, name.as_deref())?;
        call.read(ust, |session| get(session, name))
    })
}

/// The value as text, a string without its quotes; NULL where it is not there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get_text(ust: Option<Text<'_>>, name: Option<Text<'_>>) -> Answer<Option<TextDatum>> {
    reading("sso_attr_get_text", |call| {
        let name = lookup(call, name.as_deref())?;
        let value = call.read(ust, |session| get(session, name))?;
        Ok(value.and_then(Jsonb::to_unquoted))
    })
}

fn get(session: &Session<'_>, name: &str) -> Result<Option<Jsonb>> {
    let value = session.attributes.get(name)?;
    value.map(|value| protection::reveal(&session.attributes, name, value)).transpose()
}

/// Gives the value and deletes the attribute in the same step; NULL where it is not there.
#[pg_extern]
fn sso_attr_take(ust: Option<Text<'_>>, name: Option<Text<'_>>) -> Answer<Option<Jsonb>> {
    changing("sso_attr_take", |call| {
        let name = lookup(call, name.as_deref())?;
        call.write(ust, |session| {
            let value = session.attributes.take(name)?;
            session.still_live(value.is_some())?;
            value.map(|value| protection::reveal(&session.attributes, name, value)).transpose()
        })
    })
}

/// Deletes an attribute; false where it is not there.
#[pg_extern]
fn sso_attr_delete(ust: Option<Text<'_>>, name: Option<Text<'_>>) -> Answer<bool> {
    changing("sso_attr_delete", |call| {
        let name = lookup(call, name.as_deref())?;
        call.write(ust, |session| {
            let deleted = session.attributes.delete(name);
            session.still_live(deleted)?;
            Ok(deleted)
        })
    })
}

/// Whether an attribute is there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_exists(ust: Option<Text<'_>>, name: Option<Text<'_>>) -> Answer<bool> {
    reading("sso_attr_exists", |call| {
        let name = lookup(call, name.as_deref())?;
        call.read(ust, |session| Ok(session.attributes.is_sealed(name)?.is_some()))
    })
}

/// Has an attribute expire at another time; one that is not there raises no_data_found.
#[pg_extern]
fn sso_attr_set_expiry(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    expiration: Option<f64>,
) -> Answer<bool> {
    changing("sso_attr_set_expiry", |call| {
        let name = name::validate_new(name.as_deref())?;
        call.audit(|line| line.name(name));
        let expires_at = call.expires_at(expiration)?.unwrap_or(Timestamp::NEVER);
        call.write(ust, |session| {
            session.is_there(name, session.attributes.set_expiry(name, expires_at))?;
            Ok(true)
        })
    })
}

/// The names of all attributes, in byte order.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_names(
    ust: Option<Text<'_>>,
) -> std::result::Result<SetOfIterator<'static, TextDatum>, ErrorReport> {
    reading("sso_attr_names", |call| {
        let names = call.read(ust, |session| Ok(session.attributes.names()))?;
        Ok(SetOfIterator::new(names))
    })
}

/// All attributes of a session, by name in byte order.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_attr_list(
    ust: Option<Text<'_>>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(name, TextDatum),
            name!(value, Jsonb),
            name!(encrypted, bool),
            name!(created_at, TimestampTz),
            name!(updated_at, TimestampTz),
            name!(expires_at, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    reading("sso_attr_list", |call| {
        let rows = call.read(ust, |session| {
            let attributes = &session.attributes;
            collected(attributes.list()?.into_iter().map(|row| {
                let encrypted = row.value.is_sealed();
                let value = protection::reveal(attributes, &row.name, row.value)?;
                let expires_at = row.expires_at.finite().map(TimestampTz::from);
                Ok((row.name, value, encrypted, row.created_at.into(), row.updated_at.into(), expires_at))
            }))
        })?;
        Ok(TableIterator::new(rows))
    })
}

/// All attributes of a session as one object.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get_all(ust: Option<Text<'_>>) -> Answer<Jsonb> {
    reading("sso_attr_get_all", |call| {
        let values = call.read(ust, |session| {
            let attributes = &session.attributes;
            collected(
                attributes
                    .list()?
                    .into_iter()
                    .map(|row| Ok((row.name, protection::reveal(attributes, &row.name, row.value)?))),
            )
        })?;
        to_object(&values)
    })
}

/// Names and values as one object.
pub fn to_object(values: &[(TextDatum, Jsonb)]) -> Result<Jsonb> {
    let mut object = Object::new();
    for (name, value) in values {
        object.entry(name, (*value).into())?;
    }
    Ok(object.finish())
}
