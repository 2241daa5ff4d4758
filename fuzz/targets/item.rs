#![no_main]
//! Any array is a list of items with distinct, sorted names, or is refused with an item's number.

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sso_attr_core::item::{self, Defaults, Element, Repeats, Scalar};

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

fuzz_target!(|text: &str| {
    let Ok(Value::Array(data)) = serde_json::from_str(text) else { return };
    let defaults = Defaults { ttl: None, encrypt: None };
    let items: Result<_, _> =
        data.iter().enumerate().map(|(index, value)| defaults.value_item(index, element(value))).collect();
    if let Ok(items) = items.and_then(|items| item::in_order(items, Repeats::LastWins, || ())) {
        assert!(items.is_sorted_by(|a, b| a.name < b.name));
    }
});
