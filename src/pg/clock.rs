//! The clock of expiry.

use pgrx::pg_sys;
use sso_attr_core::expiry::Timestamp;

/// When the client's statement began: the same for all calls that it makes, and never twice the same.
pub fn statement_start() -> Timestamp {
    // SAFETY: reads a variable; no precondition.
    Timestamp(unsafe { pg_sys::GetCurrentStatementStartTimestamp() })
}

/// The instant at which the call runs, not the transaction's start: what a long procedure stores
/// must not be born expired.
pub fn now() -> Timestamp {
    // SAFETY: reads the system clock; no precondition.
    Timestamp(unsafe { pg_sys::GetCurrentTimestamp() })
}
