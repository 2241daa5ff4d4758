//! sso_attr: session attributes inside PostgreSQL.
//!
//! | where | what |
//! | --- | --- |
//! | `sso_attr_core` (`core/`) | tokens, expiry, names, data items, envelope, keyring: no PostgreSQL |
//! | [`api`] | every SQL function: decode, call, encode |
//! | [`protection`] | sealed or clear: decided once |
//! | [`vault`] | the keyring in force, sealing and opening |
//! | [`store`] | every statement, typed on both sides |
//! | [`passwords`] | hashing passwords with the settings in force |
//! | [`maintenance`] | removing what has expired, moving values to the primary key; the workers that do both |
//! | [`current`] | the current session of a transaction, for row-level security |
//! | [`lifetime`], [`settings`] | how long sessions live; the settings |
//! | [`pg`] | the only `unsafe`: SPI, datums, the clock |
//!
//! Calls go downwards only: api to protection and maintenance, those to vault and store, those to pg.
//! Three symbols outside [`pg`] are exported, which counts as `unsafe` too: `_PG_init` here, and the
//! functions in [`maintenance`] that PostgreSQL starts the two workers with.

#![deny(unsafe_code)]
#![allow(clippy::result_large_err, reason = "pgrx takes the error report by value")]

use pgrx::prelude::*;

mod api;
mod current;
mod lifetime;
mod maintenance;
mod passwords;
#[allow(unsafe_code, reason = "the one place that calls PostgreSQL's C interface")]
mod pg;
mod protection;
mod settings;
mod store;
mod vault;

pgrx::pg_module_magic!();

extension_sql_file!("../sql/tables.sql", name = "tables", bootstrap);
extension_sql_file!("../sql/users.sql", name = "users", requires = ["tables"]);
extension_sql_file!("../sql/grants.sql", name = "grants", requires = ["users"]);
extension_sql_file!("../sql/distribute.sql", name = "distribute", requires = ["tables"]);
extension_sql_file!("../sql/stats.sql", name = "stats", requires = ["distribute"]);
extension_sql_file!("../sql/durability.sql", name = "durability", requires = ["tables"]);
extension_sql_file!("../sql/finalize.sql", name = "finalize", finalize);

#[allow(unsafe_code, reason = "PostgreSQL calls this symbol when it loads the library")]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::report::refuse_backtraces();
    settings::define();
    maintenance::register();
    passwords::register();
}
