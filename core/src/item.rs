//! The `data` argument of the `_many` functions: a JSON array of objects.
//!
//! Values stay slices of the text, so that numbers keep every digit and nothing is rewritten.
//! A missing key takes the call's parameter; an explicit null is NULL whatever the call says.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::expiry::Ttl;
use crate::{Error, Result, error, name};

/// One attribute of a batch.
#[derive(Debug)]
pub struct Item<'a> {
    /// 0-based position in `data`, for error messages.
    pub index: usize,
    pub name: Cow<'a, str>,
    /// The value's JSON text; `null` where the batch carries no values.
    pub value: &'a str,
    /// NULL, absent or given, after the call's default.
    pub ttl: Option<Ttl>,
    /// NULL, absent or given, after the call's default.
    pub encrypt: Option<bool>,
}

/// What an item takes where it lacks a key.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    pub ttl: Option<Ttl>,
    pub encrypt: Option<bool>,
}

/// Which keys the items of a call have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `name`, `value`, `expiration`, `encrypt`.
    Values,
    /// `name` and `expiration` only.
    Expiries,
}

impl Shape {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Shape::Values => &["name", "value", "expiration", "encrypt"],
            Shape::Expiries => &["name", "expiration"],
        }
    }
}

/// What happens to a name that stands in `data` twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    LastWins,
    Refused,
}

/// Reads `data` into items sorted by name in byte order, each name once.
pub fn parse<'a>(data: &'a str, shape: Shape, defaults: Defaults, repeats: Repeats) -> Result<Vec<Item<'a>>> {
    let raw: Vec<&'a RawValue> = serde_json::from_str(data).map_err(|_| not_an_array(data))?;
    let mut items = BTreeMap::new();
    let mut repeated = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let item = parse_item(index, raw.get(), shape, defaults)?;
        if let Some(earlier) = items.insert(item.name.clone(), item)
            && repeats == Repeats::Refused
        {
            repeated.push(earlier.name.into_owned());
        }
    }
    if !repeated.is_empty() {
        repeated.sort();
        repeated.dedup();
        return Err(Error::AttributeRepeated(repeated));
    }
    Ok(items.into_values().collect())
}

fn not_an_array(data: &str) -> Error {
    Error::Argument {
        message: "data must be a JSON array of objects".into(),
        hint: Some(if data.trim_start().starts_with('{') {
            "Put the object into an array: [{\"name\": ..., \"value\": ...}]."
        } else {
            "Give an array such as [{\"name\": \"a\", \"value\": 1}]."
        }),
    }
}

fn parse_item<'a>(index: usize, raw: &'a str, shape: Shape, defaults: Defaults) -> Result<Item<'a>> {
    let problem = |problem: String, hint: Option<String>| Error::Item { index, problem, hint };
    let fields = serde_json::Deserializer::from_str(raw)
        .deserialize_map(Fields::default())
        .map_err(|_| problem("must be a JSON object".into(), None))?;
    if let Some(key) = fields.unknown {
        let hint = match key.as_ref() {
            "expiry" | "ttl" | "expires" | "expires_at" | "expire" => {
                "The time to live, in seconds, is called \"expiration\".".into()
            }
            _ => format!("The keys are {}.", shape.keys().join(", ")),
        };
        return Err(problem(format!("unknown key {}", error::quoted(&key)), Some(hint)));
    }
    if shape == Shape::Expiries
        && let Some(key) = [("value", fields.value), ("encrypt", fields.encrypt)]
            .iter()
            .find_map(|(key, raw)| raw.map(|_| key))
    {
        let hint = format!("The keys are {}.", shape.keys().join(", "));
        return Err(problem(format!("unknown key \"{key}\""), Some(hint)));
    }
    let raw_name = fields.name.ok_or_else(|| problem("key \"name\" is missing".into(), None))?;
    let name: Text<'a> = serde_json::from_str(raw_name.get())
        .map_err(|_| problem("key \"name\" must be a string".into(), None))?;
    name::written(Some(&name.0)).map_err(|wrong| wrong.in_item(index))?;
    let value = match (fields.value, shape) {
        (Some(raw), _) => raw.get(),
        (None, Shape::Expiries) => "null",
        (None, Shape::Values) => return Err(problem("key \"value\" is missing".into(), None)),
    };
    let ttl = match fields.expiration {
        None => defaults.ttl,
        Some(raw) => parse_ttl(raw.get())
            .map_err(|wrong| problem(format!("key \"expiration\": {wrong}"), wrong.hint()))?,
    };
    let encrypt = match fields.encrypt.map(RawValue::get) {
        None => defaults.encrypt,
        Some("null") => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(problem("key \"encrypt\" must be true, false or null".into(), None)),
    };
    Ok(Item { index, name: name.0, value, ttl, encrypt })
}

