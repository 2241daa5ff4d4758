//! Background workers: being one, starting one, and what two of them tell each other.

use std::ffi::{CStr, c_int, c_void};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder};
use pgrx::pg_sys::panic::CaughtError;
use pgrx::shmem::PGRXSharedMemory;
use pgrx::{PgLwLock, PgTryBuilder, pg_guard, pg_shmem_init, pg_sys};
use sso_attr_core::name::MAX_CHARS;

unsafe extern "C-unwind" {
    // pgrx's bindings wrap these in Rust functions, which cannot be installed as handlers.
    fn die(signal: c_int);
    #[link_name = "SignalHandlerForConfigReload"]
    fn reload(signal: c_int);
}

unsafe extern "C" {
    // In no binding of pgrx's.
    static BackgroundWorkerList: *mut c_void;
}

const LIBRARY: &str = "sso_attr";

/// What launcher and visitor tell each other about one visit to one database.
#[derive(Clone, Copy, Default)]
pub struct Visit {
    /// Tells this visit from one that an earlier launcher left behind.
    pub ticket: u32,
    /// Whether the visitor got into the database; the server itself logs why it did not.
    pub entered: bool,
    /// Whether there is more to remove.
    pub unfinished: bool,
    /// When the sweep began, which can take several visits; 0 where none is under way.
    pub started_at: i64,
    pub attributes: u64,
    pub sessions: u64,
    /// Values encrypted anew under the primary key.
    pub resealed: u64,
    /// What a pass of that has come to; `None` where none is under way.
    pub rekeying: Option<Mark>,
    pub failure: Line<500>,
}

impl Visit {
    /// Rows that the sweep has removed so far.
    pub fn removed(&self) -> u64 {
        self.attributes + self.sessions
    }
}

// SAFETY: plain numbers and bytes, no pointers: valid in every process.
unsafe impl PGRXSharedMemory for Visit {}

/// An attribute, by the primary key of its table.
#[derive(Clone, Copy)]
pub struct Mark {
    pub session: [u8; 16],
    pub name: Line<{ 4 * MAX_CHARS }>,
}

/// A text of bounded length, which fits into shared memory; what is longer is cut.
#[derive(Clone, Copy)]
pub struct Line<const N: usize> {
    length: usize,
    bytes: [u8; N],
}

impl<const N: usize> Default for Line<N> {
    fn default() -> Self {
        Line { length: 0, bytes: [0; N] }
    }
}

