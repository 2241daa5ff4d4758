//! What the generated columns `purge_bin` call.

use pgrx::prelude::*;
use sso_attr_core::expiry::Timestamp;

use crate::pg::datum::TimestampTz;

/// `date_bin('10 minutes', expires_at, '2000-01-01 00:00 UTC')` under a name of its own: PostgreSQL
/// reads a generated column's expression from its text for every update, and this text is short
/// (12,000 instructions less of 99,000). sql/tables.sql creates the function before the tables.
#[pg_extern(sql = false)]
fn purge_bin(expires_at: TimestampTz) -> TimestampTz {
    Timestamp::from(expires_at).purge_bin().into()
}
