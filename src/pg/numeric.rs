//! `numeric`, as PostgreSQL computes with it: no digit is lost.

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum as FcxDatum, FromDatum, IntoDatum};
use pgrx::pg_sys;

use super::datum::{Jsonb, detoast, pass_through};

/// A `numeric`, detoasted.
#[derive(Clone, Copy)]
pub struct Numeric(pub(super) pg_sys::Datum);

pass_through!(Numeric, "numeric", pg_sys::NUMERICOID, detoast);

impl Numeric {
    pub fn plus(self, other: Numeric) -> Numeric {
        // SAFETY: numeric_add takes two numerics and makes a new one.
        let sum = unsafe {
            pgrx::direct_function_call_as_datum(pg_sys::numeric_add, &[Some(self.0), Some(other.0)])
        };
        Numeric(sum.unwrap_or_else(|| unreachable!("numeric_add gives no null")))
    }

    /// The number as JSON, which has neither NaN nor infinities.
    pub fn to_json(self) -> Option<Jsonb> {
        // SAFETY: the datum is a numeric.
        let is_finite = unsafe {
            let number = self.0.cast_mut_ptr();
            !pg_sys::numeric_is_nan(number) && !pg_sys::numeric_is_inf(number)
        };
        is_finite.then(|| Jsonb::from_numeric(self))
    }
}
