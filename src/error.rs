//! From the error enum to PostgreSQL's ERROR.

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use sso_attr_core::Error;

/// What every SQL function returns: pgrx raises exactly this type with its own SQLSTATE.
pub type Answer<T> = Result<T, ErrorReport>;

/// Raises `error` with its SQLSTATE, DETAIL and HINT.
pub fn report(error: Error) -> ErrorReport {
    let mut report = ErrorReport::new(code(error.sqlstate()), error.to_string(), "sso_attr");
    if let Some(detail) = error.detail() {
        report = report.set_detail(detail);
    }
    if let Some(hint) = error.hint() {
        report = report.set_hint(hint);
    }
    report
}

/// `MAKE_SQLSTATE` of PostgreSQL's `utils/elog.h`: six bits for each character.
fn code(sqlstate: &str) -> PgSqlErrorCode {
    sqlstate.bytes().rev().fold(0i32, |code, byte| (code << 6) | i32::from((byte - b'0') & 0x3F)).into()
}
