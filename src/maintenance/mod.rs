//! Background work: removing what has expired, moving sealed values to the primary key.
//!
//! Expiry is exact without it: every statement compares with the time. The purge only gives the space
//! back. [`purge`] and [`rekey`] are the work on one database, which `sso_attr_purge` and
//! `sso_attr_rekey` do as well; [`launcher`] is the process that sends a [`visitor`] into one database
//! after the other.

use std::time::Duration;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};

use crate::pg::worker;

mod launcher;
pub mod purge;
pub mod rekey;
mod visitor;

/// How long after a crash the launcher is started again: if it keeps crashing, the log must not fill up.
const RESTART_TIME: Duration = Duration::from_secs(5);

/// Registers the launcher if the library is being preloaded; without that nothing runs by itself.
pub fn register() {
    if worker::is_preloading()
        && !worker::register("sso_attr launcher", "sso_attr_launcher_main", RESTART_TIME)
    {
        warn_of_worker_limit(
            "sso_attr cannot start its launcher: all max_worker_processes are in use",
            "Nothing is purged or encrypted anew by itself until the server is started with more.",
        );
    }
}

fn warn_of_worker_limit(message: &'static str, detail: &str) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, message, "sso_attr")
        .set_detail(detail)
        .set_hint("Raise max_worker_processes.")
        .report(PgLogLevel::WARNING);
}

#[allow(unsafe_code, reason = "PostgreSQL looks this symbol up to start the launcher")]
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn sso_attr_launcher_main(_argument: pg_sys::Datum) {
    launcher::run()
}

#[allow(unsafe_code, reason = "PostgreSQL looks this symbol up to start a visitor")]
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn sso_attr_visitor_main(argument: pg_sys::Datum) {
    let (database, ticket) = worker::decode_argument(argument);
    visitor::visit(database, ticket);
}
