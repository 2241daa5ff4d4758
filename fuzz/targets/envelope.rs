#![no_main]
//! No bytes that were not sealed with the key open.

use libfuzzer_sys::fuzz_target;
use sso_attr_core::envelope::{self, Place};
use sso_attr_core::keyring::Keyring;
use uuid::Uuid;

fuzz_target!(|input: (u128, &str, &[u8])| {
    let (session, name, sealed) = input;
    let text = format!("1:{}", "5a".repeat(32));
    let ring = Keyring::parse(text.as_bytes()).expect("a keyring");
    let place = Place { session: Uuid::from_u128(session), name };
    assert!(envelope::open(&ring, place, &mut sealed.to_vec()).is_err());
});
