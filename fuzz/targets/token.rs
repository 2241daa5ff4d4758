#![no_main]
//! Any text is a claim or is not; a claim never comes with another id than it is asked for again.

use libfuzzer_sys::fuzz_target;
use sso_attr_core::token::Claim;

fuzz_target!(|text: &str| {
    if let Some(claim) = Claim::parse(text) {
        assert!(text.starts_with("sso_") || claim.id.get_version_num() == 8);
    }
});
