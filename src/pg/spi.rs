//! SPI with kept plans, run with the rights of the tables' owner.
//!
//! pgrx's own client assigns a transaction id for every read and copies results into the
//! transaction's memory; this one does neither. Results are copied out before SPI ends, so a
//! million calls in one transaction leave nothing behind.

use std::cell::Cell;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::thread::LocalKey;

use pgrx::{IntoDatum, pg_sys};
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use super::datum::{Inet, Jsonb, detoast};

/// An SQL statement that is prepared on first use and then kept for the life of the backend.
///
/// A kept plan survives DDL, DROP and CREATE EXTENSION (PostgreSQL revalidates it from its text)
/// and is never freed: it belongs to the backend, and there is one thread.
pub struct Statement {
    sql: &'static CStr,
    parameters: &'static [pg_sys::Oid],
    plan: Cell<pg_sys::SPIPlanPtr>,
}

impl Statement {
    pub const fn new(sql: &'static CStr, parameters: &'static [pg_sys::Oid]) -> Self {
        Statement { sql, parameters, plan: Cell::new(std::ptr::null_mut()) }
    }
}

/// Declares a [`Statement`]: its name, its parameters' types, its text.
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident($($parameter:ident),*) = $sql:literal) => {
        thread_local! {
            $(#[$doc])*
            static $name: $crate::pg::spi::Statement = const {
                $crate::pg::spi::Statement::new($sql, &[$(pgrx::pg_sys::$parameter),*])
            };
        }
    };
}
pub(crate) use statement;

/// A bound parameter.
#[derive(Clone, Copy)]
pub enum Param<'a> {
    Null,
    Bool(bool),
    Uuid(Uuid),
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
            Param::Uuid(uuid) => pgrx::Uuid::from_bytes(uuid.into_bytes()).into_datum(),
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
pub struct Tid(pg_sys::ItemPointerData);

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

/// Whether a call's statements may write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Uses the calling statement's snapshot, assigns no transaction id, works on a standby.
    Read,
    /// Takes a new snapshot for each statement.
    Write,
}

/// An open SPI connection that acts as the tables' owner until it is dropped.
pub struct Db {
    access: Access,
    schema: pg_sys::Oid,
    caller: pg_sys::Oid,
    security_context: i32,
    thread: PhantomData<*mut ()>,
}

/// Runs `work` as the owner of the schema sso_attr.
///
/// This is what SECURITY DEFINER does, without its cost of 11,000 to 15,000 instructions for a
/// SET clause. No user code can run in between: statements are fully qualified, and what a caller
/// can define (casts, operators, functions) is never looked up.
pub fn as_owner<T>(access: Access, work: impl FnOnce(&Db) -> T) -> T {
    work(&Db::open(access))
}

impl Db {
    fn open(access: Access) -> Db {
        let mut caller = pg_sys::InvalidOid;
        let mut security_context = 0;
        let (schema, owner);
        // SAFETY: we are inside a transaction, as every SQL function call is. Should an ERROR
        // leave early, transaction or subtransaction abort restores user and SPI stack.
        unsafe {
            (schema, owner) = schema_and_owner();
            pg_sys::SPI_connect();
            pg_sys::GetUserIdAndSecContext(&mut caller, &mut security_context);
            pg_sys::SetUserIdAndSecContext(
                owner,
                security_context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32,
            );
        }
        Db { access, schema, caller, security_context, thread: PhantomData }
    }

    /// What tells one installation of the extension from the next in the same database.
    pub fn installation(&self) -> u32 {
        self.schema.to_u32()
    }

    /// The id of the current transaction, 0 while it has written nothing.
    pub fn transaction(&self) -> u32 {
        // SAFETY: inside a transaction; assigns no id.
        unsafe { pg_sys::GetTopTransactionIdIfAny() }.into_inner()
    }

    /// Runs a statement.
    pub fn run(&self, statement: &'static LocalKey<Statement>, params: &[Param<'_>]) -> Rows<'_> {
        let (mut values, nulls): (Vec<_>, Vec<_>) = params
            .iter()
            .map(|param| param.datum())
            .map(|datum| (datum.unwrap_or(pg_sys::Datum::null()), if datum.is_none() { b'n' } else { b' ' }))
            .unzip();
        statement.with(|statement| {
            debug_assert_eq!(statement.parameters.len(), params.len());
            // SAFETY: SPI is connected; the plan takes as many parameters of these types as are
            // bound, which `statement!` declares and every use is tested for.
            unsafe {
                let code = pg_sys::SPI_execute_plan(
                    self.plan(statement),
                    values.as_mut_ptr(),
                    nulls.as_ptr().cast(),
                    self.access == Access::Read,
                    0,
                );
                if code < 0 {
                    pgrx::error!("SPI failed with code {code}: {}", statement.sql.to_string_lossy());
                }
                Rows { count: pg_sys::SPI_processed, table: pg_sys::SPI_tuptable, db: PhantomData }
            }
        })
    }

    /// SAFETY precondition: SPI is connected.
    unsafe fn plan(&self, statement: &Statement) -> pg_sys::SPIPlanPtr {
        let kept = statement.plan.get();
        if !kept.is_null() {
            return kept;
        }
        // SAFETY: the text is NUL-terminated, the types are as many as their count; SPI_prepare
        // reads both only. Keeping moves the plan out of this connection's memory.
        unsafe {
            let plan = pg_sys::SPI_prepare(
                statement.sql.as_ptr(),
                statement.parameters.len() as i32,
                statement.parameters.as_ptr().cast_mut(),
            );
            if plan.is_null() || pg_sys::SPI_keepplan(plan) != 0 {
                pgrx::error!("SPI cannot prepare: {}", statement.sql.to_string_lossy());
            }
            statement.plan.set(plan);
            plan
        }
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        // SAFETY: restores what `open` found. While an ERROR unwinds, PostgreSQL's own clean-up
        // ends the SPI connection.
        unsafe {
            pg_sys::SetUserIdAndSecContext(self.caller, self.security_context);
            if !std::thread::panicking() {
                pg_sys::SPI_finish();
            }
        }
    }
}

