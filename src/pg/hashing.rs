//! How much memory all backends together take to hash passwords.
//!
//! Where the library was preloaded, a counter in shared memory tells; where it was not, each backend
//! knows only of its own, and it hashes one password at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgrx::{PgAtomic, pg_shmem_init};

// SAFETY: no other piece of shared memory of this library has that name.
static TAKEN: PgAtomic<AtomicU64> = unsafe { PgAtomic::new(c"sso_attr_hashing") };

/// Set before any backend is forked.
static IS_SHARED: AtomicBool = AtomicBool::new(false);

/// Reserves the shared memory. To be called while preloading only.
#[allow(unexpected_cfgs, reason = "the macro asks for releases of PostgreSQL that are not supported here")]
pub fn reserve_memory() {
    pg_shmem_init!(TAKEN);
    IS_SHARED.store(true, Ordering::Relaxed);
}

/// Memory that a backend may take, until dropped. When a backend crashes, all of them start afresh,
/// and so does the counter.
pub struct Share {
    kib: u64,
}

/// Takes a share if all shares together stay within the bound.
pub fn take(kib: u64, bound: u64) -> Option<Share> {
    if IS_SHARED.load(Ordering::Relaxed) {
        let within = |taken: u64| taken.checked_add(kib).filter(|sum| *sum <= bound);
        TAKEN.get().fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).ok()?;
    } else if kib > bound {
        return None;
    }
    Some(Share { kib })
}

impl Drop for Share {
    fn drop(&mut self) {
        if IS_SHARED.load(Ordering::Relaxed) {
            TAKEN.get().fetch_sub(self.kib, Ordering::Relaxed);
        }
    }
}
