//! sso_attr: session attributes inside PostgreSQL.
//!
//! | where | what |
//! | --- | --- |
//! | `sso_attr_core` (`core/`) | tokens, expiry, names, data items, envelope, keyring: no PostgreSQL |
//! | [`api`] | every SQL function: decode, call, encode |
//! | [`store`] | every statement, one typed function each |
//! | [`vault`], [`rekey`] | the keyring in force, sealing and opening; moving values to a new key |
//! | [`purge`] | the sweep, the launcher that runs it in every database |
//! | [`pg`] | the only `unsafe`: SPI, datums, the clock |
//! | [`settings`], [`error`] | the settings; errors and their SQLSTATEs |
//!
//! Calls go downwards only: api and purge to store and vault, those to pg.

#![deny(unsafe_code)]
#![allow(clippy::result_large_err, reason = "pgrx takes the error report by value")]

use pgrx::prelude::*;

mod api;
mod error;
#[allow(unsafe_code, reason = "the one place that calls PostgreSQL's C interface")]
mod pg;
mod purge;
mod rekey;
mod settings;
mod store;
mod vault;

pgrx::pg_module_magic!();

extension_sql_file!("../sql/tables.sql", name = "tables", bootstrap);
extension_sql_file!("../sql/grants.sql", name = "grants", requires = ["tables"]);
extension_sql_file!("../sql/finalize.sql", name = "finalize", finalize);

#[allow(unsafe_code, reason = "PostgreSQL calls this symbol when it loads the library")]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    settings::define();
    purge::register();
}
