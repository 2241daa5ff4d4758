//! Lines for the server's log alone.

use std::ffi::{CString, c_char, c_int};

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

// `ereport` of PostgreSQL's `utils/elog.h`, which pgrx binds without the two that hide.
unsafe extern "C-unwind" {
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errhidestmt(hide: bool) -> c_int;
    fn errhidecontext(hide: bool) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
}

/// Writes a line to the server's log, without the statement that is running, whose literals could be
/// anything, and without its context. No client sees it, whatever it has set.
pub fn server_only(text: &str) {
    // To C, a text ends at its first NUL.
    let text = CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default();
    // SAFETY: inside a transaction, in the backend's one thread. The format takes one valid text, which
    // is copied. An ERROR, which can only be for lack of memory, is caught at the boundary, across
    // which nothing that has to be dropped is held.
    unsafe {
        pg_guard_ffi_boundary(|| {
            if errstart(pg_sys::LOG_SERVER_ONLY as c_int, std::ptr::null()) {
                errmsg_internal(c"%s".as_ptr(), text.as_ptr());
                errhidestmt(true);
                errhidecontext(true);
                errfinish(c"audit".as_ptr(), 0, std::ptr::null());
            }
        });
    }
}
