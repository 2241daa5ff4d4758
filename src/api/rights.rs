//! What granting rights needs beyond SQL.

use pgrx::prelude::*;
use pgrx::spi;

use crate::pg::script;
use crate::pg::text::Text;

/// Runs a GRANT or REVOKE, with the caller's rights, as though it were in no extension's script.
/// sql/grants.sql creates the function.
#[pg_extern(sql = false)]
fn run_outside_script(command: Text<'_>) -> Result<(), spi::Error> {
    script::outside(|| Spi::run(&command))
}
