//! SPI with kept plans, run with the rights of the tables' owner.
//!
//! pgrx's own client assigns a transaction id for every read and copies results into the
//! transaction's memory; this one does neither. Rows are read as the executor brings them, without
//! a table of copies, so a million calls in one transaction leave nothing behind.

use std::cell::Cell;
use std::ffi::CString;
use std::marker::PhantomData;
use std::thread::LocalKey;

use pgrx::{IntoDatum, pg_guard, pg_sys};
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use super::datum::{Inet, Jsonb, bytes, copied_to};

/// An SQL statement with N parameters that is prepared on first use and then kept for the life of
/// the backend.
///
/// A kept plan survives DDL, DROP and CREATE EXTENSION (PostgreSQL revalidates it from its text)
/// and is never freed: it belongs to the backend, and there is one thread.
/// It is planned once, for any values: every statement goes by an index whatever they are, and to
/// plan each of the first five executions anew, as is usual, costs more than those executions.
pub struct Statement<const N: usize> {
    sql: &'static str,
    parameters: [pg_sys::Oid; N],
    plan: Cell<pg_sys::SPIPlanPtr>,
}

impl<const N: usize> Statement<N> {
    pub const fn new(sql: &'static str, parameters: [pg_sys::Oid; N]) -> Self {
        Statement { sql, parameters, plan: Cell::new(std::ptr::null_mut()) }
    }
}

