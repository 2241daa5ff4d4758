//! The rules of sso_attr that need no server.
//!
//! Everything here is plain Rust over bytes and text, so that it can be unit-tested,
//! property-tested and fuzzed without PostgreSQL. The extension calls down into this crate;
//! nothing here calls back.

#![forbid(unsafe_code)]

pub mod audit;
pub mod envelope;
pub mod error;
pub mod expiry;
pub mod item;
pub mod keyring;
pub mod name;
pub mod password;
pub mod token;
pub mod user;
pub mod value;

pub use error::{Error, Result};
