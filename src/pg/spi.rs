//! SPI with kept plans, run with the rights of the tables' owner.
//!
//! pgrx's own client assigns a transaction id for every read and copies results into the
//! transaction's memory; this one does neither. Rows are read as the executor brings them, without
//! a table of copies, so a million calls in one transaction leave nothing behind.

use std::cell::Cell;
use std::marker::PhantomData;
use std::thread::LocalKey;

use pgrx::{pg_guard, pg_sys};
use sso_attr_core::Error;

use super::citus::{self, Legible};
use super::owner::schema_and_owner;
use super::planner::{Closed, Way};
use super::report::raise;
use super::statement::{Bound, Columns, Params, Statement, check_columns};
use super::tables::Tables;
use super::transaction;

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
    /// Where everything that is read or made goes.
    memory: pg_sys::MemoryContext,
    tables: Cell<Tables>,
    closed: Closed,
    /// In a cluster; kept for its Drop.
    _legible: Option<Legible>,
    thread: PhantomData<*mut ()>,
}

/// Runs `work` as the owner of the schema sso_attr.
///
/// This is what SECURITY DEFINER does, without the cost of its SET clause. No user code can run in
/// between: statements are fully qualified, and what a caller can define (casts, operators, functions)
/// is never looked up. The owner's code can, in triggers; it is restricted as in a security-restricted
/// operation, so that it cannot defer anything to a time when the caller's rights are back.
///
/// What it reads or makes lies in the memory of the call.
pub fn as_owner<T>(access: Access, work: impl FnOnce(&Db) -> T) -> T {
    // SAFETY: the memory of the call outlives it.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    work(&Db::open(access, Some(memory)))
}

/// As [`as_owner`], for one of many batches of a call: what it reads or makes is gone when it ends. So
/// the result must be `Send`, as nothing is that lies in PostgreSQL's memory.
pub fn batch_as_owner<T: Send + 'static>(access: Access, work: impl FnOnce(&Db) -> T) -> T {
    work(&Db::open(access, None))
}

// Declared here since neither raises an ERROR: they need no guard like the one that pgrx puts around
// every call, which costs more than they do.
unsafe extern "C-unwind" {
    fn GetUserIdAndSecContext(user: *mut pg_sys::Oid, security_context: *mut i32);
    fn SetUserIdAndSecContext(user: pg_sys::Oid, security_context: i32);
}

impl Db {
    fn open(access: Access, memory: Option<pg_sys::MemoryContext>) -> Db {
        const RESTRICTED: u32 = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
        let mut caller = pg_sys::InvalidOid;
        let mut security_context = 0;
        if !transaction::is_in_statement() {
            pgrx::error!("sso_attr was called outside a statement");
        }
        // SAFETY: we are inside a transaction. Should an ERROR leave early, transaction or subtransaction
        // abort restores user and SPI stack.
        unsafe {
            let (schema, owner) = schema_and_owner();
            pg_sys::SPI_connect();
            let memory = memory.unwrap_or(pg_sys::CurrentMemoryContext);
            pg_sys::MemoryContextSwitchTo(memory);
            GetUserIdAndSecContext(&mut caller, &mut security_context);
            SetUserIdAndSecContext(owner, security_context | RESTRICTED as i32);
            let closed = Closed::for_statements();
            let tables = Cell::new(Tables::Whole);
            let _legible = citus::is_loaded().then(Legible::make);
            Db {
                access,
                schema,
                caller,
                security_context,
                memory,
                tables,
                closed,
                _legible,
                thread: PhantomData,
            }
        }
    }

    /// What tells one installation of the extension from the next in the same database.
    pub fn installation(&self) -> u32 {
        self.schema.to_u32()
    }

    /// Runs `work` with all its statements on these tables. An ERROR ends the connection, so nothing has to
    /// be put back then.
    pub fn on<T>(&self, tables: Tables, work: impl FnOnce() -> T) -> T {
        let former = self.tables.replace(tables);
        let result = work();
        self.tables.set(former);
        result
    }

