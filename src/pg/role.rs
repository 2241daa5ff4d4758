//! Who calls.

use std::ffi::CStr;

use pgrx::pg_sys;

/// Whose rights the call is made with.
pub fn current() -> String {
    // SAFETY: set since the backend started.
    name(unsafe { pg_sys::GetUserId() })
}

/// Who has connected, unless SET SESSION AUTHORIZATION made it another one.
pub fn session() -> String {
    // SAFETY: set since the backend started.
    name(unsafe { pg_sys::GetSessionUserId() })
}

/// A role's name; nothing where it has been dropped.
fn name(role: pg_sys::Oid) -> String {
    // SAFETY: inside a transaction. The name is a text in the memory of the call, or null.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}
