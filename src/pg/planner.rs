//! Ways that the plans of our statements must not take.
//!
//! A statement is planned once, for any values and from whatever statistics there are that day: few
//! sessions with many rows, or a table that a purge has just emptied. What is right for every day is
//! to go by an index, so the other ways are closed while our statements are planned and run.

use pgrx::pg_sys;

/// How the rows of a statement are found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Each by an index.
    Index,
    /// By an index, and joined with a list by hashing, which does not grow with the list's square.
    Hash,
    /// The whole table is read.
    Scan,
}

/// The [`Way`] of a statement's declaration.
macro_rules! way {
    () => {
        $crate::pg::planner::Way::Index
    };
    ($way:ident) => {
        $crate::pg::planner::Way::$way
    };
}
pub(crate) use way;

/// The planner's settings as they were before; put back when dropped.
pub struct Closed {
    former: [bool; 6],
}

/// What `SET` changes, without its cost: enable_seqscan, enable_bitmapscan, enable_hashjoin,
/// enable_mergejoin, enable_nestloop, jit.
fn switches() -> [*mut bool; 6] {
    [
        &raw mut pg_sys::enable_seqscan,
        &raw mut pg_sys::enable_bitmapscan,
        &raw mut pg_sys::enable_hashjoin,
        &raw mut pg_sys::enable_mergejoin,
        &raw mut pg_sys::enable_nestloop,
        &raw mut pg_sys::jit_enabled,
    ]
}

impl Closed {
    pub fn for_statements() -> Closed {
        // SAFETY: plain booleans of this process, read by the planner only.
        let former = switches().map(|switch| unsafe { *switch });
        set(open(Way::Index));
        Closed { former }
    }

    /// Opens another way for one statement.
    pub fn go(&self, way: Way) {
        set(open(way));
    }
}

fn open(way: Way) -> [bool; 6] {
    [way == Way::Scan, way == Way::Scan, way != Way::Index, false, way != Way::Hash, false]
}

fn set(values: [bool; 6]) {
    for (switch, value) in switches().into_iter().zip(values) {
        // SAFETY: see `switches`.
        unsafe { *switch = value };
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        set(self.former);
    }
}
