//! Values on their way in: conversion and checks.

use sso_attr_core::{Result, value};

use crate::pg::any::AnyValue;
use crate::pg::datum::Jsonb;
use crate::pg::jsonb::Part;
use crate::settings;

/// Converts an argument as `to_jsonb` does, with the caller's rights, and checks it. SQL NULL is
/// JSON null.
pub fn decode(value: Option<AnyValue>) -> Result<Jsonb> {
    let Some(value) = value else {
        return Ok(Jsonb::null());
    };
    match value.as_string() {
        Some(string) => copy(string),
        None => validated(value.to_jsonb()),
    }
}

/// As [`decode`], for a value that is jsonb already.
pub fn decode_json(value: Option<Jsonb>) -> Result<Jsonb> {
    value.map_or_else(|| Ok(Jsonb::null()), validated)
}

/// Copies a value out of what holds it and checks it.
pub fn copy(part: Part<'_>) -> Result<Jsonb> {
    // A scalar is checked as it is taken out; its text need not be rendered where an upper bound on
    // its length is enough.
    match part.text_bound() {
        Some(bound) if bound <= settings::max_value_size() => Ok(part.to_jsonb()),
        _ => validated(part.to_jsonb()),
    }
}

fn validated(json: Jsonb) -> Result<Jsonb> {
    json.with_text(|text| value::validate(text, settings::max_value_size()))?;
    Ok(json)
}
