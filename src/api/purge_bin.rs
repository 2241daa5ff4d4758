//! The function of the generated columns `purge_bin`.

use pgrx::prelude::*;
use sso_attr_core::expiry::Timestamp;

use crate::pg::datum::TimestampTz;

/// `date_bin('10 minutes', expires_at, '2000-01-01 00:00 UTC')` under a name of its own: PostgreSQL
/// parses a generated column's stored expression for every update, and this one is short. sql/tables.sql
/// creates the function before the tables.
#[pg_extern(sql = false)]
fn purge_bin(expires_at: TimestampTz) -> TimestampTz {
    Timestamp::from(expires_at).purge_bin().into()
}
