//! What pg_stat_activity shows while a process waits.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::version;

/// A reason to wait.
#[derive(Clone, Copy)]
pub enum Wait {
    /// The launcher, for the time of the next sweep.
    Launcher,
    /// The launcher, for the end of a visitor.
    Visitor,
    /// A visitor, between two batches, as `sso_attr.purge_share` wants.
    PurgeDelay,
    /// A call, for the output and the end of `sso_attr.key_command`.
    KeyCommand,
    /// A login, for its share of `sso_attr.login_memory`.
    LoginMemory,
}

impl Wait {
    fn name(self) -> &'static CStr {
        match self {
            Wait::Launcher => c"SsoAttrLauncherMain",
            Wait::Visitor => c"SsoAttrVisitor",
            Wait::PurgeDelay => c"SsoAttrPurgeDelay",
            Wait::KeyCommand => c"SsoAttrKeyCommand",
            Wait::LoginMemory => c"SsoAttrLoginMemory",
        }
    }

    pub(super) fn event(self) -> u32 {
        // SAFETY: only a backend or a worker waits, and each is attached before it runs our code.
        unsafe { version::wait_event(self.name()) }
    }

    /// Waits by running `work`, which does not call PostgreSQL.
    pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
        show(self.event());
        let result = work();
        show(0);
        result
    }
}

/// Shows an event, 0 for none, as the server's own inline functions do.
fn show(event: u32) {
    // SAFETY: it points to a place of this process, in shared memory or not, which others only read.
    unsafe { pg_sys::my_wait_event_info.write_volatile(event) };
}
