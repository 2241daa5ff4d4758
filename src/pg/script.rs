//! Scripts of extensions: what PostgreSQL runs while it creates or updates one.

use pgrx::pg_sys;

/// Whether a script is running, to be put back.
struct WasRunning(bool);

/// Whether one is running.
pub fn is_running() -> bool {
    // SAFETY: the backend has one thread.
    unsafe { pg_sys::creating_extension }
}

/// Runs `work` as though no script were running. Rights that a script grants pass for rights which the
/// extension brings along itself, and a dump leaves those out.
pub fn outside<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the backend has one thread. Without a script PostgreSQL ignores which extension it is for.
    let _running = WasRunning(unsafe { (&raw mut pg_sys::creating_extension).replace(false) });
    work()
}

impl Drop for WasRunning {
    fn drop(&mut self) {
        // SAFETY: as above. An ERROR that ends the script passes here before PostgreSQL's own clean-up.
        unsafe { pg_sys::creating_extension = self.0 };
    }
}
