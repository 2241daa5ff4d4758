//! `sso_attr_*_many`: all or nothing, set-based, in one order of locks.

use pgrx::prelude::*;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::item::{self, Defaults, Element, Repeats, in_order};
use sso_attr_core::{Error, Result, item::Item};

use super::call::{Call, changing, reading, ttl};
use super::names::lookups;
use super::value;
use crate::pg::datum::Jsonb;
use crate::pg::interrupt;
use crate::pg::jsonb::{Object, Part};
use crate::pg::report::{Answer, collected};
use crate::pg::text::{Text, Texts};
use crate::protection::{self, Protection};

/// Creates attributes; any that is there, or is named twice, raises unique_violation.
#[pg_extern]
fn sso_attr_create_many(
    ust: Option<Text<'_>>,
    data: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "false"),
) -> Answer<i64> {
    changing("sso_attr_create_many", |call| {
        let data = given(data)?;
        let items = items(&data, Defaults { ttl: ttl(expiration)?, encrypt }, Repeats::Refused)?;
        let items = prepared(call, &items, |encrypt| Some(encrypt.unwrap_or(false)))?;
        call.insert(ust, &items, |session| match protection::create_many(&session.attributes, &items)? {
            existing if existing.is_empty() => Ok(items.len() as i64),
            existing => Err(Error::AttributeExists(existing)),
        })
    })
}

/// Replaces attributes; any that is not there raises no_data_found, and nothing is changed.
#[pg_extern]
fn sso_attr_update_many(
    ust: Option<Text<'_>>,
    data: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<i64> {
    changing("sso_attr_update_many", |call| {
        let data = given(data)?;
        let items = items(&data, Defaults { ttl: ttl(expiration)?, encrypt }, Repeats::LastWins)?;
        let items = prepared(call, &items, std::convert::identity)?;
        call.write(ust, |session| {
            session.all_there(protection::update_many(&session.attributes, &items)?)?;
            Ok(count(&data))
        })
    })
}

/// Creates or replaces attributes.
#[pg_extern]
fn sso_attr_set_many(
    ust: Option<Text<'_>>,
    data: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<i64> {
    changing("sso_attr_set_many", |call| {
        let data = given(data)?;
        let items = items(&data, Defaults { ttl: ttl(expiration)?, encrypt }, Repeats::LastWins)?;
        let items = prepared(call, &items, std::convert::identity)?;
        call.insert(ust, &items, |session| {
            protection::set_many(&session.attributes, &items)?;
            Ok(count(&data))
        })
    })
}

/// Has attributes expire at other times; any that is not there raises no_data_found, and nothing is
/// changed.
#[pg_extern]
fn sso_attr_set_expiry_many(
    ust: Option<Text<'_>>,
    data: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
) -> Answer<i64> {
    changing("sso_attr_set_expiry_many", |call| {
        let data = given(data)?;
        let defaults = Defaults { ttl: ttl(expiration)?, encrypt: None };
        let items = checked(&data, |index, element| defaults.expiry_item(index, element))?;
        let items = in_order(items, Repeats::LastWins, interrupt::check)?;
        let names = collected(items.iter().map(|item| Ok(item.name.as_ref())))?;
        call.audit(|line| line.names(names.iter().copied()));
        let expiries =
            collected(items.iter().map(|item| Ok(expires_at(call, item)?.unwrap_or(Timestamp::NEVER))))?;
        call.write(ust, |session| {
            let missing = session.attributes.set_expiry_many(&names, &expiries)?;
            session.all_there(missing.iter().map(|at| names[*at]).collect())?;
            Ok(count(&data))
        })
    })
}

/// The values under these names as one object, null where one is not there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get_many(ust: Option<Text<'_>>, names: Option<Texts<'_>>) -> Answer<Jsonb> {
    reading("sso_attr_get_many", |call| {
        let names = lookups("names", names.ok_or_else(|| Error::argument("names must not be null"))?)?;
        call.audit(|line| line.names(names.iter().copied()));
        let values = call.read(ust, |session| {
            let attributes = &session.attributes;
            let values = attributes.get_many(&names)?;
            collected(names.iter().zip(values).map(|(name, value)| {
                value.map(|value| protection::reveal(attributes, name, value)).transpose()
            }))
        })?;
        let mut object = Object::new();
        for (name, value) in names.iter().zip(values) {
            object.entry(name, value.map_or(Part::null(), Part::from))?;
        }
        Ok(object.finish())
    })
}

/// Which of these names are there, as one object of booleans.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_exists_many(ust: Option<Text<'_>>, names: Option<Texts<'_>>) -> Answer<Jsonb> {
    reading("sso_attr_exists_many", |call| {
        let names = lookups("names", names.ok_or_else(|| Error::argument("names must not be null"))?)?;
        call.audit(|line| line.names(names.iter().copied()));
        let found = call.read(ust, |session| session.attributes.find_many(&names))?;
        let mut object = Object::new();
        for (name, found) in names.iter().zip(found) {
            object.entry(name, Part::bool(found.is_some()))?;
        }
        Ok(object.finish())
    })
}

