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
    /// By an index, in its order, and each looked up in a list by hashing, which does not grow with the
    /// list's square. All of the list is held in memory, where it is already: a join that has its parts in
    /// files goes through the rows part by part, in no order.
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
    work_mem: i32,
}

/// As high as the setting goes, in kilobytes.
const NO_FILES: i32 = i32::MAX;

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
        // SAFETY: as before.
        Closed { former, work_mem: unsafe { pg_sys::work_mem } }
    }

    /// Opens another way for one statement.
    pub fn go(&self, way: Way) {
        set(open(way));
        set_work_mem(if way == Way::Hash { NO_FILES } else { self.work_mem });
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

fn set_work_mem(kilobytes: i32) {
    // SAFETY: a plain number of this process, read when a plan is made and when it starts.
    unsafe { pg_sys::work_mem = kilobytes };
}

impl Drop for Closed {
    fn drop(&mut self) {
        set(self.former);
        set_work_mem(self.work_mem);
    }
}
