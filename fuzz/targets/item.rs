#![no_main]
//! Any array is a list of items with distinct, sorted names, or is refused with an item's number.

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sso_attr_core::item::{self, Defaults, Json, Repeats, Scalar};

#[derive(Clone, Copy)]
struct Borrowed<'a>(&'a Value);

impl<'a> Json<'a> for Borrowed<'a> {
    fn scalar(self) -> Scalar<'a> {
        match self.0 {
            Value::Null => Scalar::Null,
            Value::Bool(bool) => Scalar::Bool(*bool),
            Value::Number(number) => Scalar::Number(number.to_string()),
            Value::String(text) => Scalar::String(text.into()),
            _ => Scalar::Other,
        }
    }
}

fuzz_target!(|text: &str| {
    let Ok(Value::Array(data)) = serde_json::from_str(text) else { return };
    let objects = data.iter().map(Value::as_object);
    let elements =
        objects.map(|object| Some(object?.iter().map(|(key, value)| (key.as_str(), Borrowed(value)))));
    let defaults = Defaults { ttl: None, encrypt: None };
    if let Ok(items) = item::values(elements, defaults, Repeats::LastWins) {
        assert!(items.is_sorted_by(|a, b| a.name < b.name));
    }
});
