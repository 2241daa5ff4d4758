//! Random delays before statements, so that tests meet interleavings that are rare without. Built by
//! `DELAYS=seed scripts/test` and by nothing else.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::parent_id;
use std::time::Duration;

#[cfg(not(debug_assertions))]
compile_error!("delays are for tests: nothing that is optimised, and so no release, has them");

/// Statements of a process that may be delayed: a test that makes many calls in a loop shall end.
const MOST: u64 = 2000;

/// Waits for 1 to 50 milliseconds before one statement in eight, by the seed in the server's environment,
/// the process's number among those of the server, and the statement's among those of the process.
pub(super) fn before_statement() {
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    let Ok(seed) = std::env::var("DELAYS") else { return };
    let number = NUMBER.get();
    NUMBER.set(number + 1);
    let mut hasher = DefaultHasher::new();
    (seed, std::process::id().wrapping_sub(parent_id()), number).hash(&mut hasher);
    let random = hasher.finish();
    if number < MOST && random.is_multiple_of(8) {
        std::thread::sleep(Duration::from_millis(1 + random / 8 % 50));
    }
}
