//! `sso_attr_*` on one attribute, and on all of a session.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::{Error, Result, name};

use super::call::{Session, call};
use super::value;
use crate::pg::any::AnyValue;
use crate::pg::datum::{Jsonb, TimestampTz};
use crate::pg::jsonb::Object;
use crate::pg::report::{Answer, collected};
use crate::pg::sql::NameText;
use crate::pg::text::Text;
use crate::protection::{self, Item, Protection, Verb};

/// Creates an attribute; one that is there raises unique_violation.
#[pg_extern]
fn sso_attr_create(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "false"),
) -> Answer<()> {
    call(|call| {
        let name = name::validate_new(name.as_deref())?;
        let expires_at = call.expires_at(expiration)?;
        let protection = Protection::asked(Some(encrypt.unwrap_or(false)));
        let item = Item { name, json: value::decode(value)?, protection, expires_at };
        call.insert(ust, std::slice::from_ref(&item), |session| {
            match protection::create(&session.attributes, &item)? {
                true => Ok(()),
                false => Err(Error::AttributeExists([name].into_iter().collect())),
            }
        })
    })
}

/// Replaces the value of an attribute; one that is not there raises no_data_found.
#[pg_extern]
fn sso_attr_update(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<()> {
    call(|call| {
        let name = name::validate_new(name.as_deref())?;
        let expires_at = call.expires_at(expiration)?;
        let protection = Protection::asked(encrypt);
        let item = Item { name, json: value::decode(value)?, protection, expires_at };
        call.write(ust, |session| {
            let updated = protection::write(Verb::Update, &session.attributes, &item)?;
            session.is_there(name, updated)
        })
    })
}

/// Creates or replaces an attribute.
#[pg_extern]
fn sso_attr_set(
    ust: Option<Text<'_>>,
    name: Option<Text<'_>>,
    value: Option<AnyValue>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<()> {
    call(|call| {
        let name = name::validate_new(name.as_deref())?;
        let expires_at = call.expires_at(expiration)?;
        let protection = Protection::asked(encrypt);
        let item = Item { name, json: value::decode(value)?, protection, expires_at };
        call.insert(ust, std::slice::from_ref(&item), |session| {
            let set = protection::write(Verb::Set, &session.attributes, &item)?;
            session.is_there(name, set)
        })
    })
}

/// The value of an attribute; NULL where it is not there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get(ust: Option<Text<'_>>, name: Option<Text<'_>>) -> Answer<Option<Jsonb>> {
    call(|call| {
        let name = name::validate_lookup(name.as_deref())?;
        call.read(ust, |session| get(session, name))
    })
}

/// The value as text, a string without its quotes; NULL where it is not there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get_text(ust: Option<Text<'_>>, name: Option<Text<'_>>) -> Answer<Option<String>> {
    call(|call| {
        let name = name::validate_lookup(name.as_deref())?;
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
    call(|call| {
        let name = name::validate_lookup(name.as_deref())?;
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
    call(|call| {
        let name = name::validate_lookup(name.as_deref())?;
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
    call(|call| {
        let name = name::validate_lookup(name.as_deref())?;
        call.read(ust, |session| Ok(session.attributes.is_sealed(name)?.is_some()))
    })
}

/// Has an attribute expire at another time; one that is not there raises no_data_found.
#[pg_extern]
fn sso_attr_set_expiry(ust: Option<Text<'_>>, name: Option<Text<'_>>, expiration: Option<f64>) -> Answer<()> {
    call(|call| {
        let name = name::validate_new(name.as_deref())?;
        let expires_at = call.expires_at(expiration)?.unwrap_or(Timestamp::NEVER);
        call.write(ust, |session| session.is_there(name, session.attributes.set_expiry(name, expires_at)))
    })
}

/// The names of all attributes, in byte order.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_names(
    ust: Option<Text<'_>>,
) -> std::result::Result<SetOfIterator<'static, NameText>, ErrorReport> {
    call(|call| {
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
            name!(name, NameText),
            name!(value, Jsonb),
            name!(encrypted, bool),
            name!(created_at, TimestampTz),
            name!(updated_at, TimestampTz),
            name!(expires_at, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    call(|call| {
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
    call(|call| {
        let values = call.read(ust, |session| {
            let attributes = &session.attributes;
            collected(
                attributes
                    .list()?
                    .into_iter()
                    .map(|row| Ok((row.name, protection::reveal(attributes, &row.name, row.value)?))),
            )
        })?;
        let mut object = Object::new();
        for (name, value) in &values {
            object.entry(name, (*value).into())?;
        }
        Ok(object.finish())
    })
}