impl<const N: usize> From<&str> for Line<N> {
    fn from(text: &str) -> Self {
        let mut line = Line::default();
        let fits = text.floor_char_boundary(line.bytes.len());
        line.bytes[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        line.length = fits;
        line
    }
}

impl<const N: usize> Line<N> {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

// SAFETY: no other lock of this library has that name.
static VISIT: PgLwLock<Visit> = unsafe { PgLwLock::new(c"sso_attr_visit") };

/// Announces a visit, the last one being over.
pub fn announce(visit: Visit) {
    *VISIT.exclusive() = visit;
}

/// The visit as it stands.
pub fn announced() -> Visit {
    *VISIT.share()
}

/// Notes what happened on a visit, unless the launcher has moved on to another one.
pub fn note(ticket: u32, change: impl FnOnce(&mut Visit)) {
    let mut visit = VISIT.exclusive();
    if visit.ticket == ticket {
        change(&mut visit);
    }
}

/// Whether the library is being preloaded by a server that will run.
pub fn is_preloading() -> bool {
    // SAFETY: all are set before libraries are loaded and only read here.
    unsafe {
        pg_sys::process_shared_preload_libraries_in_progress
            && pg_sys::IsPostmasterEnvironment
            && !pg_sys::IsBinaryUpgrade
    }
}

/// Has a launcher started as soon as the server can be written to, and again whenever it ends; false
/// where the server has no room for it. To be called while preloading only.
#[allow(unexpected_cfgs, reason = "the macro asks for releases of PostgreSQL that are not supported here")]
pub fn register(name: &str, function: &str, restart: Duration) -> bool {
    pg_shmem_init!(VISIT);
    let before = last_registered();
    builder(name, function).set_restart_time(Some(restart)).load();
    last_registered() != before
}

/// The worker that was registered last. PostgreSQL does not tell whether it has taken one in.
fn last_registered() -> *mut c_void {
    // The head of a list: one link up to release 17, two since, the second leading to its first member.
    const FIRST: usize = if cfg!(feature = "pg18") { 1 } else { 0 };
    // SAFETY: the postmaster, which this is, has the list to itself; only the pointer is looked at.
    unsafe { (&raw const BackgroundWorkerList).cast::<*mut c_void>().add(FIRST).read() }
}

/// Runs a worker for a visit and waits for its end; false where the server has no room for one.
pub fn run(name: &str, function: &str, database: pg_sys::Oid, ticket: u32) -> bool {
    let argument = u64::from(database.to_u32()) << 32 | u64::from(ticket);
    // SAFETY: set when the process started.
    let own_pid = unsafe { pg_sys::MyProcPid };
    let started =
        builder(name, function).set_argument(Some(argument.into())).set_notify_pid(own_pid).load_dynamic();
    // The end is awaited whatever it is; of the postmaster's death the next wait makes an end.
    started.map(|worker| worker.wait_for_shutdown()).is_ok()
}

/// The database and the ticket that [`run`] was given.
pub fn argument(argument: pg_sys::Datum) -> (pg_sys::Oid, u32) {
    let argument = argument.value() as u64;
    (pg_sys::Oid::from((argument >> 32) as u32), argument as u32)
}

fn builder(name: &str, function: &str) -> BackgroundWorkerBuilder {
    BackgroundWorkerBuilder::new(name).set_library(LIBRARY).set_function(function).enable_spi_access()
}

/// Makes this worker end at once when it is told to, also within a statement, and reload when the
/// settings have changed. Shared catalogs can be read, no database is held.
pub fn enter_none(application: &CStr) {
    prepare(application);
    BackgroundWorker::connect_worker_to_spi(None, None);
}

/// As [`enter_none`], but enters a database, with the server's own settings whatever this database
/// has been given. Where somebody keeps it closed, as DROP DATABASE does, this fails after a second.
pub fn enter(application: &CStr, database: pg_sys::Oid) -> Result<(), String> {
    prepare(application);
    for (name, value) in [
        (c"search_path", c"pg_catalog, pg_temp"),
        // Nobody waits for a sweep, and what a crash loses of it the next one repeats.
        (c"synchronous_commit", c"off"),
        (c"lock_timeout", c"1s"),
        // Should there be a deadlock nevertheless, it is the worker that finds it and gives way.
        (c"deadlock_timeout", c"10ms"),
        (c"default_transaction_isolation", c"read committed"),
        // What a burst leaves to remove is in no statistics yet: the way is by index, whatever they say.
        (c"enable_seqscan", c"off"),
        (c"enable_hashjoin", c"off"),
        (c"enable_mergejoin", c"off"),
        // With scans off, the scan of a small table that has no index counts as dear enough for JIT.
        (c"jit", c"off"),
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        (c"transaction_timeout", c"0"),
    ] {
        // SAFETY: names and values are static and valid; autovacuum's workers do the same.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
    caught(|| BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None))
}

fn prepare(application: &CStr) {
    // SAFETY: the handlers are the server's own and do what a handler may; a background worker
    // starts with signals blocked so that it can choose them.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        use pg_sys::pqsignal;
        #[cfg(feature = "pg18")]
        use pg_sys::pqsignal_be as pqsignal;
        pqsignal(pg_sys::SIGTERM as c_int, Some(die));
        pqsignal(pg_sys::SIGHUP as c_int, Some(reload));
        pg_sys::BackgroundWorkerUnblockSignals();
        pg_sys::SetConfigOption(
            c"application_name".as_ptr(),
            application.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        );
    }
}

/// Reads the settings again if that was asked for.
pub fn reload_if_asked() {
    // SAFETY: the handler sets the flag; outside a transaction settings may change.
    unsafe {
        if (&raw const pg_sys::ConfigReloadPending).read_volatile() != 0 {
            (&raw mut pg_sys::ConfigReloadPending).write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Sleeps until the time is over, or something happens: a signal, a worker's end.
pub fn wait(time: Option<Duration>) {
    let millis = time.map(|time| time.as_millis().clamp(1, i32::MAX as u128) as _);
    let timeout = if millis.is_some() { pg_sys::WL_TIMEOUT } else { 0 };
    // SAFETY: MyLatch is this process's own.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            (pg_sys::WL_LATCH_SET | pg_sys::WL_EXIT_ON_PM_DEATH | timeout) as c_int,
            millis.unwrap_or(-1),
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pg_sys::check_for_interrupts!();
}

/// What pg_stat_activity shows this worker to be doing.
pub fn show(activity: &str) {
    report(pg_sys::BackendState::STATE_RUNNING, activity);
}

/// As [`show`], for one that waits.
pub fn show_idle(activity: &str) {
    report(pg_sys::BackendState::STATE_IDLE, activity);
}

fn report(state: pg_sys::BackendState::Type, activity: &str) {
    let activity = std::ffi::CString::new(activity).unwrap_or_default();
    // SAFETY: the text is copied; the time is shown as the activity's start.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::pgstat_report_activity(state, activity.as_ptr());
    }
}

/// Runs `work` in a transaction of its own; an ERROR rolls it back and gives its message.
pub fn transaction<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    caught(|| {
        // SAFETY: a worker between transactions; an ERROR is handled by `caught`.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let result = work();
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
            result
        }
    })
}

/// Stands in for the error handling at the top of a session: nothing of the failed transaction is
/// left, so the process may go on.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| {
            // SAFETY: ends whatever transaction is open, with its locks, snapshots and memory.
            unsafe { pg_sys::AbortOutOfAnyTransaction() };
            let (CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic { ereport: report, .. }) = error;
            Err(report.message().to_owned())
        })
        .execute()
}

