//! Transactions of a worker, which has no client's session to handle their errors.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgTryBuilder, pg_sys};

/// Runs `work` in a transaction of its own; an ERROR rolls it back and its message is returned. The
/// result is `Send`, as nothing is that lies in PostgreSQL's memory, which ends with the transaction.
pub fn in_transaction<T: Send>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_error(|| {
        // SAFETY: no transaction is open; `catch_error` handles an ERROR.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let result = work();
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
            result
        }
    })
}

/// Does what the main loop of a client's session does about an ERROR: nothing is left of the failed
/// transaction, so the process may go on.
pub(super) fn catch_error<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| {
            // SAFETY: ends whatever transaction is open, with its locks, snapshots and memory.
            unsafe { pg_sys::AbortOutOfAnyTransaction() };
            let (CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic { ereport: report, .. }) = error;
            Err(report.message().to_owned())
        })
        .execute()
}
