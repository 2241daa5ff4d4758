//! The `data` argument of the `_many` functions: a JSON array of objects.
//!
//! Values pass through in whatever form they are read from, so that numbers keep every digit.
//! A missing key takes the call's parameter; an explicit null is NULL whatever the call says.
//! Whoever reads the JSON makes an [`Element`] of each element; [`Defaults::value_item`] makes an
//! [`Item`] of that, and [`in_order`] puts items into the order of locks.

use std::borrow::Cow;

use crate::expiry::Ttl;
use crate::{Error, Result, error, name};

/// What a key that steers an item can hold.
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    /// Its digits as written.
    Number(String),
    String(Cow<'a, str>),
    Other,
}

/// One attribute of a batch.
#[derive(Debug)]
pub struct Item<'a, V> {
    /// 0-based position in `data`, for error messages.
    pub index: usize,
    pub name: Cow<'a, str>,
    pub value: V,
    /// The item's own or else the call's; `None` is NULL.
    pub ttl: Option<Ttl>,
    /// The item's own or else the call's; `None` is NULL.
    pub encrypt: Option<bool>,
}

/// An element of `data` as it stands: the keys that steer it, its value, and any unknown key.
pub struct Element<'a, V> {
    pub name: Option<Scalar<'a>>,
    pub value: Option<V>,
    pub expiration: Option<Scalar<'a>>,
    pub encrypt: Option<Scalar<'a>>,
    /// The first key that is none of these.
    pub unknown: Option<&'a str>,
}

impl<V> Default for Element<'_, V> {
    fn default() -> Self {
        Element { name: None, value: None, expiration: None, encrypt: None, unknown: None }
    }
}

/// What an item takes where it lacks a key.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    pub ttl: Option<Ttl>,
    pub encrypt: Option<bool>,
}

/// What happens to a name that stands in `data` twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    LastWins,
    Refused,
}

/// The error for data that is not an array.
pub fn not_an_array(is_object: bool) -> Error {
    Error::Argument {
        message: "data must be a JSON array of objects".into(),
        hint: Some(if is_object {
            "Put the object into an array: [{\"name\": ..., \"value\": ...}]."
        } else {
            "Give an array such as [{\"name\": \"a\", \"value\": 1}]."
        }),
    }
}

impl Defaults {
    /// The item made of the element at `index`; `None` is an element that is not an object.
    pub fn value_item<'a, V>(self, index: usize, element: Option<Element<'a, V>>) -> Result<Item<'a, V>> {
        let (item, value) = self.read(index, element, true)?;
        let Item { name, ttl, encrypt, .. } = item;
        match value {
            Some(value) => Ok(Item { index, name, value, ttl, encrypt }),
            None => Err(missing(index, "value")),
        }
    }

    /// As [`Defaults::value_item`], for items that have no value and no protection.
    pub fn expiry_item<'a, V>(self, index: usize, element: Option<Element<'a, V>>) -> Result<Item<'a, ()>> {
        self.read(index, element, false).map(|(item, _)| item)
    }

    fn read<'a, V>(
        self,
        index: usize,
        element: Option<Element<'a, V>>,
        with_value: bool,
    ) -> Result<(Item<'a, ()>, Option<V>)> {
        let problem = |problem: String, hint: Option<String>| Error::Item { index, problem, hint };
        let element = element.ok_or_else(|| problem("must be a JSON object".into(), None))?;
        let unknown = match &element {
            Element { unknown: Some(key), .. } => Some(*key),
            Element { value: Some(_), .. } if !with_value => Some("value"),
            Element { encrypt: Some(_), .. } if !with_value => Some("encrypt"),
            _ => None,
        };
        if let Some(key) = unknown {
            let hint = match key {
                "expiry" | "ttl" | "expires" | "expires_at" | "expire" => {
                    "The time to live, in seconds, is called \"expiration\"."
                }
                _ if with_value => "The keys are name, value, expiration, encrypt.",
                _ => "The keys are name, expiration.",
            };
            return Err(problem(format!("unknown key {}", error::quoted(key)), Some(hint.into())));
        }
        let Scalar::String(name) = element.name.ok_or_else(|| missing(index, "name"))? else {
            return Err(problem("key \"name\" must be a string".into(), None));
        };
        name::validate_new(Some(&name)).map_err(|wrong| wrong.in_item(index))?;
        let ttl = match element.expiration {
            None => self.ttl,
            Some(expiration) => read_ttl(&expiration)
                .map_err(|wrong| problem(format!("key \"expiration\": {wrong}"), wrong.hint()))?,
        };
        let encrypt = match element.encrypt {
            None => self.encrypt,
            Some(Scalar::Null) => None,
            Some(Scalar::Bool(encrypt)) => Some(encrypt),
            Some(_) => return Err(problem("key \"encrypt\" must be true, false or null".into(), None)),
        };
        Ok((Item { index, name, value: (), ttl, encrypt }, element.value))
    }
}

