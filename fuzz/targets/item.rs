#![no_main]
//! Any text is a list of items with distinct, sorted names, or is refused with an item's number.

use libfuzzer_sys::fuzz_target;
use sso_attr_core::item::{self, Defaults, Repeats, Shape};

fuzz_target!(|text: &str| {
    let defaults = Defaults { ttl: None, encrypt: None };
    if let Ok(items) = item::parse(text, Shape::Values, defaults, Repeats::LastWins) {
        assert!(items.is_sorted_by(|a, b| a.name < b.name));
    }
});
