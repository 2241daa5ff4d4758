//! `jsonb`: built from values, taken apart without copies, rendered as text.

use std::borrow::Cow;
use std::ffi::CStr;
use std::marker::PhantomData;

use pgrx::pg_sys::{self, JsonbIteratorToken as Token, jbvType as Kind};
use sso_attr_core::item::{Element, Scalar};
use sso_attr_core::{Error, Result};
use zeroize::Zeroize;

use super::datum::{Jsonb, copied};
use super::numeric::Numeric;
use super::text::{TextDatum, checked};
use super::version::JsonbState;

impl Jsonb {
    /// Parses JSON text that PostgreSQL itself wrote and that ends with a NUL.
    pub(super) fn from_text(text: &[u8]) -> Jsonb {
        debug_assert_eq!(text.last(), Some(&0));
        // SAFETY: jsonb_in takes a NUL-terminated string, which it does not keep.
        let datum =
            unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) };
        Jsonb(datum.unwrap_or_else(|| unreachable!("jsonb_in gives no null")))
    }

    /// A number, which must be finite.
    pub(super) fn from_numeric(Numeric(datum): Numeric) -> Jsonb {
        let mut part = Part::of_kind(Kind::jbvNumeric);
        part.value.val.numeric = datum.cast_mut_ptr();
        part.to_jsonb()
    }

    /// A number; `None` for any other value.
    pub fn to_numeric(self) -> Option<Numeric> {
        let part = self.as_scalar()?;
        // SAFETY: the type says which member of the union is set. It lies in this value, and so is
        // copied out of it.
        (part.value.type_ == Kind::jbvNumeric)
            .then(|| unsafe { Numeric(copied(part.value.val.numeric.into())) })
    }

    /// Whether two values are equal as PostgreSQL compares jsonb.
    pub fn equals(self, other: Jsonb) -> bool {
        // SAFETY: both are detoasted.
        unsafe { pg_sys::compareJsonbContainers(self.root(), other.root()) == 0 }
    }

    /// JSON `null`.
    pub fn null() -> Jsonb {
        Part::null().to_jsonb()
    }

    /// The value as `->>` shows an element: a string without its quotes, JSON null as NULL.
    pub fn to_unquoted(self) -> Option<TextDatum> {
        let scalar = self.as_scalar();
        match scalar.map(|part| part.value.type_) {
            Some(Kind::jbvNull) => None,
            Some(Kind::jbvString) => scalar.and_then(Part::bytes).map(TextDatum::new),
            _ => Some(self.with_text(TextDatum::new)),
        }
    }

    fn as_scalar(&self) -> Option<Part<'_>> {
        Walk::over(self.root(), |header| header & pg_sys::JB_FSCALAR != 0)?.next(Token::WJB_ELEM)
    }

    /// Hands the value's JSON text, as `value::text`, to `read` and wipes it afterwards. It is UTF-8
    /// if all strings in the value are.
    pub fn with_text<R>(self, read: impl FnOnce(&[u8]) -> R) -> R {
        // SAFETY: JsonbToCString returns a palloc'd NUL-terminated string.
        unsafe {
            let text = pg_sys::JsonbToCString(std::ptr::null_mut(), self.root(), self.size());
            let bytes = CStr::from_ptr(text).count_bytes();
            let result = read(std::slice::from_raw_parts(text.cast(), bytes));
            std::slice::from_raw_parts_mut(text.cast::<u8>(), bytes).zeroize();
            pg_sys::pfree(text.cast());
            result
        }
    }

    /// Bytes of the value with its header.
    pub(super) fn size(&self) -> i32 {
        // SAFETY: self is a detoasted jsonb.
        unsafe { pgrx::varsize_any(self.0.cast_mut_ptr()) as i32 }
    }

    /// The elements of an array as items of a batch, `None` being one that is no object; `None` for
    /// any other value.
    pub fn elements(&self) -> Option<impl ExactSizeIterator<Item = Option<Element<'_, Part<'_>>>>> {
        let mut walk = Walk::over(self.root(), |header| {
            header & pg_sys::JB_FARRAY != 0 && header & pg_sys::JB_FSCALAR == 0
        })?;
        // SAFETY: self is a detoasted jsonb.
        let length = unsafe { (*self.root()).header & pg_sys::JB_CMASK };
        Some((0..length).map(move |_| walk.next(Token::WJB_ELEM).and_then(Part::element)))
    }

    /// The names and values of an object; `None` for any other value.
    pub fn entries(&self) -> Option<impl Iterator<Item = (&str, Part<'_>)>> {
        let mut walk = Walk::over(self.root(), |header| header & pg_sys::JB_FOBJECT != 0)?;
        Some(std::iter::from_fn(move || {
            let name: Part<'_> = walk.next(Token::WJB_KEY)?;
            Some((name.text()?, walk.next(Token::WJB_VALUE)?))
        }))
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        // SAFETY: a detoasted jsonb begins with its root.
        unsafe { (*self.root()).header & pg_sys::JB_FOBJECT != 0 }
    }

    pub(super) fn root(&self) -> *mut pg_sys::JsonbContainer {
        // SAFETY: self is a detoasted jsonb; no reference is made.
        unsafe { &raw mut (*self.0.cast_mut_ptr::<pg_sys::Jsonb>()).root }
    }
}

