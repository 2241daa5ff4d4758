//! The rounding of `purge_bin` for SQL: for the trigger that follows `expires_at`, and sso_attr_check.

use pgrx::prelude::*;
use sso_attr_core::expiry::Timestamp;

use crate::pg::datum::TimestampTz;

/// `date_bin('10 minutes', expires_at, '2000-01-01 00:00 UTC')`, infinity staying infinity.
/// sql/tables.sql creates the function before the tables.
#[pg_extern(sql = false)]
fn purge_bin(expires_at: TimestampTz) -> TimestampTz {
    Timestamp::from(expires_at).purge_bin().into()
}
