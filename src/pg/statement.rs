//! Statements with the types of their parameters and columns.
//!
//! The compiler holds every use against the declaration, and every execution holds the declaration
//! against the columns that PostgreSQL says there are: no wrong use and no altered table makes Rust
//! read a value as what it is not.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::CString;
use std::marker::PhantomData;

use pgrx::pg_sys;
use sso_attr_core::Error;

use super::citus;
use super::planner::Way;
use super::report::raise;
use super::sql::SqlType;
use super::tables::Tables;

/// An SQL statement that is prepared on first use and then kept for the life of the backend.
///
/// A kept plan survives DDL, DROP and CREATE EXTENSION (PostgreSQL revalidates it from its text)
/// and is never freed: it belongs to the backend, and there is one thread.
/// It is planned once, for any values: planning each of the first five executions anew, as is usual,
/// costs more than the executions themselves. Only Citus has to know the values, to find the node.
pub struct Statement<P, C> {
    sql: &'static str,
    pub(super) way: Way,
    plan: Cell<pg_sys::SPIPlanPtr>,
    types: PhantomData<fn(P) -> C>,
}

/// Declares a [`Statement`] by the types in [`super::sql`]:
/// `statement! { GET(Id, Text) -> (Null<Json>) = "SELECT ..." }`. `#[by(Hash)]` before the name
/// says by which [`Way`] the rows are found, if not by an index.
macro_rules! statement {
    ($(#[doc = $doc:literal])* $(#[by($way:ident)])?
     $name:ident($($parameter:ty),* $(,)?) $(-> ($($column:ty),* $(,)?))? = $sql:expr) => {
        thread_local! {
            $(#[doc = $doc])*
            static $name: $crate::pg::statement::Statement<($($parameter,)*), ($($($column,)*)?)> = const {
                $crate::pg::statement::Statement::new($sql, $crate::pg::planner::way!($($way)?))
            };
        }
    };
}
pub(crate) use statement;

impl<P: Params, C: Columns> Statement<P, C> {
    pub const fn new(sql: &'static str, way: Way) -> Self {
        Statement { sql, way, plan: Cell::new(std::ptr::null_mut()), types: PhantomData }
    }

    /// The kept plan; for a shard, whose tables come and go, one for this connection.
    ///
    /// # Safety
    /// SPI is connected.
    pub(super) unsafe fn plan(&self, tables: Tables) -> pg_sys::SPIPlanPtr {
        let kept = self.plan.get();
        if !kept.is_null() && tables == Tables::Whole {
            return kept;
        }
        // SAFETY: as the caller says.
        unsafe { self.prepare(tables) }
    }

    /// # Safety
    /// SPI is connected.
    #[cold]
    unsafe fn prepare(&self, tables: Tables) -> pg_sys::SPIPlanPtr {
        let may_be_distributed = citus::is_loaded() && tables == Tables::Whole;
        let sql = tables.named_in(self.sql);
        let sql = if may_be_distributed { sql } else { without_session(sql) };
        let options = if may_be_distributed { 0 } else { pg_sys::CURSOR_OPT_GENERIC_PLAN as i32 };
        let text = CString::new(&*sql).unwrap_or_default();
        // SAFETY: SPI reads types and text only. Keeping moves the plan out of this connection's
        // memory.
        unsafe {
            let plan = pg_sys::SPI_prepare_cursor(
                text.as_ptr(),
                P::OIDS.len() as i32,
                P::OIDS.as_ptr().cast_mut(),
                options,
            );
            if plan.is_null() || tables == Tables::Whole && pg_sys::SPI_keepplan(plan) != 0 {
                pgrx::error!("SPI cannot prepare: {sql}");
            }
            if tables == Tables::Whole {
                self.plan.set(plan);
            }
            plan
        }
    }

    pub(super) fn fail(&self, code: i32) -> ! {
        pgrx::error!("SPI failed with code {code}: {}", self.sql);
    }
}

/// A statement that inserts rows from lists reads the session that they belong to: by that Citus finds
/// the node. Elsewhere the id, which the caller has looked up, is taken as it is, which is cheaper.
fn without_session(sql: Cow<'_, str>) -> Cow<'_, str> {
    const READ: &str = "FROM sso_attr.session AS s CROSS JOIN ROWS FROM";
    const FOUND: &str = "WHERE s.id OPERATOR(pg_catalog.=) $1";
    if !sql.contains(READ) {
        return sql;
    }
    sql.replace("SELECT s.id,", "SELECT $1,").replace(READ, "FROM ROWS FROM").replace(FOUND, "").into()
}

/// The types of a statement's parameters, as a tuple.
pub trait Params {
    const OIDS: &'static [pg_sys::Oid];
    type Values<'a>;
    type Bound: Bound;

    /// The parameters for as long as what they borrow lives.
    fn bind(values: Self::Values<'_>) -> Self::Bound;
}

/// Parameters as PostgreSQL takes them.
pub trait Bound {
    fn list(&mut self) -> pg_sys::ParamListInfo;
}

/// As `makeParamList` lays them out: the head, and behind it as many as it says.
#[repr(C)]
pub struct ParamList<const N: usize> {
    head: pg_sys::ParamListInfoData,
    params: [pg_sys::ParamExternData; N],
}

const _: () = assert!(
    std::mem::offset_of!(ParamList<1>, params) == std::mem::offset_of!(pg_sys::ParamListInfoData, params)
);

impl<const N: usize> Bound for ParamList<N> {
    fn list(&mut self) -> pg_sys::ParamListInfo {
        // Without parameters the list is null, not empty: a copy of an empty one would be null too.
        if N == 0 { std::ptr::null_mut() } else { (&raw mut *self).cast() }
    }
}

fn param<T: SqlType>(value: T::Param<'_>) -> pg_sys::ParamExternData {
    let datum = T::bind(value);
    pg_sys::ParamExternData {
        value: datum.unwrap_or(pg_sys::Datum::null()),
        isnull: datum.is_none(),
        pflags: pg_sys::PARAM_FLAG_CONST as u16,
        ptype: T::OID,
    }
}

/// The types of a statement's columns, as a tuple.
pub trait Columns {
    const OIDS: &'static [pg_sys::Oid];
    type Row<'r>;

    /// # Safety
    /// The slot is filled and has columns of these types; the memory context is alive.
    unsafe fn read<'r>(slot: *mut pg_sys::TupleTableSlot, memory: pg_sys::MemoryContext) -> Self::Row<'r>;
}

/// # Safety
/// The slot holds that column, of that type; the memory context is alive.
unsafe fn column<'r, T: SqlType>(
    slot: *mut pg_sys::TupleTableSlot,
    index: usize,
    memory: pg_sys::MemoryContext,
) -> T::Column<'r> {
    // SAFETY: as the caller says.
    unsafe {
        match *(*slot).tts_isnull.add(index) {
            true => T::null(),
            false => T::read(*(*slot).tts_values.add(index), memory),
        }
    }
}

macro_rules! tuples {
    ($($count:literal: $($type:ident $value:ident $index:tt),*;)*) => {$(
        impl<$($type: SqlType),*> Params for ($($type,)*) {
            const OIDS: &'static [pg_sys::Oid] = &[$($type::OID),*];
            type Values<'a> = ($($type::Param<'a>,)*);
            type Bound = ParamList<$count>;

            fn bind(($($value,)*): Self::Values<'_>) -> ParamList<$count> {
                let head = pg_sys::ParamListInfoData { numParams: $count, ..Default::default() };
                ParamList { head, params: [$(param::<$type>($value)),*] }
            }
        }

        impl<$($type: SqlType),*> Columns for ($($type,)*) {
            const OIDS: &'static [pg_sys::Oid] = &[$($type::OID),*];
            type Row<'r> = ($($type::Column<'r>,)*);

            #[allow(unused_variables, clippy::unused_unit, reason = "no columns are none to read")]
            unsafe fn read<'r>(
                slot: *mut pg_sys::TupleTableSlot,
                memory: pg_sys::MemoryContext,
            ) -> Self::Row<'r> {
                // SAFETY: as the caller says; what is not yet taken out of the row, PostgreSQL takes out.
                unsafe {
                    if (*slot).tts_nvalid < $count {
                        pg_sys::slot_getsomeattrs_int(slot, $count);
                    }
                    ($(column::<$type>(slot, $index, memory),)*)
                }
            }
        }
    )*};
}

tuples! {
    0: ;
    1: A a 0;
    2: A a 0, B b 1;
    3: A a 0, B b 1, C c 2;
    4: A a 0, B b 1, C c 2, D d 3;
    5: A a 0, B b 1, C c 2, D d 3, E e 4;
    6: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5;
    7: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6;
    8: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7;
    9: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8;
    10: A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8, J j 9;
}

// Declared here since it raises no ERROR: it needs no guard like the one that pgrx puts around every
// call, which costs more than it does.
unsafe extern "C-unwind" {
    fn SPI_gettypeid(columns: pg_sys::TupleDesc, number: i32) -> pg_sys::Oid;
}

/// Raises where the columns of a result are not of these types.
///
/// # Safety
/// The descriptor is one of a result that is about to come.
pub(super) unsafe fn check_columns(columns: pg_sys::TupleDesc, types: &[pg_sys::Oid]) {
    // SAFETY: as the caller says; columns are counted from 1.
    let agree = unsafe {
        (*columns).natts as usize == types.len()
            && (1..).zip(types).all(|(number, oid)| SPI_gettypeid(columns, number) == *oid)
    };
    if !agree {
        raise(Error::RowCorrupted("a column has another type than the extension gave it"));
    }
}