/// Declares a [`Statement`]: its name, its parameters' types, its text.
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident($($parameter:ident),*) = $sql:expr) => {
        thread_local! {
            $(#[$doc])*
            static $name: $crate::pg::spi::Statement<{ <[&str]>::len(&[$(stringify!($parameter)),*]) }> = const {
                $crate::pg::spi::Statement::new($sql, [$(pgrx::pg_sys::$parameter),*])
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

/// No limit to the rows of a statement, as SPI counts.
const ALL: u64 = 0;

/// An open SPI connection that acts as the tables' owner until it is dropped.
pub struct Db {
    access: Access,
    schema: pg_sys::Oid,
    caller: pg_sys::Oid,
    security_context: i32,
    /// The caller's memory.
    memory: pg_sys::MemoryContext,
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

// Declared here since neither raises an ERROR: they need no guard, which pgrx puts around every
// call and which costs more than they do.
unsafe extern "C-unwind" {
    fn GetUserIdAndSecContext(user: *mut pg_sys::Oid, security_context: *mut i32);
    fn SetUserIdAndSecContext(user: pg_sys::Oid, security_context: i32);
}

impl Db {
    fn open(access: Access) -> Db {
        let mut caller = pg_sys::InvalidOid;
        let mut security_context = 0;
        // SAFETY: we are inside a transaction, as every SQL function call is. Should an ERROR
        // leave early, transaction or subtransaction abort restores user and SPI stack.
        unsafe {
            let (schema, owner) = schema_and_owner();
            let memory = pg_sys::CurrentMemoryContext;
            pg_sys::SPI_connect();
            GetUserIdAndSecContext(&mut caller, &mut security_context);
            SetUserIdAndSecContext(owner, security_context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
            Db { access, schema, caller, security_context, memory, thread: PhantomData }
        }
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

    /// Runs a statement and counts the rows that it returned or changed.
    pub fn run<const N: usize>(
        &self,
        statement: &'static LocalKey<Statement<N>>,
        params: [Param<'_>; N],
    ) -> u64 {
        self.each(statement, params, ALL, |_| ())
    }

    /// What `read` makes of the first row that a statement returns; none is looked for behind it.
    pub fn one<T, const N: usize>(
        &self,
        statement: &'static LocalKey<Statement<N>>,
        params: [Param<'_>; N],
        mut read: impl FnMut(&Row<'_>) -> Option<T>,
    ) -> Option<T> {
        let mut found = None;
        self.each(statement, params, 1, |row| found = read(row));
        found
    }

    /// What `read` makes of the rows that a statement returns.
    pub fn all<T, const N: usize>(
        &self,
        statement: &'static LocalKey<Statement<N>>,
        params: [Param<'_>; N],
        mut read: impl FnMut(&Row<'_>) -> Option<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        self.each(statement, params, ALL, |row| found.extend(read(row)));
        found
    }

    fn each<const N: usize>(
        &self,
        statement: &'static LocalKey<Statement<N>>,
        params: [Param<'_>; N],
        limit: u64,
        mut read: impl FnMut(&Row<'_>),
    ) -> u64 {
        let mut read = |slot| read(&Row { slot, memory: self.memory, lifetime: PhantomData });
        let mut receiver = Receiver::new(&mut read);
        statement.with(|statement| {
            let mut bound = Bound::new(params, &statement.parameters);
            // SAFETY: SPI is connected; the plan takes N parameters of these types, which
            // `statement!` declares and every use is tested for. Receiver and parameters outlive
            // the call.
            unsafe {
                let options = pg_sys::SPIExecuteOptions {
                    params: (&raw mut bound).cast(),
                    read_only: self.access == Access::Read,
                    tcount: limit,
                    dest: (&raw mut receiver).cast(),
                    ..Default::default()
                };
                let code = pg_sys::SPI_execute_plan_extended(self.plan(statement), &options);
                if code < 0 {
                    pgrx::error!("SPI failed with code {code}: {}", statement.sql);
                }
                pg_sys::SPI_processed
            }
        })
    }

    /// SAFETY precondition: SPI is connected.
    unsafe fn plan<const N: usize>(&self, statement: &Statement<N>) -> pg_sys::SPIPlanPtr {
        let kept = statement.plan.get();
        if !kept.is_null() {
            return kept;
        }
        let sql = CString::new(statement.sql).unwrap_or_default();
        // SAFETY: the types are as many as their count; SPI reads them and the text only.
        // Keeping moves the plan out of this connection's memory.
        unsafe {
            let plan = pg_sys::SPI_prepare_cursor(
                sql.as_ptr(),
                N as i32,
                statement.parameters.as_ptr().cast_mut(),
                pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
            );
            if plan.is_null() || pg_sys::SPI_keepplan(plan) != 0 {
                pgrx::error!("SPI cannot prepare: {}", statement.sql);
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
            SetUserIdAndSecContext(self.caller, self.security_context);
            if !std::thread::panicking() {
                pg_sys::SPI_finish();
            }
        }
    }
}

thread_local! {
    /// The schema sso_attr and its owner, until PostgreSQL tells that some schema was changed.
    static SCHEMA: Cell<Option<(pg_sys::Oid, pg_sys::Oid)>> = const { Cell::new(None) };
    /// Whether it has been asked to.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

#[pg_guard]
unsafe extern "C-unwind" fn forget_schema(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    SCHEMA.set(None);
}

/// SAFETY precondition: inside a transaction.
unsafe fn schema_and_owner() -> (pg_sys::Oid, pg_sys::Oid) {
    if let Some(known) = SCHEMA.get() {
        return known;
    }
    // SAFETY: the callback stays registered for the life of the backend, so it is registered once.
    unsafe {
        if !IS_WATCHED.replace(true) {
            pg_sys::CacheRegisterSyscacheCallback(
                pg_sys::SysCacheIdentifier::NAMESPACEOID as _,
                Some(forget_schema),
                pg_sys::Datum::null(),
            );
        }
        let found = look_up_schema_and_owner();
        SCHEMA.set(Some(found));
        found
    }
}

/// SAFETY precondition: inside a transaction.
unsafe fn look_up_schema_and_owner() -> (pg_sys::Oid, pg_sys::Oid) {
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

/// Parameters as `makeParamList` lays them out: the head, and behind it as many as it says.
#[repr(C)]
struct Bound<const N: usize> {
    head: pg_sys::ParamListInfoData,
    params: [pg_sys::ParamExternData; N],
}

impl<const N: usize> Bound<N> {
    fn new(params: [Param<'_>; N], types: &[pg_sys::Oid; N]) -> Self {
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

/// Takes a statement's rows one by one, as the executor brings them.
#[repr(C)]
struct Receiver<'a> {
    /// What PostgreSQL sees of it.
    interface: pg_sys::DestReceiver,
    read: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot),
}

impl<'a> Receiver<'a> {
    fn new(read: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot)) -> Self {
        let interface = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(start),
            rShutdown: Some(ignore),
            rDestroy: Some(ignore),
            mydest: pg_sys::CommandDest::DestNone,
        };
        Receiver { interface, read }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: the executor hands back the receiver that `each` gave it, with a filled slot.
    unsafe { ((*receiver.cast::<Receiver<'_>>()).read)(slot) };
    true
}

unsafe extern "C-unwind" fn start(_: *mut pg_sys::DestReceiver, _: i32, _: pg_sys::TupleDesc) {}

unsafe extern "C-unwind" fn ignore(_: *mut pg_sys::DestReceiver) {}

/// One row, for as long as the executor holds it; columns are numbered from 1.
pub struct Row<'row> {
    slot: *mut pg_sys::TupleTableSlot,
    /// The caller's memory, where copies go that outlive the connection.
    memory: pg_sys::MemoryContext,
    lifetime: PhantomData<&'row ()>,
}

impl<'row> Row<'row> {
    fn datum(&self, column: i16) -> Option<pg_sys::Datum> {
        let index = column as usize - 1;
        // SAFETY: the slot is filled, its statement returns as many columns as are asked for.
        unsafe {
            if (*self.slot).tts_nvalid < column {
                pg_sys::slot_getsomeattrs_int(self.slot, column.into());
            }
            (!*(*self.slot).tts_isnull.add(index)).then(|| *(*self.slot).tts_values.add(index))
        }
    }

    /// A bytea column.
    pub fn bytes(&self, column: i16) -> Option<&'row [u8]> {
        self.datum(column).map(bytes)
    }

    /// A text column.
    pub fn text(&self, column: i16) -> Option<&'row str> {
        // SAFETY: the database encoding is UTF8, which CREATE EXTENSION checks.
        self.bytes(column).map(|bytes| unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    /// A timestamptz column.
    pub fn time(&self, column: i16) -> Option<Timestamp> {
        self.datum(column).map(|datum| Timestamp(datum.value() as i64))
    }

    /// A boolean column, null being false.
    pub fn is_true(&self, column: i16) -> bool {
        self.datum(column).is_some_and(|datum| datum.value() != 0)
    }

    /// A bigint column.
    pub fn int(&self, column: i16) -> Option<i64> {
        self.datum(column).map(|datum| datum.value() as i64)
    }

    /// A ctid.
    pub fn tid(&self, column: i16) -> Option<Tid> {
        // SAFETY: a tid datum points to an ItemPointerData.
        self.datum(column).map(|datum| Tid(unsafe { *datum.cast_mut_ptr::<pg_sys::ItemPointerData>() }))
    }

    /// A uuid column.
    pub fn uuid(&self, column: i16) -> Option<Uuid> {
        // SAFETY: a uuid datum points to 16 bytes.
        self.datum(column).map(|datum| Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() }))
    }

    /// A jsonb column, copied to the caller's memory.
    pub fn json(&self, column: i16) -> Option<Jsonb> {
        self.datum(column).map(|datum| Jsonb(copied_to(self.memory, datum)))
    }

    /// An inet column, copied to the caller's memory.
    pub fn inet(&self, column: i16) -> Option<Inet> {
        self.datum(column).map(|datum| Inet(copied_to(self.memory, datum)))
    }
}
