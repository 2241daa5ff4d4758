//! `sso_attr_*_many`: all or nothing, set-based, in one order of locks.

use std::collections::{HashMap, HashSet};

use pgrx::prelude::*;
use sso_attr_core::envelope::Place;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::item::{self, Defaults, Item, Repeats};
use sso_attr_core::{Error, Result};

use super::{Call, answer, end, inserting, on_session, ttl, value};
use crate::error::Answer;
use crate::pg::datum::Jsonb;
use crate::pg::jsonb::{Object, Part};
use crate::pg::spi::Access;
use crate::store::attribute::Stored;
use crate::store::batch::{self, Entry, Locked};

/// Creates attributes; any that is there, or is named twice, raises unique_violation.
#[pg_extern]
fn sso_attr_create_many(
    ust: Option<&str>,
    data: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "false"),
) -> Answer<()> {
    answer(|| {
        let data = given(data)?;
        let items = items(&data, Defaults { ttl: ttl(expiration)?, encrypt }, Repeats::Refused)?;
        inserting(ust, |call| {
            let entries = items
                .iter()
                .map(|item| entry(call, item, item.encrypt.unwrap_or(false)))
                .collect::<Result<Vec<_>>>()?;
            let created = batch::create(call.db, &call.session, &entries, call.now);
            match left_out(names(&items), created) {
                existing if existing.is_empty() => Ok(()),
                existing => Err(Error::AttributeExists(existing)),
            }
        })
    })
}

/// Replaces attributes; any that is not there raises no_data_found, and nothing is changed.
#[pg_extern]
fn sso_attr_update_many(
    ust: Option<&str>,
    data: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<()> {
    answer(|| {
        let data = given(data)?;
        let items = items(&data, Defaults { ttl: ttl(expiration)?, encrypt }, Repeats::LastWins)?;
        on_session(Access::Write, ust, |call| {
            let names = names(&items);
            let locked = lock_all(call, &names)?;
            let entries = items
                .iter()
                .zip(&locked)
                .map(|(item, row)| entry(call, item, item.encrypt.unwrap_or(row.sealed)))
                .collect::<Result<Vec<_>>>()?;
            all_of(&names, batch::update(call.db, &call.session, &locked, &entries, call.now))
        })
    })
}

/// Creates or replaces attributes.
#[pg_extern]
fn sso_attr_set_many(
    ust: Option<&str>,
    data: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
    encrypt: default!(Option<bool>, "NULL"),
) -> Answer<()> {
    answer(|| {
        let data = given(data)?;
        let mut items = items(&data, Defaults { ttl: ttl(expiration)?, encrypt }, Repeats::LastWins)?;
        inserting(ust, |call| {
            // A protection that was looked up can have changed by the time the row is locked. Such
            // rows are left out, but locked, so that the second look is final.
            while !items.is_empty() {
                let done = set_as_found(call, &items)?;
                items.retain(|item| !done.contains(item.name.as_ref()));
            }
            Ok(())
        })
    })
}

fn set_as_found(call: &Call<'_>, items: &[Item<'_, Jsonb>]) -> Result<HashSet<String>> {
    let (asked, unasked): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.encrypt.is_some());
    let asked: Vec<&str> = asked.iter().map(|item| item.name.as_ref()).collect();
    let unasked: Vec<&str> = unasked.iter().map(|item| item.name.as_ref()).collect();
    let found =
        if unasked.is_empty() { Vec::new() } else { batch::find(call.db, &call.session, &unasked, call.now) };
    let sealed: HashSet<&str> = found.iter().filter(|row| row.sealed).map(|row| row.name.as_str()).collect();
    let entries = items
        .iter()
        .map(|item| entry(call, item, item.encrypt.unwrap_or(sealed.contains(item.name.as_ref()))))
        .collect::<Result<Vec<_>>>()?;
    Ok(batch::set(call.db, &call.session, &entries, &asked, call.now).into_iter().collect())
}

/// Moves the ends of attributes; any that is not there raises no_data_found, and nothing is changed.
#[pg_extern]
fn sso_attr_set_expiry_many(
    ust: Option<&str>,
    data: Option<Jsonb>,
    expiration: default!(Option<f64>, "NULL"),
) -> Answer<()> {
    answer(|| {
        let data = given(data)?;
        let elements = elements(&data)?;
        let items = item::expiries(elements, Defaults { ttl: ttl(expiration)?, encrypt: None })?;
        on_session(Access::Write, ust, |call| {
            let names = names(&items);
            let locked = lock_all(call, &names)?;
            let ends = items
                .iter()
                .map(|item| Ok(item_end(item, call.now)?.unwrap_or(Timestamp::NEVER)))
                .collect::<Result<Vec<_>>>()?;
            all_of(&names, batch::set_expiry(call.db, &call.session, &locked, &ends, call.now))
        })
    })
}

