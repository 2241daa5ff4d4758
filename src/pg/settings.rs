//! What pgrx does not wrap of the settings machinery.

use pgrx::pg_sys;

/// Makes an unknown `sso_attr.*` setting an error instead of a silent placeholder.
pub fn reserve_prefix() {
    // SAFETY: called from _PG_init with a static name, after all settings are defined.
    unsafe {
        #[cfg(feature = "pg14")]
        pg_sys::EmitWarningsOnPlaceholders(c"sso_attr".as_ptr());
        #[cfg(not(feature = "pg14"))]
        pg_sys::MarkGUCPrefixReserved(c"sso_attr".as_ptr());
    }
}

/// The server's data directory.
pub fn data_directory() -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: DataDir is set before any backend starts and never changes.
    let path = unsafe { std::ffi::CStr::from_ptr(pg_sys::DataDir) };
    std::ffi::OsStr::from_bytes(path.to_bytes()).into()
}
