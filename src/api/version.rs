//! `sso_attr_version`, for error reports and for whoever updates a server.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::call::reading;
use crate::pg::settings;
use crate::pg::spi::{Access, as_owner};
use crate::store::purge;

/// The versions of the extension, of the library, and of what it was built with and runs on.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_attr_version() -> Result<
    TableIterator<
        'static,
        (
            name!(extension, Option<String>),
            name!(library, String),
            name!(pgrx, String),
            name!(built_for, String),
            name!(server, String),
        ),
    >,
    ErrorReport,
> {
    reading("sso_attr_version", |_| {
        Ok(TableIterator::once((
            as_owner(Access::Read, purge::installed_version),
            env!("CARGO_PKG_VERSION").to_owned(),
            env!("PGRX_VERSION").to_owned(),
            pg_sys::PG_VERSION.to_string_lossy().into_owned(),
            settings::server_version(),
        )))
    })
}