/// The values under these names as one object, null where one is not there.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_get_many(ust: Option<&str>, names: Option<Vec<Option<String>>>) -> Answer<Jsonb> {
    answer(|| {
        let names = sought(names)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (session, found) = on_session(Access::Read, ust, |call| {
            Ok((call.session, batch::get(call.db, &call.session, &names, call.now)))
        })?;
        let found: HashMap<String, Stored> = found.into_iter().collect();
        let mut object = Object::new();
        for name in names {
            let value = match found.get(name) {
                Some(stored) => value::reveal(Place { session: session.id, name }, stored)?.into(),
                None => Part::null(),
            };
            object.entry(name, value)?;
        }
        Ok(object.finish())
    })
}

/// Which of these names are there, as one object of booleans.
#[pg_extern(stable, parallel_safe)]
fn sso_attr_exists_many(ust: Option<&str>, names: Option<Vec<Option<String>>>) -> Answer<Jsonb> {
    answer(|| {
        let names = sought(names)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found =
            on_session(Access::Read, ust, |call| Ok(batch::find(call.db, &call.session, &names, call.now)))?;
        let found: HashSet<&str> = found.iter().map(|row| row.name.as_str()).collect();
        let mut object = Object::new();
        for name in names {
            object.entry(name, Part::bool(found.contains(name)))?;
        }
        Ok(object.finish())
    })
}

/// Deletes attributes and counts those that were there.
#[pg_extern]
fn sso_attr_delete_many(ust: Option<&str>, names: Option<Vec<Option<String>>>) -> Answer<i64> {
    answer(|| {
        let names = sought(names)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        on_session(Access::Write, ust, |call| {
            let deleted = batch::delete(call.db, &call.session, &names, call.now);
            call.still_live(deleted > 0)?;
            Ok(deleted as i64)
        })
    })
}

fn given(data: Option<Jsonb>) -> Result<Jsonb> {
    data.ok_or_else(|| Error::argument("data must not be null"))
}

fn elements(data: &Jsonb) -> Result<impl Iterator<Item = Option<impl Iterator<Item = (&str, Part<'_>)>>>> {
    let elements = data.elements().ok_or_else(|| item::not_an_array(data.is_object()))?;
    Ok(elements.map(Part::entries))
}

/// The items of data with copies of their values.
fn items(data: &Jsonb, defaults: Defaults, repeats: Repeats) -> Result<Vec<Item<'_, Jsonb>>> {
    item::values(elements(data)?, defaults, repeats)?
        .into_iter()
        .map(|item| item.try_map(value::copy))
        .collect()
}

fn names<'a, V>(items: &'a [Item<'_, V>]) -> Vec<&'a str> {
    items.iter().map(|item| item.name.as_ref()).collect()
}

fn item_end<V>(item: &Item<'_, V>, now: Timestamp) -> Result<Option<Timestamp>> {
    end(item.ttl, now).map_err(|error| error.in_item(item.index))
}

fn entry<'a>(call: &Call<'_>, item: &'a Item<'_, Jsonb>, sealed: bool) -> Result<Entry<'a>> {
    let name = item.name.as_ref();
    let place = Place { session: call.session.id, name };
    let content = value::protect(call.db, place, item.value, sealed)?;
    Ok(Entry { name, content, end: item_end(item, call.now)? })
}

/// Locks attributes that must all be there, in the order of `names`, which is that of their bytes.
fn lock_all(call: &Call<'_>, names: &[&str]) -> Result<Vec<Locked>> {
    batch::lock(call.db, &call.session, names, call.now)
        .map_err(|missing| call.unless_ended(Error::AttributeMissing(missing)))
}

/// All or nothing: what is locked cannot go away, but that it did not is worth a comparison.
fn all_of(names: &[&str], changed: u64) -> Result<()> {
    if changed == names.len() as u64 {
        return Ok(());
    }
    Err(Error::AttributeMissing(names.iter().map(|name| (*name).to_owned()).collect()))
}

/// The wanted names that are not among those done.
fn left_out(wanted: Vec<&str>, done: Vec<String>) -> Vec<String> {
    let done: HashSet<String> = done.into_iter().collect();
    wanted.into_iter().filter(|name| !done.contains(*name)).map(str::to_owned).collect()
}

fn sought(names: Option<Vec<Option<String>>>) -> Result<Vec<String>> {
    names
        .ok_or_else(|| Error::argument("names must not be null"))?
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Error::argument("names must not contain null"))
}