/// Deletes attributes and counts those that were there.
#[pg_extern]
fn sso_attr_delete_many(ust: Option<Text<'_>>, names: Option<Texts<'_>>) -> Answer<i64> {
    changing("sso_attr_delete_many", |call| {
        let names = lookups("names", names.ok_or_else(|| Error::argument("names must not be null"))?)?;
        call.audit(|line| line.names(names.iter().copied()));
        call.write(ust, |session| {
            let deleted = session.attributes.delete_many(&names)?;
            session.still_live(deleted > 0)?;
            Ok(deleted as i64)
        })
    })
}

fn given(data: Option<Jsonb>) -> Result<Jsonb> {
    data.ok_or_else(|| Error::argument("data must not be null"))
}

/// The number of items in data, each name counted as often as it occurs.
fn count(data: &Jsonb) -> i64 {
    data.elements().map_or(0, |elements| elements.len() as i64)
}

/// What `check` makes of the elements of data.
fn checked<'a, T>(
    data: &'a Jsonb,
    check: impl Fn(usize, Option<Element<'a, Part<'a>>>) -> Result<T>,
) -> Result<Vec<T>> {
    let elements = data.elements().ok_or_else(|| item::not_an_array(data.is_object()))?;
    collected(elements.enumerate().map(|(index, element)| {
        interrupt::check();
        check(index, element)
    }))
}

/// The items of data with copies of their values.
fn items(data: &Jsonb, defaults: Defaults, repeats: Repeats) -> Result<Vec<Item<'_, Jsonb>>> {
    let items = checked(data, |index, element| {
        let Item { name, value, ttl, encrypt, .. } = defaults.value_item(index, element)?;
        let value = value::copy(value).map_err(|error| error.in_item(index))?;
        Ok(Item { index, name, value, ttl, encrypt })
    })?;
    in_order(items, repeats, interrupt::check)
}

/// The items as they are to be written.
fn prepared<'a>(
    call: &Call,
    items: &'a [Item<'a, Jsonb>],
    encrypt: impl Fn(Option<bool>) -> Option<bool>,
) -> Result<Vec<protection::Item<'a>>> {
    call.audit(|line| line.names(items.iter().map(|item| &*item.name)));
    collected(items.iter().map(|item| {
        Ok(protection::Item {
            name: &item.name,
            json: item.value,
            protection: Protection::asked(encrypt(item.encrypt)),
            expires_at: expires_at(call, item)?,
        })
    }))
}

fn expires_at<V>(call: &Call, item: &Item<'_, V>) -> Result<Option<Timestamp>> {
    item.ttl.map(|ttl| ttl.expires_at(call.now)).transpose().map_err(|error| error.in_item(item.index))
}