    /// Runs a statement and counts the rows that it returned or changed.
    pub fn run<P: Params, C: Columns>(
        &self,
        statement: &'static LocalKey<Statement<P, C>>,
        params: P::Values<'_>,
    ) -> u64 {
        self.execute(statement, params, ALL, |_| ())
    }

    /// What `read` makes of the first row that a statement returns; no other is looked for.
    pub fn one<P: Params, C: Columns, T>(
        &self,
        statement: &'static LocalKey<Statement<P, C>>,
        params: P::Values<'_>,
        mut read: impl FnMut(C::Row<'_>) -> T,
    ) -> Option<T> {
        let mut found = None;
        self.execute(statement, params, 1, |row| found = Some(read(row)));
        found
    }

    /// What `read` makes of the rows that a statement returns.
    pub fn all<P: Params, C: Columns, T>(
        &self,
        statement: &'static LocalKey<Statement<P, C>>,
        params: P::Values<'_>,
        mut read: impl FnMut(C::Row<'_>) -> T,
    ) -> Vec<T> {
        let mut found = Vec::new();
        self.execute(statement, params, ALL, |row| {
            if found.try_reserve(1).is_err() {
                // SAFETY: the memory of the call is there. The executor's has no room for the error.
                unsafe { pg_sys::MemoryContextSwitchTo(self.memory) };
                raise(Error::OutOfMemory);
            }
            found.push(read(row));
        });
        found
    }

    fn execute<P: Params, C: Columns>(
        &self,
        statement: &'static LocalKey<Statement<P, C>>,
        params: P::Values<'_>,
        limit: u64,
        mut read: impl FnMut(C::Row<'_>),
    ) -> u64 {
        #[cfg(feature = "delays")]
        super::delay::before_statement();
        let memory = self.memory;
        // SAFETY: the executor fills the slot with the columns that `start` has checked.
        let mut read = |slot| read(unsafe { C::read(slot, memory) });
        let mut receiver = Receiver::new(C::OIDS, &mut read);
        statement.with(|statement| {
            let mut bound = P::bind(params);
            if statement.way != Way::Index {
                self.closed.go(statement.way);
            }
            // SAFETY: SPI is connected; the plan takes parameters of these types. Receiver and
            // parameters outlive the execution.
            unsafe {
                let options = pg_sys::SPIExecuteOptions {
                    params: bound.list(),
                    read_only: self.access == Access::Read,
                    tcount: limit,
                    dest: (&raw mut receiver).cast(),
                    ..Default::default()
                };
                let code = pg_sys::SPI_execute_plan_extended(statement.plan(self.tables.get()), &options);
                // SPI has made its own memory the current one.
                pg_sys::MemoryContextSwitchTo(memory);
                if code < 0 {
                    statement.fail(code);
                }
                if statement.way != Way::Index {
                    self.closed.go(Way::Index);
                }
                pg_sys::SPI_processed
            }
        })
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

/// Takes a statement's rows one by one, as the executor brings them.
#[repr(C)]
struct Receiver<'a> {
    /// What PostgreSQL sees of it.
    interface: pg_sys::DestReceiver,
    types: &'static [pg_sys::Oid],
    read: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot),
}

impl<'a> Receiver<'a> {
    fn new(types: &'static [pg_sys::Oid], read: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot)) -> Self {
        let interface = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(start),
            rShutdown: Some(ignore),
            rDestroy: Some(ignore),
            mydest: pg_sys::CommandDest::DestNone,
        };
        Receiver { interface, types, read }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn start(
    receiver: *mut pg_sys::DestReceiver,
    _operation: i32,
    columns: pg_sys::TupleDesc,
) {
    // SAFETY: the executor hands back the receiver that `execute` gave it, and what it will bring.
    unsafe { check_columns(columns, (*receiver.cast::<Receiver<'_>>()).types) };
}

#[pg_guard]
unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: as for `start`, with a filled slot.
    unsafe { ((*receiver.cast::<Receiver<'_>>()).read)(slot) };
    true
}

unsafe extern "C-unwind" fn ignore(_: *mut pg_sys::DestReceiver) {}
