#![no_main]
//! Any bytes are a keyring with distinct ids, or are refused.

use libfuzzer_sys::fuzz_target;
use sso_attr_core::keyring::Keyring;

fuzz_target!(|text: &[u8]| {
    if let Ok(ring) = Keyring::parse(text) {
        for key in ring.keys() {
            assert!(ring.get(key.id()).is_some_and(|found| found.check_value() == key.check_value()));
        }
    }
});
