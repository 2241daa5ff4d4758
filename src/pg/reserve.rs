//! Memory kept aside for an error on its way.
//!
//! pgrx copies an error of PostgreSQL into the memory that was current, to unwind with. Where that
//! memory is used up, the copy fails with another error, which is copied again, until PostgreSQL ends
//! the whole server ("ERRORDATA_STACK_SIZE exceeded"). So each call keeps some memory aside,
//! untouched, and gives it back as soon as there is an error for want of memory.

use std::cell::Cell;
use std::ffi::c_void;

use pgrx::{PgSqlErrorCode, pg_sys};
use sso_attr_core::{Error, Result};

/// For PostgreSQL's copies: once a memory context has grown, it asks for a megabyte at least.
const BLOCK: usize = (1 << 20) + (1 << 18);
/// For Rust's copies, too small to be of use as such a block.
const SMALL: usize = 1 << 16;

thread_local! {
    static RESERVE: Cell<Option<[Vec<u8>; 2]>> = const { Cell::new(None) };
}

/// Does `work` with the reserve at hand; fails where that cannot be had.
pub fn kept<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let reserve = RESERVE.take().map_or_else(|| Ok([set_aside(BLOCK)?, set_aside(SMALL)?]), Ok)?;
    RESERVE.set(Some(reserve));
    // SAFETY: what the stack of callbacks points to lives until the stack is as it was: `restored` is
    // dropped first, when an ERROR unwinds too.
    unsafe {
        let mut callback = pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(on_error),
            arg: std::ptr::null_mut(),
        };
        let _restored = Restored(callback.previous);
        pg_sys::error_context_stack = &raw mut callback;
        work()
    }
}

/// Gives the reserve back to whoever asks for memory next.
pub fn release() {
    RESERVE.take();
}

fn set_aside(bytes: usize) -> Result<Vec<u8>> {
    let mut reserve = Vec::new();
    reserve.try_reserve_exact(bytes).map_err(|_| Error::OutOfMemory)?;
    Ok(reserve)
}

/// The callbacks that were there before.
struct Restored(*mut pg_sys::ErrorContextCallback);

impl Drop for Restored {
    fn drop(&mut self) {
        // SAFETY: they are those of our caller, who is still there.
        unsafe { pg_sys::error_context_stack = self.0 };
    }
}

// Declared here since it raises no ERROR where there is an error, as there is in a callback.
unsafe extern "C-unwind" {
    fn geterrcode() -> i32;
}

/// Called for every error and message, to add what it knows.
unsafe extern "C-unwind" fn on_error(_: *mut c_void) {
    // SAFETY: called by PostgreSQL for the error at hand.
    if unsafe { geterrcode() } == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as i32 {
        release();
    }
}