fn missing(index: usize, key: &str) -> Error {
    Error::Item { index, problem: format!("key \"{key}\" is missing"), hint: None }
}

/// The items by name in byte order, each name once. `pulse` is called again and again meanwhile.
pub fn in_order<'a, V>(
    mut items: Vec<Item<'a, V>>,
    repeats: Repeats,
    pulse: impl Fn(),
) -> Result<Vec<Item<'a, V>>> {
    // Not a stable sort, which takes memory.
    items.sort_unstable_by(|one, other| {
        pulse();
        (&one.name, one.index).cmp(&(&other.name, other.index))
    });
    if repeats == Repeats::Refused {
        let mut repeated: Vec<_> =
            items.windows(2).filter(|pair| pair[0].name == pair[1].name).map(|pair| &*pair[0].name).collect();
        repeated.dedup();
        if !repeated.is_empty() {
            return Err(Error::AttributeRepeated(repeated.into_iter().collect()));
        }
    }
    // Of two equal names the later one comes second.
    items.dedup_by(|later, kept| {
        let repeats = later.name == kept.name;
        if repeats {
            std::mem::swap(later, kept);
        }
        repeats
    });
    Ok(items)
}

fn read_ttl(expiration: &Scalar<'_>) -> Result<Option<Ttl>> {
    match expiration {
        Scalar::Null => Ok(None),
        Scalar::String(text) if text == "Infinity" => Ok(Some(Ttl::Never)),
        Scalar::Number(digits) => {
            // A number too large for f64 reads as infinity, but JSON has none: it is merely huge.
            let seconds: f64 = digits.parse().unwrap_or(f64::NAN);
            Ttl::from_seconds(if seconds == f64::INFINITY { f64::MAX } else { seconds }).map(Some)
        }
        _ => Err(Error::Argument {
            message: "must be a number of seconds, \"Infinity\" or null".into(),
            hint: Some("An interval is given as its seconds, for example 900 for 15 minutes."),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const NONE: Defaults = Defaults { ttl: None, encrypt: None };
    const HOUR: Option<Ttl> = Some(Ttl::Micros(3_600_000_000));

    fn scalar(value: &Value) -> Scalar<'_> {
        match value {
            Value::Null => Scalar::Null,
            Value::Bool(bool) => Scalar::Bool(*bool),
            Value::Number(number) => Scalar::Number(number.to_string()),
            Value::String(text) => Scalar::String(text.into()),
            _ => Scalar::Other,
        }
    }

    fn element(value: &Value) -> Option<Element<'_, &Value>> {
        let mut element = Element::default();
        for (key, value) in value.as_object()? {
            match key.as_str() {
                "name" => element.name = Some(scalar(value)),
                "value" => element.value = Some(value),
                "expiration" => element.expiration = Some(scalar(value)),
                "encrypt" => element.encrypt = Some(scalar(value)),
                unknown => element.unknown = Some(unknown),
            }
        }
        Some(element)
    }

    fn read_by(defaults: Defaults, repeats: Repeats, data: &Value) -> Result<Vec<Item<'_, &Value>>> {
        let elements = data.as_array().into_iter().flatten().enumerate();
        let items: Result<_> =
            elements.map(|(index, value)| defaults.value_item(index, element(value))).collect();
        in_order(items?, repeats, || ())
    }

    fn read(data: &Value) -> Result<Vec<Item<'_, &Value>>> {
        read_by(NONE, Repeats::LastWins, data)
    }

    fn problem(data: &Value) -> String {
        match read(data) {
            Err(error) => format!("{} {error}", error.sqlstate()),
            Ok(_) => "accepted".into(),
        }
    }

    #[test]
    fn items_come_sorted_and_the_last_of_a_name_wins() -> Result<()> {
        let data = json!([{"name": "b", "value": 1}, {"name": "a", "value": 2}, {"name": "b", "value": 3},
                          {"name": "b", "value": 4}]);
        let seen: Vec<_> = read(&data)?.into_iter().map(|item| (item.name, item.value, item.index)).collect();
        assert_eq!(seen, [("a".into(), &json!(2), 1), ("b".into(), &json!(4), 3)]);
        Ok(())
    }

    #[test]
    fn a_repeated_name_can_be_refused() {
        let data = json!([{"name": "b", "value": 1}, {"name": "b", "value": 2}, {"name": "b", "value": 3}]);
        let refused = read_by(NONE, Repeats::Refused, &data).map(|_| ());
        assert_eq!(refused, Err(Error::AttributeRepeated(["b"].into_iter().collect())));
    }

    #[test]
    fn an_explicit_null_beats_the_calls_default() -> Result<()> {
        let defaults = Defaults { ttl: HOUR, encrypt: Some(true) };
        let data = json!([
            {"name": "a", "value": 1},
            {"name": "b", "value": 1, "expiration": null, "encrypt": null},
            {"name": "c", "value": 1, "expiration": "Infinity", "encrypt": false}
        ]);
        let items = read_by(defaults, Repeats::LastWins, &data)?;
        let seen: Vec<_> = items.iter().map(|item| (item.ttl, item.encrypt)).collect();
        assert_eq!(seen, [(HOUR, Some(true)), (None, None), (Some(Ttl::Never), Some(false))]);
        Ok(())
    }

    #[test]
    fn what_is_wrong_is_named_by_item_and_key() {
        assert_eq!(problem(&json!([7])), "22023 item 0 of data: must be a JSON object");
        for (bad, message) in [
            (json!({"value": 1}), r#"item 1 of data: key "name" is missing"#),
            (json!({"name": 7, "value": 1}), r#"item 1 of data: key "name" must be a string"#),
            (json!({"name": null, "value": 1}), r#"item 1 of data: key "name" must be a string"#),
            (json!({"name": "", "value": 1}), "item 1 of data: name must not be empty"),
            (json!({"name": "x"}), r#"item 1 of data: key "value" is missing"#),
            (json!({"name": "x", "value": 1, "expiry": 3}), r#"item 1 of data: unknown key "expiry""#),
            (
                json!({"name": "x", "value": 1, "encrypt": "yes"}),
                r#"item 1 of data: key "encrypt" must be true, false or null"#,
            ),
            (
                json!({"name": "x", "value": 1, "expiration": "soon"}),
                r#"item 1 of data: key "expiration": must be a number of seconds, "Infinity" or null"#,
            ),
            (
                json!({"name": "x", "value": 1, "expiration": 0}),
                r#"item 1 of data: key "expiration": expiration must be a positive number of seconds"#,
            ),
            (
                json!({"name": "x", "value": 1, "expiration": 1e300}),
                r#"item 1 of data: key "expiration": expiration is past the end of timestamptz"#,
            ),
        ] {
            let data = json!([{"name": "g", "value": 1}, bad]);
            assert_eq!(problem(&data), format!("22023 {message}"));
        }
    }

    #[test]
    fn a_number_of_any_length_is_a_time() {
        let huge = Scalar::Number("9".repeat(400));
        assert_eq!(
            read_ttl(&huge).map_err(|error| error.to_string()),
            Err("expiration is past the end of timestamptz".into())
        );
    }

    #[test]
    fn expiry_items_take_no_value() {
        let read = |item: &Value| NONE.expiry_item(0, element(item)).map(|item| item.ttl);
        assert_eq!(read(&json!({"name": "a", "expiration": 3600})), Ok(HOUR));
        for key in ["value", "encrypt"] {
            assert_eq!(
                read(&json!({"name": "a", key: true})).map_err(|error| error.to_string()),
                Err(format!("item 0 of data: unknown key \"{key}\""))
            );
        }
    }

    #[test]
    fn no_items_are_fine() {
        assert_eq!(read(&json!([])).map(|items| items.len()), Ok(0));
    }

    proptest! {
        #[test]
        fn every_name_comes_once_with_its_last_value(names in proptest::collection::vec("\\PC{1,3}", 0..20)) {
            let data = Value::from_iter(names.iter().enumerate().map(|(n, name)| json!({"name": name, "value": n})));
            let items = read(&data).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let seen: Vec<_> =
                items.iter().map(|item| (item.name.to_string(), item.value.as_u64())).collect();
            let wanted: std::collections::BTreeMap<_, _> =
                names.into_iter().zip(0..).map(|(name, n)| (name, Some(n))).collect();
            prop_assert_eq!(seen, wanted.into_iter().collect::<Vec<_>>());
        }
    }
}
