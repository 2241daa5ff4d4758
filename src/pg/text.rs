//! Texts as arguments.
//!
//! That a database's encoding is UTF8 does not make every text in it UTF-8: a COPY that claims
//! SQL_ASCII lets any bytes in. So each text is checked where it comes in.

use std::ops::Deref;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, FromDatum, IntoDatum};
use pgrx::pg_sys;
use sso_attr_core::Error;

use super::datum::{bytes, detoast};
use super::report::raise;

/// A `text` argument that is UTF-8.
#[derive(Clone, Copy)]
pub struct Text<'a>(&'a str);

pgrx::impl_sql_translatable!(Text<'_>, "text");

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl FromDatum for Text<'_> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the SQL signature declares a text, which lives as long as the call.
        (!null).then(|| Text(checked(unsafe { bytes(datum) })))
    }
}

// SAFETY: the SQL signature declares the argument as text.
unsafe impl<'fcx> ArgAbi<'fcx> for Text<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above; a null reaches this only through Option, which asks first.
        let value = unsafe { arg.unbox_arg_using_from_datum() };
        value.unwrap_or_else(|| unreachable!("null argument"))
    }
}

/// Text that has come in; anything that is not UTF-8 raises.
pub(super) fn checked(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_else(|_| raise(Error::NotUtf8))
}

/// Text that was read from a row; what is not UTF-8 was not written by the functions.
pub(super) fn stored(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_else(|_| raise(Error::RowCorrupted("text is not UTF-8")))
}

/// A `text[]` argument, each element null or UTF-8.
pub struct Texts<'a>(Vec<Option<&'a str>>);

pgrx::impl_sql_translatable!(Texts<'_>, "text[]");

impl<'a> Texts<'a> {
    /// The elements in their order, whatever the dimensions.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&'a str>> {
        self.0.iter().copied()
    }
}

impl FromDatum for Texts<'_> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, null: bool, _: pg_sys::Oid) -> Option<Self> {
        if null {
            return None;
        }
        let (mut elements, mut nulls, mut length) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        // SAFETY: the SQL signature declares a text[], which lives as long as the call; length,
        // passing and alignment of its elements are those of pg_type.
        let (elements, nulls) = unsafe {
            pg_sys::deconstruct_array(
                detoast(datum).cast_mut_ptr(),
                pg_sys::TEXTOID,
                -1,
                false,
                b'i' as _,
                &mut elements,
                &mut nulls,
                &mut length,
            );
            match length {
                0 => (&[][..], &[][..]),
                _ => (
                    std::slice::from_raw_parts(elements, length as usize),
                    std::slice::from_raw_parts(nulls, length as usize),
                ),
            }
        };
        let mut texts = Vec::new();
        if texts.try_reserve_exact(elements.len()).is_err() {
            raise(Error::OutOfMemory);
        }
        for (element, null) in elements.iter().zip(nulls) {
            super::interrupt::check();
            // SAFETY: a non-null element of the array is a text.
            texts.push((!null).then(|| checked(unsafe { bytes(*element) })));
        }
        Some(Texts(texts))
    }
}

// SAFETY: the SQL signature declares the argument as text[].
unsafe impl<'fcx> ArgAbi<'fcx> for Texts<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above; a null reaches this only through Option, which asks first.
        let value = unsafe { arg.unbox_arg_using_from_datum() };
        value.unwrap_or_else(|| unreachable!("null argument"))
    }
}

/// A text in the memory of the call, which can be returned as it is.
#[derive(Clone, Copy)]
pub struct TextDatum {
    datum: pg_sys::Datum,
    text: *const str,
}

impl TextDatum {
    /// A copy of a text that was read from a row.
    pub(super) fn new(text: &[u8]) -> TextDatum {
        // SAFETY: the text is copied, and so is a datum in the current memory.
        unsafe {
            TextDatum::stored(
                pg_sys::cstring_to_text_with_len(text.as_ptr().cast(), text.len() as i32).into(),
            )
        }
    }

    /// # Safety
    /// The datum is a text in the memory of the call, read from a row.
    pub(super) unsafe fn stored(datum: pg_sys::Datum) -> TextDatum {
        // SAFETY: as the caller says.
        TextDatum { datum, text: stored(unsafe { bytes(datum) }) }
    }
}

pgrx::impl_sql_translatable!(TextDatum, "text");

impl IntoDatum for TextDatum {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.datum)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTOID
    }
}

// SAFETY: the datum is a text in the memory of the call.
unsafe impl BoxRet for TextDatum {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: see the impl.
        unsafe { fcinfo.return_raw_datum(self.datum) }
    }
}

impl Deref for TextDatum {
    type Target = str;

    fn deref(&self) -> &str {
        // SAFETY: the text lies in the memory of the call and is not changed.
        unsafe { &*self.text }
    }
}
