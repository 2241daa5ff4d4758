//! Arguments of any type, converted as `to_jsonb` does.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::datum::FromDatum;
use pgrx::pg_sys;

use super::datum::{Jsonb, bytes, detoast};
use super::jsonb::Part;
use super::text::checked;

/// An `anycompatible` argument: an untyped literal or parameter arrives as text.
#[derive(Clone, Copy)]
pub struct AnyValue {
    datum: pg_sys::Datum,
    type_oid: pg_sys::Oid,
}

pgrx::impl_sql_translatable!(AnyValue, "anycompatible");

impl FromDatum for AnyValue {
    const GET_TYPOID: bool = true;

    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        null: bool,
        type_oid: pg_sys::Oid,
    ) -> Option<Self> {
        (!null).then_some(AnyValue { datum, type_oid })
    }
}

// SAFETY: the datum is kept together with the type that the call site resolved for it.
unsafe impl<'fcx> ArgAbi<'fcx> for AnyValue {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: GET_TYPOID makes pgrx pass the argument's resolved type.
        let value = unsafe { arg.unbox_arg_using_from_datum() };
        value.unwrap_or_else(|| unreachable!("null argument"))
    }
}

impl AnyValue {
    /// A text, as the JSON string that `to_jsonb` makes of it; `None` where it is too long for one,
    /// and for every other type.
    pub fn as_string(&self) -> Option<Part<'_>> {
        if self.type_oid != pg_sys::TEXTOID {
            return None;
        }
        // SAFETY: the type says that the datum is a text, which lives as long as the call.
        Part::string(checked(unsafe { bytes(self.datum) }))
    }

    /// What `to_jsonb` makes of the value, with the rights of the current user: a cast to json
    /// that a user defined is user code.
    pub fn to_jsonb(self) -> Jsonb {
        if self.type_oid == pg_sys::JSONBOID {
            // SAFETY: the type says that the datum is a jsonb.
            return Jsonb(unsafe { detoast(self.datum) });
        }
        // SAFETY: to_jsonb asks its call expression for the argument's type; the expression built
        // here names type_oid, which is the type of the datum. Everything lives in the current
        // memory context, which outlasts the call.
        unsafe {
            let argument = pg_sys::makeConst(
                self.type_oid,
                -1,
                pg_sys::InvalidOid,
                -1,
                pg_sys::Datum::null(),
                true,
                false,
            );
            let call = pg_sys::makeFuncExpr(
                pg_sys::F_TO_JSONB.into(),
                pg_sys::JSONBOID,
                pg_sys::lappend(std::ptr::null_mut(), argument.cast()),
                pg_sys::InvalidOid,
                pg_sys::InvalidOid,
                pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
            );
            let mut function = pg_sys::FmgrInfo::default();
            pg_sys::fmgr_info(pg_sys::F_TO_JSONB.into(), &mut function);
            function.fn_expr = call.cast();
            Jsonb(pg_sys::FunctionCall1Coll(&mut function, pg_sys::InvalidOid, self.datum))
        }
    }
}
