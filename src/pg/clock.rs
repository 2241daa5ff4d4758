//! The clock of expiry.

use sso_attr_core::expiry::Timestamp;

// Declared here since neither raises an ERROR: they need no guard like the one that pgrx puts around
// every call, which costs more than they do.
unsafe extern "C-unwind" {
    safe fn GetCurrentStatementStartTimestamp() -> i64;
    safe fn GetCurrentTransactionStartTimestamp() -> i64;
    safe fn GetCurrentTimestamp() -> i64;
}

/// When the client's statement began: the same for all calls that it makes, and never twice the same.
pub fn statement_start() -> Timestamp {
    Timestamp(GetCurrentStatementStartTimestamp())
}

/// When the open transaction began.
pub fn transaction_start() -> Timestamp {
    Timestamp(GetCurrentTransactionStartTimestamp())
}

/// The instant at which the call runs, not the transaction's start: what a long procedure stores
/// must not be born expired.
pub fn now() -> Timestamp {
    Timestamp(GetCurrentTimestamp())
}