/// A value inside a jsonb, or to become one, which borrows what it is made of.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    value: pg_sys::JsonbValue,
    lifetime: PhantomData<&'a [u8]>,
}

impl<'a> Part<'a> {
    /// JSON `null`.
    pub fn null() -> Part<'a> {
        Part::of_kind(Kind::jbvNull)
    }

    /// `true` or `false`.
    pub fn bool(bool: bool) -> Part<'a> {
        let mut part = Part::of_kind(Kind::jbvBool);
        part.value.val.boolean = bool;
        part
    }

    /// A JSON string; `None` where the text is longer than jsonb can hold.
    pub(super) fn string(text: &'a str) -> Option<Part<'a>> {
        if text.len() > pg_sys::JENTRY_OFFLENMASK as usize {
            return None;
        }
        let mut part = Part::of_kind(Kind::jbvString);
        part.value.val.string.len = text.len() as i32;
        part.value.val.string.val = text.as_ptr().cast_mut().cast();
        Some(part)
    }

    fn of_kind(kind: Kind::Type) -> Part<'a> {
        let value = pg_sys::JsonbValue { type_: kind, ..Default::default() };
        Part { value, lifetime: PhantomData }
    }

    /// The value as an item of a batch; `None` where it is no object.
    fn element(self) -> Option<Element<'a, Part<'a>>> {
        if self.value.type_ != Kind::jbvBinary {
            return None;
        }
        // SAFETY: the type says which member of the union is set.
        let container = unsafe { self.value.val.binary.data };
        let mut walk = Walk::over(container, |header| header & pg_sys::JB_FOBJECT != 0)?;
        let mut element = Element::default();
        while let Some(key) = walk.next(Token::WJB_KEY) {
            let value: Part<'a> = walk.next(Token::WJB_VALUE)?;
            match key.text()? {
                "name" => element.name = Some(value.scalar()),
                "value" => element.value = Some(value),
                "expiration" => element.expiration = Some(value.scalar()),
                "encrypt" => element.encrypt = Some(value.scalar()),
                unknown => {
                    element.unknown.get_or_insert(unknown);
                }
            }
        }
        Some(element)
    }

    /// A string's text as it came in; text that is not UTF-8 raises.
    fn text(self) -> Option<&'a str> {
        self.bytes().map(checked)
    }

    fn bytes(self) -> Option<&'a [u8]> {
        // SAFETY: the type says which member of the union is set.
        (self.value.type_ == Kind::jbvString).then(|| unsafe {
            let string = self.value.val.string;
            std::slice::from_raw_parts(string.val.cast::<u8>(), string.len as usize)
        })
    }

    /// A jsonb of its own.
    pub fn to_jsonb(mut self) -> Jsonb {
        // SAFETY: the value is whole; what is made is a copy.
        Jsonb(unsafe { pg_sys::JsonbValueToJsonb(&mut self.value) }.into())
    }

    /// An upper bound on the JSON text's bytes that needs no rendering: a string grows at most
    /// sixfold (`\u0001`) and by its quotes. Numbers can grow without bound (`1e100000`).
    pub fn text_bound(self) -> Option<usize> {
        match self.value.type_ {
            Kind::jbvNull | Kind::jbvBool => Some("false".len()),
            _ => self.text().map(|text| text.len() * 6 + 2),
        }
    }

    fn scalar(self) -> Scalar<'a> {
        match self.value.type_ {
            Kind::jbvNull => Scalar::Null,
            // SAFETY: the type says which member of the union is set.
            Kind::jbvBool => Scalar::Bool(unsafe { self.value.val.boolean }),
            Kind::jbvString => self.text().map_or(Scalar::Null, |text| Scalar::String(Cow::Borrowed(text))),
            Kind::jbvNumeric => Scalar::Number(self.to_jsonb().with_text(|text| checked(text).to_owned())),
            _ => Scalar::Other,
        }
    }
}

