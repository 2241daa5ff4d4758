//! Whether Citus, which can distribute tables, is part of this server.

use std::cell::OnceCell;

use pgrx::pg_sys;

use super::version;

thread_local! {
    static LOADED: OnceCell<bool> = const { OnceCell::new() };
}

/// Whether the tables may be distributed. It is loaded when the server starts or not at all, so the answer
/// never changes.
pub fn is_loaded() -> bool {
    LOADED.with(|loaded| {
        // SAFETY: an unknown setting is null.
        *loaded.get_or_init(|| unsafe {
            !pg_sys::GetConfigOption(c"citus.version".as_ptr(), true, false).is_null()
        })
    })
}

/// The session's ways of writing values as text; put back when dropped.
///
/// Citus sends values to other nodes as text, which is read there with the settings of that node: a day of
/// `05/06/2026` would become a month, and a backslash two.
pub struct Legible {
    former_dates: i32,
    former_strings: bool,
}

impl Legible {
    /// Has values written as every node reads them.
    pub fn make() -> Legible {
        // SAFETY: plain values of this process, read where values are written and read.
        unsafe {
            Legible {
                former_dates: (&raw mut pg_sys::DateStyle).replace(pg_sys::USE_ISO_DATES as i32),
                former_strings: version::conform_strings(true),
            }
        }
    }
}

impl Drop for Legible {
    fn drop(&mut self) {
        // SAFETY: as before.
        unsafe {
            pg_sys::DateStyle = self.former_dates;
            version::conform_strings(self.former_strings);
        }
    }
}
