//! From the error enum to PostgreSQL's ERROR.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use sso_attr_core::{Error, Result};

use super::reserve;

/// What an SQL function returns: pgrx raises exactly this type with its own SQLSTATE.
pub type Answer<T> = std::result::Result<T, ErrorReport>;

/// `error` with its SQLSTATE, DETAIL and HINT.
pub fn report(error: Error) -> ErrorReport {
    if matches!(error, Error::OutOfMemory) {
        reserve::release();
    }
    let mut report = ErrorReport::new(code(error.sqlstate()), error.to_string(), "sso_attr");
    if let Some(detail) = error.detail() {
        report = report.set_detail(detail);
    }
    if let Some(hint) = error.hint() {
        report = report.set_hint(hint);
    }
    report
}

/// Raises `error` at once, where a result cannot be handed on: while PostgreSQL hands over arguments
/// or rows.
pub(super) fn raise(error: Error) -> ! {
    report(error).report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// A list that may be long, so that a lack of memory for it is an error like any other.
pub fn collected<T>(elements: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(elements.size_hint().0).map_err(|_| Error::OutOfMemory)?;
    for element in elements {
        push(&mut list, element?)?;
    }
    Ok(list)
}

/// Adds an element to such a list.
pub fn push<T>(list: &mut Vec<T>, element: T) -> Result<()> {
    list.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
    list.push(element);
    Ok(())
}

/// `MAKE_SQLSTATE` of PostgreSQL's `utils/elog.h`: six bits for each character.
fn code(sqlstate: &str) -> PgSqlErrorCode {
    sqlstate.bytes().rev().fold(0i32, |code, byte| (code << 6) | i32::from((byte - b'0') & 0x3F)).into()
}

/// Makes this library's copy of the standard library decide, once and for all, that it takes no
/// backtraces: with RUST_BACKTRACE in the server's environment each error would carry one to the
/// client and take 130 ms. Other libraries find their environment as it was.
pub fn refuse_backtraces() {
    const SWITCH: &str = "RUST_LIB_BACKTRACE";
    let former = std::env::var_os(SWITCH);
    // SAFETY: _PG_init runs in a process with one thread.
    unsafe { std::env::set_var(SWITCH, "0") };
    drop(std::backtrace::Backtrace::capture());
    // SAFETY: as above.
    unsafe {
        match former {
            Some(former) => std::env::set_var(SWITCH, former),
            None => std::env::remove_var(SWITCH),
        }
    }
}
