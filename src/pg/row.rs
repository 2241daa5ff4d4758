//! Rows of statements, read as the executor brings them.

use std::marker::PhantomData;

use pgrx::{pg_guard, pg_sys};
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use super::datum::{Inet, Jsonb, bytes, copied_to};
use super::param::Tid;

/// Takes a statement's rows one by one, as the executor brings them.
#[repr(C)]
pub(super) struct Receiver<'a> {
    /// What PostgreSQL sees of it.
    interface: pg_sys::DestReceiver,
    read: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot),
}

impl<'a> Receiver<'a> {
    pub(super) fn new(read: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot)) -> Self {
        let interface = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(start),
            rShutdown: Some(ignore),
            rDestroy: Some(ignore),
            mydest: pg_sys::CommandDest::DestNone,
        };
        Receiver { interface, read }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: the executor hands back the receiver that `each` gave it, with a filled slot.
    unsafe { ((*receiver.cast::<Receiver<'_>>()).read)(slot) };
    true
}

unsafe extern "C-unwind" fn start(_: *mut pg_sys::DestReceiver, _: i32, _: pg_sys::TupleDesc) {}

unsafe extern "C-unwind" fn ignore(_: *mut pg_sys::DestReceiver) {}

/// One row, for as long as the executor holds it; columns are numbered from 1.
pub struct Row<'row> {
    slot: *mut pg_sys::TupleTableSlot,
    /// The caller's memory, where copies go that outlive the connection.
    memory: pg_sys::MemoryContext,
    lifetime: PhantomData<&'row ()>,
}

impl<'row> Row<'row> {
    pub(super) fn new(slot: *mut pg_sys::TupleTableSlot, memory: pg_sys::MemoryContext) -> Self {
        Row { slot, memory, lifetime: PhantomData }
    }

    fn datum(&self, column: i16) -> Option<pg_sys::Datum> {
        let index = column as usize - 1;
        // SAFETY: the slot is filled, its statement returns as many columns as are asked for.
        unsafe {
            if (*self.slot).tts_nvalid < column {
                pg_sys::slot_getsomeattrs_int(self.slot, column.into());
            }
            (!*(*self.slot).tts_isnull.add(index)).then(|| *(*self.slot).tts_values.add(index))
        }
    }

    /// A bytea column.
    pub fn bytes(&self, column: i16) -> Option<&'row [u8]> {
        self.datum(column).map(bytes)
    }

    /// A text column.
    pub fn text(&self, column: i16) -> Option<&'row str> {
        // SAFETY: the database encoding is UTF8, which CREATE EXTENSION checks.
        self.bytes(column).map(|bytes| unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    /// A timestamptz column.
    pub fn time(&self, column: i16) -> Option<Timestamp> {
        self.datum(column).map(|datum| Timestamp(datum.value() as i64))
    }

    /// A boolean column, null being false.
    pub fn is_true(&self, column: i16) -> bool {
        self.datum(column).is_some_and(|datum| datum.value() != 0)
    }

    /// A bigint column.
    pub fn int(&self, column: i16) -> Option<i64> {
        self.datum(column).map(|datum| datum.value() as i64)
    }

    /// A ctid.
    pub fn tid(&self, column: i16) -> Option<Tid> {
        // SAFETY: a tid datum points to an ItemPointerData.
        self.datum(column).map(|datum| Tid(unsafe { *datum.cast_mut_ptr::<pg_sys::ItemPointerData>() }))
    }

    /// A uuid column.
    pub fn uuid(&self, column: i16) -> Option<Uuid> {
        // SAFETY: a uuid datum points to 16 bytes.
        self.datum(column).map(|datum| Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() }))
    }

    /// A jsonb column, copied to the caller's memory.
    pub fn json(&self, column: i16) -> Option<Jsonb> {
        self.datum(column).map(|datum| Jsonb(copied_to(self.memory, datum)))
    }

    /// An inet column, copied to the caller's memory.
    pub fn inet(&self, column: i16) -> Option<Inet> {
        self.datum(column).map(|datum| Inet(copied_to(self.memory, datum)))
    }
}
