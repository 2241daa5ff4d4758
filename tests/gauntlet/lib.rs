//! What every part of the gauntlet shares: the seed that repeats its choices, and its length.
//!
//!     SEED=7 GAUNTLET=long cargo test --package sso_attr_gauntlet -- --nocapture --test-threads=1

pub mod model;

use std::time::{SystemTime, UNIX_EPOCH};

use sso_attr_client_tests::Result;

/// The seed of a part, printed; `SEED` repeats a run.
pub fn seed(part: &str) -> Result<u64> {
    let seed = match std::env::var("SEED") {
        Ok(text) => text.parse().map_err(|error| format!("SEED={text}: {error}"))?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64,
    };
    println!("{part}: SEED={seed}");
    Ok(seed)
}

/// How much of something: `short` with every change, `long` where `GAUNTLET=long` asks for it.
pub fn amount(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// Whether the whole gauntlet was asked for.
pub fn is_long() -> bool {
    std::env::var("GAUNTLET").is_ok_and(|length| length == "long")
}
