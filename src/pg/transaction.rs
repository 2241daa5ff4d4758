//! What the open transaction is like.

use pgrx::pg_sys;

/// Whether all statements of the transaction see one snapshot: REPEATABLE READ and SERIALIZABLE.
pub fn has_one_snapshot() -> bool {
    // SAFETY: set when the transaction started.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// Whether the open transaction is read-only.
pub fn is_read_only() -> bool {
    // SAFETY: set when the transaction started.
    unsafe { pg_sys::XactReadOnly }
}

/// Whether a transaction is the current one, or a part of it that has not been rolled back.
pub fn is_own(id: u32) -> bool {
    // SAFETY: inside a transaction; any number may be asked for.
    unsafe { pg_sys::TransactionIdIsCurrentTransactionId(id.into()) }
}