impl From<Jsonb> for Part<'_> {
    fn from(json: Jsonb) -> Self {
        let mut part = Part::null();
        // SAFETY: a detoasted jsonb, which lives until the call is over.
        unsafe { pg_sys::JsonbToJsonbValue(json.0.cast_mut_ptr(), &mut part.value) };
        part
    }
}

/// A JSON object under construction from what outlives it. Of a name given twice the last wins.
pub struct Object<'a> {
    state: JsonbState,
    lifetime: PhantomData<&'a str>,
}

impl<'a> Object<'a> {
    pub fn new() -> Object<'a> {
        let mut object = Object { state: JsonbState::new(), lifetime: PhantomData };
        object.push(Token::WJB_BEGIN_OBJECT, None);
        object
    }

    /// Adds a value under a name.
    pub fn entry(&mut self, name: &'a str, value: Part<'a>) -> Result<()> {
        let name = Part::string(name).ok_or_else(|| Error::TooLong {
            what: "name".into(),
            limit: pg_sys::JENTRY_OFFLENMASK.into(),
            unit: "bytes",
            hint: None,
        })?;
        self.push(Token::WJB_KEY, Some(name));
        self.push(Token::WJB_VALUE, Some(value));
        Ok(())
    }

    /// The object as jsonb.
    pub fn finish(mut self) -> Jsonb {
        let whole = self.push(Token::WJB_END_OBJECT, None);
        // SAFETY: the end of an object gives the whole of it.
        Jsonb(unsafe { pg_sys::JsonbValueToJsonb(whole) }.into())
    }

    fn push(&mut self, token: Token::Type, mut part: Option<Part<'a>>) -> *mut pg_sys::JsonbValue {
        let value = part.as_mut().map_or(std::ptr::null_mut(), |part| &raw mut part.value);
        // SAFETY: tokens come in the order of a JSON object; the value is copied, what it points to
        // outlives the object.
        unsafe { self.state.push(token, value) }
    }
}

/// A walk through one level of a container.
struct Walk {
    iterator: *mut pg_sys::JsonbIterator,
}

impl Walk {
    fn over(container: *mut pg_sys::JsonbContainer, is_wanted: impl FnOnce(u32) -> bool) -> Option<Walk> {
        // SAFETY: called on containers of a detoasted jsonb only; the iterator starts with a token
        // for the container itself, which is stepped over.
        unsafe {
            if !is_wanted((*container).header) {
                return None;
            }
            let mut walk = Walk { iterator: pg_sys::JsonbIteratorInit(container) };
            walk.step();
            Some(walk)
        }
    }

    /// The next value if it comes as `token`.
    fn next<'a>(&mut self, token: Token::Type) -> Option<Part<'a>> {
        if self.iterator.is_null() {
            return None;
        }
        let (found, value) = self.step();
        (found == token).then_some(Part { value, lifetime: PhantomData })
    }

    fn step(&mut self) -> (Token::Type, pg_sys::JsonbValue) {
        let mut value = pg_sys::JsonbValue::default();
        // SAFETY: the iterator is not at its end, where PostgreSQL frees it and sets it to null.
        // Nested containers come as one value, which points into the walked one.
        let token = unsafe { pg_sys::JsonbIteratorNext(&mut self.iterator, &mut value, true) };
        (token, value)
    }
}
