//! Everything that differs between PostgreSQL's releases. Unless it is said of one release only, it
//! holds for every later one too.

use std::ffi::{CStr, c_int, c_void};

#[cfg(feature = "pg14")]
pub(super) use pgrx::pg_sys::EmitWarningsOnPlaceholders as MarkGUCPrefixReserved;
#[cfg(not(feature = "pg14"))]
pub(super) use pgrx::pg_sys::MarkGUCPrefixReserved;
#[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
use pgrx::pg_sys::pqsignal;
#[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
use pgrx::pg_sys::pqsignal_be as pqsignal;
use pgrx::pg_sys::{self, PgStat_StatDBEntry, SIGHUP, SIGTERM};

unsafe extern "C-unwind" {
    // pgrx's bindings wrap these in Rust functions, which cannot be installed as handlers.
    fn die(signal: c_int, #[cfg(feature = "pg19")] sender: *const pg_sys::pg_signal_info);
    #[link_name = "SignalHandlerForConfigReload"]
    fn reload(signal: c_int, #[cfg(feature = "pg19")] sender: *const pg_sys::pg_signal_info);
}

/// Lets SIGTERM end this process at once, also within a statement, and SIGHUP ask for a reload.
///
/// # Safety
/// This process is a background worker that has not unblocked signals yet.
pub(super) unsafe fn install_signal_handlers() {
    // SAFETY: as the caller says; the handlers are the server's own.
    unsafe {
        pqsignal(SIGTERM as c_int, Some(die));
        pqsignal(SIGHUP as c_int, Some(reload));
    }
}

unsafe extern "C" {
    // pgrx has no binding for it.
    static BackgroundWorkerList: *mut c_void;
}

/// The worker that was registered last, only to be compared with. PostgreSQL does not report whether a
/// registration succeeded.
///
/// # Safety
/// This process is the postmaster.
pub(super) unsafe fn last_registered_worker() -> *mut c_void {
    // The head of the list has one link up to release 17, and two since, the second one leading to the
    // first member.
    const FIRST: usize =
        if cfg!(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")) { 0 } else { 1 };
    // SAFETY: the postmaster is the only user of the list; the pointer is read, not followed.
    unsafe { (&raw const BackgroundWorkerList).cast::<*mut c_void>().add(FIRST).read() }
}

/// The number of a wait event, which PostgreSQL shows under its name from release 17 on, under the name
/// of all extensions before. The same name gives the same number in every process.
///
/// # Safety
/// This process is attached to shared memory.
pub(super) unsafe fn wait_event(name: &CStr) -> u32 {
    #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16"))]
    {
        let _ = name;
        pg_sys::PG_WAIT_EXTENSION
    }
    #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
    // SAFETY: as the caller says; the name is copied.
    unsafe {
        pg_sys::WaitEventExtensionNew(name.as_ptr())
    }
}

/// One text for releases before the one named, another for it and later ones.
#[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16"))]
macro_rules! by_release {
    (before 17: $before:literal, else: $since:literal) => {
        $before
    };
}
#[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
macro_rules! by_release {
    (before 17: $before:literal, else: $since:literal) => {
        $since
    };
}
pub(crate) use by_release;

/// Whether a backslash in a text between quotes is one, from now on; returns whether it was. From release 19
/// on it always is.
///
/// # Safety
/// This is the server's one thread.
pub(super) unsafe fn conform_strings(conform: bool) -> bool {
    #[cfg(feature = "pg19")]
    return conform;
    #[cfg(not(feature = "pg19"))]
    // SAFETY: as the caller says.
    unsafe {
        (&raw mut pg_sys::standard_conforming_strings).replace(conform)
    }
}

/// Rows inserted, updated and deleted.
pub(super) fn rows_written(counts: &PgStat_StatDBEntry) -> i64 {
    #[cfg(any(feature = "pg14", feature = "pg15"))]
    return counts.n_tuples_inserted + counts.n_tuples_updated + counts.n_tuples_deleted;
    #[cfg(not(any(feature = "pg14", feature = "pg15")))]
    return counts.tuples_inserted + counts.tuples_updated + counts.tuples_deleted;
}

/// Settings for a worker's session that not every release has.
pub(super) const WORKER_SETTINGS: &[(&CStr, &CStr)] =
    if cfg!(any(feature = "pg14", feature = "pg15", feature = "pg16")) {
        &[]
    } else {
        &[(c"transaction_timeout", c"0")]
    };

/// A jsonb under construction.
pub(super) struct JsonbState(
    #[cfg(feature = "pg19")] pg_sys::JsonbInState,
    #[cfg(not(feature = "pg19"))] *mut pg_sys::JsonbParseState,
);

impl JsonbState {
    pub(super) fn new() -> Self {
        #[cfg(feature = "pg19")]
        return JsonbState(pg_sys::JsonbInState::default());
        #[cfg(not(feature = "pg19"))]
        JsonbState(std::ptr::null_mut())
    }

    /// Adds a token and gives what there is so far, the whole of it after the last one.
    ///
    /// # Safety
    /// Tokens come in an order that makes a jsonb, and the value is the token's or null.
    pub(super) unsafe fn push(
        &mut self,
        token: pg_sys::JsonbIteratorToken::Type,
        value: *mut pg_sys::JsonbValue,
    ) -> *mut pg_sys::JsonbValue {
        // SAFETY: as the caller says.
        unsafe {
            #[cfg(feature = "pg19")]
            {
                pg_sys::pushJsonbValue(&mut self.0, token, value);
                self.0.result
            }
            #[cfg(not(feature = "pg19"))]
            pg_sys::pushJsonbValue(&mut self.0, token, value)
        }
    }
}
