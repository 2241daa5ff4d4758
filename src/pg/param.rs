//! Parameters of statements.

use pgrx::{IntoDatum, pg_sys};
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use super::datum::{Inet, Jsonb};

/// A bound parameter.
#[derive(Clone, Copy)]
pub enum Param<'a> {
    Null,
    Bool(bool),
    Uuid(&'a Uuid),
    Text(&'a str),
    Bytes(&'a [u8]),
    Time(Timestamp),
    Int(i64),
    Json(Jsonb),
    Inet(Inet),
    Tid(&'a Tid),
    Array(pg_sys::Datum),
}

impl Param<'_> {
    fn datum(self) -> Option<pg_sys::Datum> {
        match self {
            Param::Null => None,
            Param::Bool(bool) => Some(bool.into()),
            Param::Uuid(uuid) => Some(uuid.as_bytes().as_ptr().into()),
            Param::Text(text) => text.into_datum(),
            Param::Bytes(bytes) => bytes.into_datum(),
            Param::Time(Timestamp(int)) | Param::Int(int) => Some(int.into()),
            Param::Tid(tid) => Some((&raw const *tid).into()),
            Param::Json(Jsonb(datum)) | Param::Inet(Inet(datum)) | Param::Array(datum) => Some(datum),
        }
    }

    /// An array parameter of the elements' type.
    pub fn array<'a>(element: ArrayOf, elements: impl ExactSizeIterator<Item = Param<'a>>) -> Param<'static> {
        let (mut values, mut nulls): (Vec<_>, Vec<_>) = elements
            .map(|element| element.datum())
            .map(|datum| (datum.unwrap_or(pg_sys::Datum::null()), datum.is_none()))
            .unzip();
        let (oid, length, by_value, align) = match element {
            ArrayOf::Text => (pg_sys::TEXTOID, -1, false, b'i'),
            ArrayOf::Bytes => (pg_sys::BYTEAOID, -1, false, b'i'),
            ArrayOf::Json => (pg_sys::JSONBOID, -1, false, b'i'),
            ArrayOf::Time => (pg_sys::TIMESTAMPTZOID, 8, true, b'd'),
            ArrayOf::Uuid => (pg_sys::UUIDOID, 16, false, b'c'),
            ArrayOf::Tid => (pg_sys::TIDOID, size_of::<Tid>() as i32, false, b's'),
        };
        let (mut dimension, mut lower_bound) = (values.len() as i32, 1);
        // SAFETY: values and nulls have `dimension` elements of type oid, whose length, passing and
        // alignment are those of pg_type; the elements are copied.
        let array = unsafe {
            pg_sys::construct_md_array(
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                1,
                &mut dimension,
                &mut lower_bound,
                oid,
                length,
                by_value,
                align as _,
            )
        };
        Param::Array(array.into())
    }
}

/// Where a row version is, for as long as the row is locked.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Tid(pub(super) pg_sys::ItemPointerData);

/// Element types of array parameters.
#[derive(Clone, Copy)]
pub enum ArrayOf {
    Text,
    Bytes,
    Json,
    Time,
    Uuid,
    Tid,
}

/// Parameters as `makeParamList` lays them out: the head, and behind it as many as it says.
#[repr(C)]
pub(super) struct Bound<const N: usize> {
    head: pg_sys::ParamListInfoData,
    params: [pg_sys::ParamExternData; N],
}

const _: () = assert!(
    std::mem::offset_of!(Bound<1>, params) == std::mem::offset_of!(pg_sys::ParamListInfoData, params)
);

impl<const N: usize> Bound<N> {
    pub(super) fn new(params: [Param<'_>; N], types: &[pg_sys::Oid; N]) -> Self {
        let mut bound = Bound { head: Default::default(), params: [Default::default(); N] };
        bound.head.numParams = N as i32;
        for ((bound, param), ptype) in bound.params.iter_mut().zip(params).zip(types) {
            let datum = param.datum();
            *bound = pg_sys::ParamExternData {
                value: datum.unwrap_or(pg_sys::Datum::null()),
                isnull: datum.is_none(),
                pflags: pg_sys::PARAM_FLAG_CONST as u16,
                ptype: *ptype,
            };
        }
        bound
    }
}