/// Whether this database has the extension, which then stays until the transaction is over. Whoever
/// drops it waits before it has locked any table, so the two cannot deadlock.
pub fn hold_extension() -> bool {
    let find = || {
        // SAFETY: a catalog look-up by a static name within a transaction.
        unsafe { pg_sys::get_extension_oid(c"sso_attr".as_ptr(), true) }
    };
    let extension = find();
    if extension == pg_sys::InvalidOid {
        return false;
    }
    // SAFETY: locks any object's identity; the look-up afterwards tells whether it is still there.
    unsafe {
        pg_sys::LockDatabaseObject(
            pg_sys::ExtensionRelationId,
            extension,
            0,
            pg_sys::AccessShareLock as pg_sys::LOCKMODE,
        );
    }
    find() == extension
}

/// A database that can be visited.
pub struct Database {
    pub oid: pg_sys::Oid,
    pub name: String,
}

/// The databases that allow connections. Templates are left alone: nobody's sessions are there,
/// and a visitor would be in the way of CREATE DATABASE.
pub fn databases() -> Vec<Database> {
    let mut databases = Vec::new();
    // SAFETY: pg_database is a shared catalog, readable without a database; its rows' fixed part
    // is FormData_pg_database. The scan ends before the transaction does.
    unsafe {
        pg_sys::StartTransactionCommand();
        let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as _);
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let row = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            // A DROP DATABASE that was interrupted leaves a limit of -2.
            if row.datallowconn && !row.datistemplate && row.datconnlimit != -2 {
                let name = CStr::from_ptr(row.datname.data.as_ptr()).to_string_lossy().into_owned();
                databases.push(Database { oid: row.oid, name });
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as _);
        pg_sys::CommitTransactionCommand();
    }
    databases
}
