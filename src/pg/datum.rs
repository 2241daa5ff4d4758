//! Values that pass through as PostgreSQL holds them, without a detour through a Rust model.

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum as FcxDatum, FromDatum, IntoDatum};
use pgrx::pg_sys;
use sso_attr_core::expiry::Timestamp;

/// Makes a newtype over a datum an argument and a result of SQL functions.
macro_rules! pass_through {
    ($type:ident, $sql:literal, $oid:expr, $decode:expr) => {
        pgrx::impl_sql_translatable!($type, $sql);

        impl FromDatum for $type {
            unsafe fn from_polymorphic_datum(
                datum: pg_sys::Datum,
                null: bool,
                _: pg_sys::Oid,
            ) -> Option<Self> {
                // SAFETY: the SQL signature declares the argument with this very type.
                (!null).then(|| $type(unsafe { $decode(datum) }))
            }
        }

        impl IntoDatum for $type {
            fn into_datum(self) -> Option<pg_sys::Datum> {
                Some(self.0)
            }

            fn type_oid() -> pg_sys::Oid {
                $oid
            }
        }

        // SAFETY: the SQL signature declares the argument with this very type.
        unsafe impl<'fcx> ArgAbi<'fcx> for $type {
            unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
                // SAFETY: as above; a null reaches this only through Option, which asks first.
                let value = unsafe { arg.unbox_arg_using_from_datum() };
                value.unwrap_or_else(|| unreachable!("null argument"))
            }
        }

        // SAFETY: the datum is a valid value of the declared result type in the caller's memory.
        unsafe impl BoxRet for $type {
            unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> FcxDatum<'fcx> {
                // SAFETY: see the impl.
                unsafe { fcinfo.return_raw_datum(self.0) }
            }
        }
    };
}

pub(super) use pass_through;

/// A `jsonb`, detoasted.
#[derive(Clone, Copy)]
pub struct Jsonb(pub(super) pg_sys::Datum);

pass_through!(Jsonb, "jsonb", pg_sys::JSONBOID, detoast);

/// An `inet`.
#[derive(Clone, Copy)]
pub struct Inet(pub(super) pg_sys::Datum);

pass_through!(Inet, "inet", pg_sys::INETOID, detoast);

impl Inet {
    /// An address from its text form. A text that is not an address raises an error that quotes it.
    pub fn from_text(text: &str) -> Inet {
        let text = std::ffi::CString::new(text).unwrap_or_default();
        // SAFETY: inet_in takes a NUL-terminated string, which it does not keep.
        let datum =
            unsafe { pgrx::direct_function_call_as_datum(pg_sys::inet_in, &[Some(text.as_ptr().into())]) };
        Inet(datum.unwrap_or_else(|| unreachable!("inet_in gives no null")))
    }
}

/// A `timestamptz`.
#[derive(Clone, Copy)]
pub struct TimestampTz(pg_sys::Datum);

pass_through!(TimestampTz, "timestamptz", pg_sys::TIMESTAMPTZOID, by_value);

unsafe fn by_value(datum: pg_sys::Datum) -> pg_sys::Datum {
    datum
}

/// A varlena with its full header and in one piece.
///
/// # Safety
/// The datum is a non-null one of a varlena type.
pub(super) unsafe fn detoast(datum: pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: as the caller says.
    unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) }.into()
}

/// The bytes of a varlena, a toasted one's in the current memory.
///
/// # Safety
/// The datum is a non-null one of a varlena type, which lives as long as the bytes are used.
pub(super) unsafe fn bytes<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: as the caller says.
    unsafe {
        let mut varlena = datum.cast_mut_ptr();
        if pgrx::varatt_is_1b_e(varlena) || pgrx::varatt_is_4b_c(varlena) {
            varlena = pg_sys::pg_detoast_datum_packed(varlena);
        }
        pgrx::varlena_to_byte_slice(varlena)
    }
}

/// A copy of a varlena in the current memory, with its full header and in one piece.
///
/// # Safety
/// The datum is a non-null one of a varlena type.
pub(super) unsafe fn copied(datum: pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: as the caller says.
    unsafe { pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr()) }.into()
}

/// A copy of a varlena in that memory, with its full header and in one piece.
///
/// # Safety
/// The datum is a non-null one of a varlena type; the context is alive. An ERROR resets the current
/// context.
pub(super) unsafe fn copied_to(memory: pg_sys::MemoryContext, datum: pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: as the caller says.
    unsafe {
        let former = pg_sys::MemoryContextSwitchTo(memory);
        let copy = pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr());
        pg_sys::MemoryContextSwitchTo(former);
        copy.into()
    }
}

impl From<TimestampTz> for Timestamp {
    fn from(TimestampTz(datum): TimestampTz) -> Self {
        Timestamp(datum.value() as i64)
    }
}

impl From<Timestamp> for TimestampTz {
    fn from(time: Timestamp) -> Self {
        TimestampTz(time.0.into())
    }
}
