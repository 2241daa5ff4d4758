//! Work at the end of this process, and the end of the programs that it starts.

use std::cell::Cell;
use std::ffi::c_int;
use std::os::unix::process::CommandExt;
use std::process::Command;

use pgrx::{pg_guard, pg_sys};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

thread_local! {
    static AT_EXIT: Cell<Option<fn()>> = const { Cell::new(None) };
}

#[pg_guard]
unsafe extern "C-unwind" fn exit(_code: c_int, _argument: pg_sys::Datum) {
    if let Some(work) = AT_EXIT.get() {
        work();
    }
}

/// Runs `work` when this process exits, also after FATAL, which unwinds nothing. Only the last `work`
/// that was given is run.
pub fn at_exit(work: fn()) {
    if AT_EXIT.replace(Some(work)).is_none() {
        // SAFETY: a backend of its own process, which keeps what it registers until its end.
        unsafe { pg_sys::before_shmem_exit(Some(exit), pg_sys::Datum::null()) };
    }
}

/// Makes the system kill a program if this process ends without having done so.
pub fn kill_with_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: between fork and exec the closure only makes system calls: it allocates and locks nothing.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have ended before the call.
            if getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
        });
    }
}
