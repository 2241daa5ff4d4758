//! Values that pass through as PostgreSQL holds them, without a detour over a Rust model.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum as FcxDatum, FromDatum, IntoDatum};
use pgrx::pg_sys;
use sso_attr_core::expiry::Timestamp;
use zeroize::Zeroize;

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
                (!null).then(|| $type($decode(datum)))
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

/// A `jsonb`, detoasted.
#[derive(Clone, Copy)]
pub struct Jsonb(pub(super) pg_sys::Datum);

pass_through!(Jsonb, "jsonb", pg_sys::JSONBOID, detoast);

/// An `inet`.
#[derive(Clone, Copy)]
pub struct Inet(pub(super) pg_sys::Datum);

pass_through!(Inet, "inet", pg_sys::INETOID, detoast);

/// A `timestamptz`.
#[derive(Clone, Copy)]
pub struct TimestampTz(pg_sys::Datum);

pass_through!(TimestampTz, "timestamptz", pg_sys::TIMESTAMPTZOID, std::convert::identity);

/// A varlena with its full header and in one piece.
pub(super) fn detoast(datum: pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: called only on non-null datums of varlena types.
    unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) }.into()
}

impl From<Timestamp> for TimestampTz {
    fn from(time: Timestamp) -> Self {
        TimestampTz(time.0.into())
    }
}

impl Jsonb {
    /// Parses JSON text that PostgreSQL itself wrote.
    pub fn from_text(text: &[u8]) -> Jsonb {
        let mut terminated = Vec::with_capacity(text.len() + 1);
        terminated.extend_from_slice(text);
        terminated.push(0);
        // SAFETY: jsonb_in takes a NUL-terminated string, which it does not keep.
        let datum = unsafe {
            pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(terminated.as_ptr().into())])
        };
        terminated.zeroize();
        Jsonb(datum.unwrap_or_else(|| unreachable!("jsonb_in gives no null")))
    }

    /// JSON `null`.
    pub fn null() -> Jsonb {
        Jsonb::from_text(b"null")
    }

    /// The value as `->>` shows an element: a string without its quotes, JSON null as NULL.
    pub fn to_unquoted(self) -> Option<String> {
        self.with_text(|text| match text.as_bytes() {
            b"null" => None,
            [b'"', ..] => serde_json::from_str(text).ok(),
            _ => Some(text.to_owned()),
        })
    }

    /// Hands the value's JSON text, as `value::text`, to `read` and wipes it afterwards.
    pub fn with_text<R>(self, read: impl FnOnce(&str) -> R) -> R {
        // SAFETY: self is a detoasted jsonb, so `root` follows its length word; JsonbToCString
        // returns a palloc'd NUL-terminated string in the database encoding, which is UTF8.
        unsafe {
            let jsonb: *mut pg_sys::Jsonb = self.0.cast_mut_ptr();
            let length = pgrx::varsize_any(jsonb.cast());
            let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &raw mut (*jsonb).root, length as i32);
            let bytes = CStr::from_ptr(text).count_bytes();
            let result = read(std::str::from_utf8_unchecked(std::slice::from_raw_parts(text.cast(), bytes)));
            std::slice::from_raw_parts_mut(text.cast::<u8>(), bytes).zeroize();
            pg_sys::pfree(text.cast());
            result
        }
    }
}
