//! Values on their way in and out: conversion, size, protection.

use sso_attr_core::envelope::Place;
use sso_attr_core::{Error, Result};

use crate::pg::any::AnyValue;
use crate::pg::datum::Jsonb;
use crate::pg::jsonb::Part;
use crate::pg::spi::Db;
use crate::settings;
use crate::store::attribute::{Over, Stored};
use crate::vault;

/// Converts an argument as `to_jsonb` does, with the caller's rights, and checks its size. SQL NULL
/// is JSON null.
pub fn decode(value: Option<AnyValue>) -> Result<Jsonb> {
    let Some(value) = value else {
        return Ok(Jsonb::null());
    };
    match value.as_string() {
        Some(string) => copy(string),
        None => bounded(value.to_jsonb(), None),
    }
}

/// Copies a value out of what holds it and checks its size.
pub fn copy(value: Part<'_>) -> Result<Jsonb> {
    bounded(value.to_jsonb(), value.text_bound())
}

/// Refuses a value whose JSON text is over sso_attr.max_value_size; that is only written where an
/// upper bound of its length does not tell.
fn bounded(json: Jsonb, text_bound: Option<usize>) -> Result<Jsonb> {
    let limit = settings::max_value_size();
    if text_bound.is_some_and(|bound| bound <= limit) || json.with_text(str::len) <= limit {
        return Ok(json);
    }
    Err(Error::TooLong {
        what: "value".into(),
        limit: limit as u64,
        unit: "bytes of JSON text",
        hint: Some("Raise sso_attr.max_value_size, or store a reference."),
    })
}

/// The form that `encrypt` asks for.
pub fn protect(db: &Db, place: Place<'_>, json: Jsonb, encrypt: bool) -> Result<Stored> {
    Ok(if encrypt { Stored::Sealed(vault::sealer(db)?.seal(place, json)?) } else { Stored::Clear(json) })
}

/// Has `write` store a value in the form that `encrypt` asks for; where it does not say, in the
/// form that the row, asked by `is_sealed`, holds. False where there is no row for it.
///
/// Most rows are in clear, so that is tried first: sealing every value in case its row is sealed
/// costs 13,000 instructions of 140,000, and the keyring file has to be looked at.
pub fn write(
    db: &Db,
    place: Place<'_>,
    json: Jsonb,
    encrypt: Option<bool>,
    write: impl Fn((&Stored, Over)) -> bool,
    is_sealed: impl Fn() -> Option<bool>,
) -> Result<bool> {
    if let Some(encrypt) = encrypt {
        return Ok(write((&protect(db, place, json, encrypt)?, Over::Any)));
    }
    // Again only if the row changed its form between the attempts.
    loop {
        if write((&Stored::Clear(json), Over::SameForm)) {
            return Ok(true);
        }
        let sealed = protect(db, place, json, true);
        if let Ok(sealed) = &sealed
            && write((sealed, Over::SameForm))
        {
            return Ok(true);
        }
        match is_sealed() {
            None => return Ok(false),
            Some(true) => drop(sealed?),
            Some(false) => (),
        }
    }
}

/// The value as jsonb, in the caller's memory.
pub fn reveal(place: Place<'_>, stored: &Stored) -> Result<Jsonb> {
    match stored {
        Stored::Clear(json) => Ok(*json),
        Stored::Sealed(bytes) => Ok(Jsonb::from_text(&vault::open(place, bytes)?)),
    }
}