/// SAFETY precondition: inside a transaction.
unsafe fn schema_and_owner() -> (pg_sys::Oid, pg_sys::Oid) {
    // SAFETY: the cache entry is read before it is released; NAMESPACENAME entries are
    // pg_namespace rows, whose fixed part FormData_pg_namespace describes.
    unsafe {
        let entry = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::NAMESPACENAME as _,
            c"sso_attr".as_ptr().into(),
        );
        if entry.is_null() {
            pgrx::ereport!(
                ERROR,
                pgrx::PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "schema \"sso_attr\" does not exist",
                "Create the extension sso_attr in this database."
            );
        }
        let row = pg_sys::GETSTRUCT(entry).cast::<pg_sys::FormData_pg_namespace>();
        let found = ((*row).oid, (*row).nspowner);
        pg_sys::ReleaseSysCache(entry);
        found
    }
}

/// The rows of an executed statement; what is borrowed from them lives as long as the connection.
pub struct Rows<'db> {
    count: u64,
    table: *mut pg_sys::SPITupleTable,
    db: PhantomData<&'db Db>,
}

impl<'db> Rows<'db> {
    /// How many rows were returned or changed.
    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn first(&self) -> Option<Row<'db>> {
        self.iter().next()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'db>> + use<'db> {
        let table = self.table;
        let count = if table.is_null() { 0 } else { self.count as usize };
        (0..count).map(move |index| {
            // SAFETY: SPI put `count` tuples into the table, which lives until SPI_finish.
            let (tuple, descriptor) = unsafe { (*(*table).vals.add(index), (*table).tupdesc) };
            Row { tuple, descriptor, db: PhantomData }
        })
    }
}

/// One row; columns are numbered from 1.
pub struct Row<'db> {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
    db: PhantomData<&'db Db>,
}

impl<'db> Row<'db> {
    fn datum(&self, column: i32) -> Option<pg_sys::Datum> {
        let mut null = false;
        // SAFETY: tuple and descriptor belong together and to the open connection.
        let datum = unsafe { pg_sys::SPI_getbinval(self.tuple, self.descriptor, column, &mut null) };
        (!null).then_some(datum)
    }

    /// A bytea column.
    pub fn bytes(&self, column: i32) -> Option<&'db [u8]> {
        // SAFETY: a bytea datum is a varlena; a detoasted copy lives until SPI_finish.
        self.datum(column).map(|datum| unsafe {
            pgrx::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()))
        })
    }

    /// A text column.
    pub fn text(&self, column: i32) -> Option<&'db str> {
        // SAFETY: the database encoding is UTF8, which CREATE EXTENSION checks.
        self.bytes(column).map(|bytes| unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    /// A timestamptz column.
    pub fn time(&self, column: i32) -> Option<Timestamp> {
        self.datum(column).map(|datum| Timestamp(datum.value() as i64))
    }

    /// A boolean column, null being false.
    pub fn is_true(&self, column: i32) -> bool {
        self.datum(column).is_some_and(|datum| datum.value() != 0)
    }

    /// A bigint column.
    pub fn int(&self, column: i32) -> Option<i64> {
        self.datum(column).map(|datum| datum.value() as i64)
    }

    /// A ctid.
    pub fn tid(&self, column: i32) -> Option<Tid> {
        // SAFETY: a tid datum points to an ItemPointerData.
        self.datum(column).map(|datum| Tid(unsafe { *datum.cast_mut_ptr::<pg_sys::ItemPointerData>() }))
    }

    /// A uuid column.
    pub fn uuid(&self, column: i32) -> Option<Uuid> {
        // SAFETY: a uuid datum points to 16 bytes.
        self.datum(column).map(|datum| Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() }))
    }

    /// A jsonb column, copied to the caller's memory.
    pub fn json(&self, column: i32) -> Option<Jsonb> {
        self.datum(column).map(|datum| Jsonb(transfer(datum)))
    }

    /// An inet column, copied to the caller's memory.
    pub fn inet(&self, column: i32) -> Option<Inet> {
        self.datum(column).map(|datum| Inet(transfer(datum)))
    }
}

/// Copies a varlena out of SPI's memory, detoasted.
fn transfer(datum: pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: the datum is a varlena of the open connection; SPI_datumTransfer copies it into the
    // memory that was current when SPI was connected.
    unsafe { pg_sys::SPI_datumTransfer(detoast(datum), false, -1) }
}
