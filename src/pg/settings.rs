//! What pgrx leaves unwrapped of the server's settings.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::version;

/// Makes an unknown `sso_attr.*` setting an error instead of a silent placeholder.
pub fn reserve_prefix() {
    // SAFETY: called from _PG_init with a static name, after all settings are defined.
    unsafe { version::MarkGUCPrefixReserved(c"sso_attr".as_ptr()) };
}

/// Sets a setting for this session, whatever the server, the database or the role has it set to.
pub(super) fn override_setting(name: &CStr, value: &CStr, context: pg_sys::GucContext::Type) {
    // SAFETY: both texts are valid and copied; an invalid setting raises an ERROR.
    unsafe {
        pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), context, pg_sys::GucSource::PGC_S_OVERRIDE);
    }
}

/// The server's data directory.
pub fn data_directory() -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: DataDir is set before any backend starts and never changes.
    let path = unsafe { CStr::from_ptr(pg_sys::DataDir) };
    std::ffi::OsStr::from_bytes(path.to_bytes()).into()
}

/// The version of the server that runs, as its setting shows it.
pub fn server_version() -> String {
    // SAFETY: every server has the setting; its text is copied.
    let version =
        unsafe { CStr::from_ptr(pg_sys::GetConfigOption(c"server_version".as_ptr(), false, false)) };
    version.to_string_lossy().into_owned()
}
