//! The SQL types of parameters and columns, and what each is in Rust.

use std::marker::PhantomData;

use pgrx::datum::IntoDatum;
use pgrx::pg_sys;
use sso_attr_core::Error;
use sso_attr_core::expiry::Timestamp;

use super::datum::{self, Jsonb, bytes, copied_to};
use super::report::raise;
use super::text::{TextDatum, stored};
use super::{envelope, interrupt};

/// An SQL type as a statement declares it.
pub trait SqlType {
    const OID: pg_sys::Oid;
    /// What is bound.
    type Param<'a>;
    /// What is read.
    type Column<'r>;

    /// The parameter as PostgreSQL takes it, for as long as what it borrows lives; `None` is NULL.
    fn bind(param: Self::Param<'_>) -> Option<pg_sys::Datum>;

    /// # Safety
    /// The datum is of this type and lives as long as the row; the memory context is alive.
    unsafe fn read<'r>(datum: pg_sys::Datum, memory: pg_sys::MemoryContext) -> Self::Column<'r>;

    /// What NULL is; a column can only be NULL where its type is wrapped in [`Null`].
    fn null<'r>() -> Self::Column<'r> {
        raise(Error::RowCorrupted("a column is null that must not be"))
    }
}

/// `uuid`
pub enum Id {}

impl SqlType for Id {
    const OID: pg_sys::Oid = pg_sys::UUIDOID;
    type Param<'a> = &'a uuid::Uuid;
    type Column<'r> = uuid::Uuid;

    fn bind(id: &uuid::Uuid) -> Option<pg_sys::Datum> {
        Some(id.as_bytes().as_ptr().into())
    }

    unsafe fn read<'r>(datum: pg_sys::Datum, _: pg_sys::MemoryContext) -> Self::Column<'r> {
        // SAFETY: a uuid datum points to 16 bytes.
        uuid::Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() })
    }
}

/// `text`, read for as long as the row is there
pub enum Text {}

impl SqlType for Text {
    const OID: pg_sys::Oid = pg_sys::TEXTOID;
    type Param<'a> = &'a str;
    type Column<'r> = &'r str;

    fn bind(text: &str) -> Option<pg_sys::Datum> {
        text.into_datum()
    }

    unsafe fn read<'r>(datum: pg_sys::Datum, _: pg_sys::MemoryContext) -> Self::Column<'r> {
        // SAFETY: as the caller says; text is a varlena.
        stored(unsafe { bytes(datum) })
    }
}

/// `text`, read into the memory of the call
pub enum Name {}

impl SqlType for Name {
    const OID: pg_sys::Oid = pg_sys::TEXTOID;
    type Param<'a> = &'a str;
    type Column<'r> = TextDatum;

    fn bind(text: &str) -> Option<pg_sys::Datum> {
        text.into_datum()
    }

    unsafe fn read<'r>(datum: pg_sys::Datum, memory: pg_sys::MemoryContext) -> Self::Column<'r> {
        // SAFETY: as the caller says; text is a varlena, and so is the copy.
        unsafe { TextDatum::stored(copied_to(memory, datum)) }
    }
}

/// `bytea`, read for as long as the row is there
pub enum Bytes {}

impl SqlType for Bytes {
    const OID: pg_sys::Oid = pg_sys::BYTEAOID;
    type Param<'a> = &'a [u8];
    type Column<'r> = &'r [u8];

    fn bind(bytes: &[u8]) -> Option<pg_sys::Datum> {
        bytes.into_datum()
    }

    unsafe fn read<'r>(datum: pg_sys::Datum, _: pg_sys::MemoryContext) -> Self::Column<'r> {
        // SAFETY: as the caller says; bytea is a varlena.
        unsafe { bytes(datum) }
    }
}

/// `bytea` that is a sealed value
pub enum Envelope {}

impl SqlType for Envelope {
    const OID: pg_sys::Oid = pg_sys::BYTEAOID;
    type Param<'a> = &'a envelope::Envelope;
    type Column<'r> = envelope::Envelope;

    fn bind(envelope: &envelope::Envelope) -> Option<pg_sys::Datum> {
        Some(envelope.datum())
    }

    unsafe fn read<'r>(datum: pg_sys::Datum, memory: pg_sys::MemoryContext) -> Self::Column<'r> {
        // SAFETY: as the caller says.
        unsafe { envelope::Envelope::copied_to(memory, datum) }
    }
}

/// `jsonb`, read into the memory of the call
pub enum Json {}

impl SqlType for Json {
    const OID: pg_sys::Oid = pg_sys::JSONBOID;
    type Param<'a> = Jsonb;
    type Column<'r> = Jsonb;

    fn bind(Jsonb(datum): Jsonb) -> Option<pg_sys::Datum> {
        Some(datum)
    }

    unsafe fn read<'r>(datum: pg_sys::Datum, memory: pg_sys::MemoryContext) -> Self::Column<'r> {
        // SAFETY: as the caller says; jsonb is a varlena.
        Jsonb(unsafe { copied_to(memory, datum) })
    }
}

/// `inet`, read into the memory of the call
pub enum Inet {}

impl SqlType for Inet {
    const OID: pg_sys::Oid = pg_sys::INETOID;
    type Param<'a> = datum::Inet;
    type Column<'r> = datum::Inet;

    fn bind(datum::Inet(datum): datum::Inet) -> Option<pg_sys::Datum> {
        Some(datum)
    }

