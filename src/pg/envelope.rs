//! Sealed values, in PostgreSQL's memory from end to end: a value is rendered, sealed and stored in
//! one piece of it, and read, opened and parsed in another.

use pgrx::pg_sys;
use sso_attr_core::envelope::{BEFORE, BEHIND};
use zeroize::Zeroize;

use super::datum::Jsonb;

/// A `bytea` of our own, with the room that an envelope takes around its contents.
pub struct Envelope {
    varlena: *mut pg_sys::varlena,
    /// With the header of [`pg_sys::VARHDRSZ`] bytes.
    length: usize,
}

impl Envelope {
    /// The value's JSON text, with room before and behind it to be sealed where it stands.
    pub fn of(json: Jsonb) -> Envelope {
        let header = pg_sys::VARHDRSZ;
        let mut buffer = pg_sys::StringInfoData::default();
        let fill = [0u8; BEFORE];
        // SAFETY: a buffer of our own, to which PostgreSQL appends: room for the length word, room
        // before, the text, room behind. It ends with a NUL that is not counted.
        unsafe {
            pg_sys::initStringInfo(&mut buffer);
            pg_sys::enlargeStringInfo(&mut buffer, (header + BEFORE + BEHIND) as i32 + json.size());
            pg_sys::appendBinaryStringInfo(&mut buffer, fill.as_ptr().cast(), header as i32);
            pg_sys::appendBinaryStringInfo(&mut buffer, fill.as_ptr().cast(), BEFORE as i32);
            pg_sys::JsonbToCString(&mut buffer, json.root(), 0);
            pg_sys::appendBinaryStringInfo(&mut buffer, fill.as_ptr().cast(), BEHIND as i32);
            let varlena: *mut pg_sys::varlena = buffer.data.cast();
            pgrx::set_varsize_4b(varlena, buffer.len);
            Envelope { varlena, length: buffer.len as usize }
        }
    }

    /// A copy of a bytea in that memory.
    ///
    /// # Safety
    /// The datum is a bytea, the context is alive.
    pub(super) unsafe fn copied_to(memory: pg_sys::MemoryContext, datum: pg_sys::Datum) -> Envelope {
        // SAFETY: as the caller says.
        unsafe {
            let varlena: *mut pg_sys::varlena = super::datum::copied_to(memory, datum).cast_mut_ptr();
            Envelope { varlena, length: pgrx::varsize_any(varlena) }
        }
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the varlena is ours, of that length.
        unsafe { std::slice::from_raw_parts(self.varlena.cast::<u8>(), self.length) }
            .split_at(pg_sys::VARHDRSZ)
            .1
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the varlena is ours alone, of that length.
        unsafe { std::slice::from_raw_parts_mut(self.varlena.cast::<u8>(), self.length) }
            .split_at_mut(pg_sys::VARHDRSZ)
            .1
    }

    /// For a parameter: the envelope outlives the statement.
    pub(super) fn datum(&self) -> pg_sys::Datum {
        self.varlena.into()
    }

    /// The value of an envelope that was opened where it stands.
    pub fn into_json(mut self) -> Jsonb {
        let bytes = self.bytes_mut();
        let end = bytes.len() - BEHIND;
        // The text no longer needs the room behind it.
        bytes[end] = 0;
        Jsonb::from_text(&bytes[BEFORE..=end])
    }
}

impl Drop for Envelope {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        // While an ERROR unwinds, PostgreSQL frees the memory as a whole.
        if !std::thread::panicking() {
            // SAFETY: ours, allocated by PostgreSQL, and not used after this.
            unsafe { pg_sys::pfree(self.varlena.cast()) };
        }
    }
}