fn parse_ttl(raw: &str) -> Result<Option<Ttl>> {
    match raw.as_bytes() {
        b"null" => Ok(None),
        b"\"Infinity\"" => Ok(Some(Ttl::Never)),
        [b'-' | b'0'..=b'9', ..] => {
            // A number too large for f64 reads as infinity, but JSON has none: it is merely huge.
            let seconds: f64 = raw.parse().unwrap_or(f64::NAN);
            Ttl::from_seconds(if seconds == f64::INFINITY { f64::MAX } else { seconds }).map(Some)
        }
        _ => Err(Error::Argument {
            message: "must be a number of seconds, \"Infinity\" or null".into(),
            hint: Some("An interval is given as its seconds, for example 900 for 15 minutes."),
        }),
    }
}

/// A JSON string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The keys of one object. `Some` means present, whatever the value, null included.
#[derive(Default)]
struct Fields<'a> {
    name: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    expiration: Option<&'a RawValue>,
    encrypt: Option<&'a RawValue>,
    unknown: Option<Cow<'a, str>>,
}

impl<'de> Visitor<'de> for Fields<'de> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "name" => self.name = Some(map.next_value()?),
                "value" => self.value = Some(map.next_value()?),
                "expiration" => self.expiration = Some(map.next_value()?),
                "encrypt" => self.encrypt = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    self.unknown.get_or_insert(key);
                }
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: Defaults = Defaults { ttl: None, encrypt: None };
    const HOUR: Option<Ttl> = Some(Ttl::Micros(3_600_000_000));

    fn values(data: &str) -> Result<Vec<Item<'_>>> {
        parse(data, Shape::Values, NONE, Repeats::LastWins)
    }

    fn problem(data: &str) -> String {
        match values(data) {
            Err(error) => format!("{} {error}", error.sqlstate()),
            Ok(_) => "accepted".into(),
        }
    }

    #[test]
    fn items_come_sorted_and_the_last_of_a_name_wins() -> Result<()> {
        let items = values(r#"[{"name":"b","value":1},{"name":"a","value":2},{"name":"b","value":3}]"#)?;
        let seen: Vec<_> = items.iter().map(|item| (item.name.as_ref(), item.value)).collect();
        assert_eq!(seen, [("a", "2"), ("b", "3")]);
        Ok(())
    }

    #[test]
    fn a_repeated_name_can_be_refused() {
        let data = r#"[{"name":"b","value":1},{"name":"b","value":2},{"name":"b","value":3}]"#;
        let refused = parse(data, Shape::Values, NONE, Repeats::Refused).map(|_| ());
        assert_eq!(refused, Err(Error::AttributeRepeated(vec!["b".into()])));
    }

    #[test]
    fn numbers_keep_every_digit_and_values_their_text() -> Result<()> {
        let digits = "1234567890123456789012345678901234567890.5";
        let data = format!(r#"[{{"name":"n","value":{digits}}},{{"name":"o","value":{{"a": [1, "x"]}}}}]"#);
        let items = values(&data)?;
        assert_eq!(items[0].value, digits);
        assert_eq!(items[1].value, r#"{"a": [1, "x"]}"#);
        Ok(())
    }

    #[test]
    fn an_explicit_null_beats_the_calls_default() -> Result<()> {
        let defaults = Defaults { ttl: HOUR, encrypt: Some(true) };
        let data = r#"[{"name":"a","value":1},{"name":"b","value":1,"expiration":null,"encrypt":null},
                       {"name":"c","value":1,"expiration":"Infinity","encrypt":false}]"#;
        let items = parse(data, Shape::Values, defaults, Repeats::LastWins)?;
        let seen: Vec<_> = items.iter().map(|item| (item.ttl, item.encrypt)).collect();
        assert_eq!(seen, [(HOUR, Some(true)), (None, None), (Some(Ttl::Never), Some(false))]);
        Ok(())
    }

    #[test]
    fn what_is_wrong_is_named_by_item_and_key() {
        assert_eq!(problem("{}"), "22023 data must be a JSON array of objects");
        assert_eq!(problem("7"), "22023 data must be a JSON array of objects");
        assert_eq!(problem("[7]"), "22023 item 0 of data: must be a JSON object");
        let good = r#"{"name":"g","value":1}"#;
        for (bad, message) in [
            (r#"{"value":1}"#, r#"item 1 of data: key "name" is missing"#),
            (r#"{"name":7,"value":1}"#, r#"item 1 of data: key "name" must be a string"#),
            (r#"{"name":null,"value":1}"#, r#"item 1 of data: key "name" must be a string"#),
            (r#"{"name":"","value":1}"#, "item 1 of data: name must not be empty"),
            (r#"{"name":"x"}"#, r#"item 1 of data: key "value" is missing"#),
            (r#"{"name":"x","value":1,"expiry":3}"#, r#"item 1 of data: unknown key "expiry""#),
            (
                r#"{"name":"x","value":1,"encrypt":"yes"}"#,
                r#"item 1 of data: key "encrypt" must be true, false or null"#,
            ),
            (
                r#"{"name":"x","value":1,"expiration":"soon"}"#,
                r#"item 1 of data: key "expiration": must be a number of seconds, "Infinity" or null"#,
            ),
            (
                r#"{"name":"x","value":1,"expiration":0}"#,
                r#"item 1 of data: key "expiration": expiration must be a positive number of seconds"#,
            ),
            (
                r#"{"name":"x","value":1,"expiration":1e999}"#,
                r#"item 1 of data: key "expiration": expiration is past the end of timestamptz"#,
            ),
        ] {
            assert_eq!(problem(&format!("[{good},{bad}]")), format!("22023 {message}"));
        }
    }

    #[test]
    fn expiry_items_take_no_value() {
        let parsed = |data| parse(data, Shape::Expiries, NONE, Repeats::LastWins).map(|items| items.len());
        assert_eq!(parsed(r#"[{"name":"a","expiration":5},{"name":"b"}]"#), Ok(2));
        for key in ["value", "encrypt"] {
            let data = format!(r#"[{{"name":"a","{key}":true}}]"#);
            assert_eq!(
                parse(&data, Shape::Expiries, NONE, Repeats::LastWins).map(|_| ()).map_err(|e| e.to_string()),
                Err(format!("item 0 of data: unknown key \"{key}\""))
            );
        }
    }

    #[test]
    fn no_items_are_fine() {
        assert_eq!(values("[]").map(|items| items.len()), Ok(0));
    }

    #[test]
    fn a_value_nested_deeper_than_any_stack_is_only_a_slice() {
        let deep = format!(r#"[{{"name":"d","value":{}{}}}]"#, "[".repeat(5000), "]".repeat(5000));
        assert_eq!(values(&deep).map(|items| items[0].value.len()), Ok(10_000));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_does_not_but_never_panics(data in "\\PC*") {
            let _ = values(&data);
        }

        #[test]
        fn names_survive_any_escape(names in proptest::collection::btree_set("\\PC{1,30}", 1..10)) {
            let data = serde_json::Value::from_iter(names.iter().map(|name| serde_json::json!({"name": name, "value": name}))).to_string();
            let items = values(&data).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let seen: Vec<_> = items.iter().map(|item| item.name.clone().into_owned()).collect();
            prop_assert_eq!(seen, names.into_iter().collect::<Vec<_>>());
        }
    }
}
