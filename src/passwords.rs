//! Hashing passwords with the settings in force, within the memory that all may take together.
//!
//! Nothing is locked meanwhile, and PostgreSQL is not called: a cancel takes effect when a hash is
//! done, or while it waits for its turn.

use std::time::Duration;

use sso_attr_core::password::{Block, Cost, Stored, hash};
use sso_attr_core::{Error, Result};

use crate::pg::pages::Blocks;
use crate::pg::wait::Wait;
use crate::pg::{hashing, interrupt, worker};
use crate::settings;

/// How long a login waits before it looks again whether its turn has come: ever longer, up to about
/// what a hash takes, so that many who wait leave the processors to those who hash.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// Sets up the count of the memory that all backends take, if the library is being preloaded.
pub fn register() {
    if worker::is_preloading() {
        hashing::reserve_memory();
    }
}

/// The PHC string of a new password.
pub fn hashed(password: &str) -> Result<String> {
    let cost = settings::password_cost();
    in_memory(cost, |memory| hash(password, cost, memory))
}

/// Whether a password is the stored one; `None` stands for no user and costs the same.
pub fn matches(stored: Option<&Stored>, password: &str) -> Result<bool> {
    let decoy = Stored::decoy(settings::password_cost())?;
    let stored = stored.unwrap_or(&decoy);
    in_memory(stored.cost(), |memory| stored.matches(password, memory))
}

fn in_memory<T>(cost: Cost, work: impl FnOnce(&mut [Block]) -> Result<T>) -> Result<T> {
    interrupt::check();
    let bound = settings::login_memory();
    if u64::from(cost.memory_kib) > bound {
        return Err(Error::NoLoginMemory { needed: cost.memory_kib });
    }
    let mut pause = FIRST_PAUSE;
    let share = loop {
        match hashing::take(cost.memory_kib.into(), bound) {
            Some(share) => break share,
            None => worker::wait(Wait::LoginMemory, Some(pause)),
        }
        pause = LONGEST_PAUSE.min(pause * 2);
    };
    let result = work(Blocks::new(cost.blocks()?)?.as_mut_slice());
    drop(share);
    interrupt::check();
    result
}
