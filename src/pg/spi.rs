//! SPI with kept plans, run with the rights of the tables' owner.
//!
//! pgrx's own client assigns a transaction id for every read and copies results into the
//! transaction's memory; this one does neither. Rows are read as the executor brings them, without
//! a table of copies, so a million calls in one transaction leave nothing behind.

use std::cell::Cell;
use std::ffi::CString;
use std::marker::PhantomData;
use std::thread::LocalKey;

use pgrx::pg_sys;

use super::owner::schema_and_owner;
use super::param::{Bound, Param};
use super::row::{Receiver, Row};

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
        let mut read = |slot| read(&Row::new(slot, self.memory));
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
