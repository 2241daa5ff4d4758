//! The end of this process, and of those that it starts.

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

/// Has `work` done when this process exits, also after FATAL, which unwinds nothing. One piece of work
/// only: the last one that was asked for.
pub fn at_exit(work: fn()) {
    if AT_EXIT.replace(Some(work)).is_none() {
        // SAFETY: a backend of its own process, which keeps what it registers until its end.
        unsafe { pg_sys::before_shmem_exit(Some(exit), pg_sys::Datum::null()) };
    }
}

/// Has the system kill a program if this process ends without having been able to.
pub fn kill_with_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: between fork and exec it makes two system calls and neither allocates nor locks anything.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // It may have ended before.
            if getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
        });
    }
}