    unsafe fn read<'r>(datum: pg_sys::Datum, memory: pg_sys::MemoryContext) -> Self::Column<'r> {
        // SAFETY: as the caller says; inet is a varlena.
        datum::Inet(unsafe { copied_to(memory, datum) })
    }
}

/// Types that a datum holds by value.
macro_rules! by_value {
    ($(#[doc = $doc:literal] $type:ident, $oid:ident, $rust:ty, $bind:expr, $read:expr;)*) => {$(
        #[doc = $doc]
        pub enum $type {}

        impl SqlType for $type {
            const OID: pg_sys::Oid = pg_sys::$oid;
            type Param<'a> = $rust;
            type Column<'r> = $rust;

            fn bind(param: $rust) -> Option<pg_sys::Datum> {
                Some($bind(param))
            }

            unsafe fn read<'r>(datum: pg_sys::Datum, _: pg_sys::MemoryContext) -> Self::Column<'r> {
                $read(datum)
            }
        }
    )*};
}

by_value! {
    /// `timestamptz`
    Time, TIMESTAMPTZOID, Timestamp, |Timestamp(at)| at.into(), |datum: pg_sys::Datum| Timestamp(datum.value() as i64);
    /// `bigint`
    Int, INT8OID, i64, i64::into, |datum: pg_sys::Datum| datum.value() as i64;
    /// `boolean`
    Bool, BOOLOID, bool, bool::into, |datum: pg_sys::Datum| datum.value() != 0;
}

/// A type whose values can be NULL.
pub struct Null<T>(PhantomData<T>);

impl<T: SqlType> SqlType for Null<T> {
    const OID: pg_sys::Oid = T::OID;
    type Param<'a> = Option<T::Param<'a>>;
    type Column<'r> = Option<T::Column<'r>>;

    fn bind(param: Self::Param<'_>) -> Option<pg_sys::Datum> {
        param.and_then(T::bind)
    }

    unsafe fn read<'r>(datum: pg_sys::Datum, memory: pg_sys::MemoryContext) -> Self::Column<'r> {
        // SAFETY: as the caller says.
        Some(unsafe { T::read(datum, memory) })
    }

    fn null<'r>() -> Self::Column<'r> {
        None
    }
}

/// An element type of arrays, as `pg_type` describes it.
pub trait Element: SqlType {
    const ARRAY: pg_sys::Oid;
    const LENGTH: i32 = -1;
    const BY_VALUE: bool = false;
    const ALIGN: u8 = b'i';
}

impl Element for Text {
    const ARRAY: pg_sys::Oid = pg_sys::TEXTARRAYOID;
}

impl Element for Envelope {
    const ARRAY: pg_sys::Oid = pg_sys::BYTEAARRAYOID;
}

impl Element for Json {
    const ARRAY: pg_sys::Oid = pg_sys::JSONBARRAYOID;
}

impl Element for Time {
    const ARRAY: pg_sys::Oid = pg_sys::TIMESTAMPTZARRAYOID;
    const LENGTH: i32 = 8;
    const BY_VALUE: bool = true;
    const ALIGN: u8 = b'd';
}

impl Element for Id {
    const ARRAY: pg_sys::Oid = pg_sys::UUIDARRAYOID;
    const LENGTH: i32 = 16;
    const ALIGN: u8 = b'c';
}

impl<T: Element> Element for Null<T> {
    const ARRAY: pg_sys::Oid = T::ARRAY;
    const LENGTH: i32 = T::LENGTH;
    const BY_VALUE: bool = T::BY_VALUE;
    const ALIGN: u8 = T::ALIGN;
}

/// An array, which is a parameter only
pub struct Array<T>(PhantomData<T>);

/// An array of that element type in the current memory.
pub struct ArrayOf<T> {
    datum: pg_sys::Datum,
    element: PhantomData<T>,
}

impl<T> Clone for ArrayOf<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ArrayOf<T> {}

impl<T: Element> ArrayOf<T> {
    /// An array with copies of the elements.
    pub fn new<'a>(
        elements: impl ExactSizeIterator<Item = T::Param<'a>>,
    ) -> sso_attr_core::Result<ArrayOf<T>> {
        let (mut values, mut nulls) = (Vec::new(), Vec::new());
        values.try_reserve_exact(elements.len()).map_err(|_| Error::OutOfMemory)?;
        nulls.try_reserve_exact(elements.len()).map_err(|_| Error::OutOfMemory)?;
        for element in elements {
            interrupt::check();
            let datum = T::bind(element);
            values.push(datum.unwrap_or(pg_sys::Datum::null()));
            nulls.push(datum.is_none());
        }
        let (mut dimension, mut lower_bound) = (values.len() as i32, 1);
        // SAFETY: values and nulls have `dimension` elements of the type that T describes; they are
        // copied.
        let array = unsafe {
            pg_sys::construct_md_array(
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                1,
                &mut dimension,
                &mut lower_bound,
                T::OID,
                T::LENGTH,
                T::BY_VALUE,
                T::ALIGN as _,
            )
        };
        Ok(ArrayOf { datum: array.into(), element: PhantomData })
    }
}

impl<T: Element> SqlType for Array<T> {
    const OID: pg_sys::Oid = T::ARRAY;
    type Param<'a> = ArrayOf<T>;
    type Column<'r> = ();

    fn bind(array: ArrayOf<T>) -> Option<pg_sys::Datum> {
        Some(array.datum)
    }

    unsafe fn read<'r>(_: pg_sys::Datum, _: pg_sys::MemoryContext) -> Self::Column<'r> {}
}
