//! The open transaction: what it is like, and how it ends.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::{pg_guard, pg_sys};

use super::clock;

// Declared here since neither raises an ERROR: they need no guard like the one that pgrx puts around
// every call, which costs more than they do.
unsafe extern "C-unwind" {
    safe fn IsTransactionState() -> bool;
    safe fn ActiveSnapshotSet() -> bool;
}

/// Whether a statement is running, which sees what there is by a snapshot.
pub fn is_in_statement() -> bool {
    IsTransactionState() && ActiveSnapshotSet()
}

/// Whether all statements of the transaction see one snapshot: REPEATABLE READ and SERIALIZABLE.
pub fn has_one_snapshot() -> bool {
    // SAFETY: set when the transaction started.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// Whether the open transaction is read-only.
pub fn is_read_only() -> bool {
    // SAFETY: set when the transaction started.
    unsafe { pg_sys::XactReadOnly }
}

/// Raises where a command that has nothing to write would go unnoticed in a read-only transaction, as
/// every one on a standby is.
pub fn refuse_read_only(command: &CStr) {
    // SAFETY: the name is read while the call lasts.
    unsafe { pg_sys::PreventCommandIfReadOnly(command.as_ptr()) };
}

/// Whether the id is that of the current transaction or of a part of it that has not been rolled back.
pub fn is_own(id: u32) -> bool {
    // SAFETY: inside a transaction; any id is allowed.
    unsafe { pg_sys::TransactionIdIsCurrentTransactionId(id.into()) }
}

/// A snapshot, by what changes in it with every transaction that ends and every command of our own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct View {
    statement: i64,
    own_command: u32,
    bounds: (u32, u32),
    running: (u32, i32),
}

/// What the calling statement sees: two equal views show the same rows. `None` outside a statement.
pub fn view() -> Option<View> {
    if !is_in_statement() {
        return None;
    }
    // SAFETY: there is a snapshot, and it is read at once.
    let snapshot = unsafe { &*pg_sys::GetActiveSnapshot() };
    Some(View {
        statement: clock::statement_start().0,
        own_command: snapshot.curcid,
        bounds: (snapshot.xmin.into_inner(), snapshot.xmax.into_inner()),
        running: (snapshot.xcnt, snapshot.subxcnt),
    })
}

/// The innermost part of the open transaction: itself, or the last savepoint in it.
pub fn part() -> u32 {
    // SAFETY: inside a transaction.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}

/// What happens to parts of a transaction.
#[derive(Clone, Copy)]
pub enum End {
    /// The whole transaction is over, one way or the other.
    Whole,
    /// A savepoint's part has become one of the part around it.
    Merged { part: u32, into: u32 },
    /// A savepoint's part was rolled back.
    RolledBack { part: u32 },
}

thread_local! {
    static AT_END: Cell<Option<fn(End)>> = const { Cell::new(None) };
}

/// Tells `work` of every end from now on, for the life of the backend. Only the last `work` is told.
pub fn at_end(work: fn(End)) {
    if AT_END.replace(Some(work)).is_none() {
        // SAFETY: the callbacks stay registered and take no argument.
        unsafe {
            pg_sys::RegisterXactCallback(Some(whole), std::ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(of_part), std::ptr::null_mut());
        }
    }
}

fn tell(end: End) {
    if let Some(work) = AT_END.get() {
        work(end);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn whole(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        tell(End::Whole);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn of_part(
    event: pg_sys::SubXactEvent::Type,
    part: pg_sys::SubTransactionId,
    into: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => tell(End::Merged { part, into }),
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => tell(End::RolledBack { part }),
        _ => {}
    }
}
