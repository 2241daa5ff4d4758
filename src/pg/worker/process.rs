//! Starting a worker, and what a worker does as a process.

use std::ffi::{CStr, CString, c_int};
use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus};
use pgrx::pg_sys;

use super::transaction::catch_error;
use super::visit;
use crate::pg::settings::override_setting;
use crate::pg::version;
use crate::pg::wait::Wait;

const LIBRARY: &str = "sso_attr";

/// Whether the library is being preloaded by a server that will run.
pub fn is_preloading() -> bool {
    // SAFETY: all are set before libraries are loaded and only read here.
    unsafe {
        pg_sys::process_shared_preload_libraries_in_progress
            && pg_sys::IsPostmasterEnvironment
            && !pg_sys::IsBinaryUpgrade
    }
}

/// Has a launcher started as soon as the server can be written to, and again whenever it ends. Returns
/// false if the server has no room for it. To be called while preloading only.
pub fn register(name: &str, function: &str, restart: Duration) -> bool {
    visit::reserve_memory();
    // SAFETY: preloading happens in the postmaster.
    let last_registered = || unsafe { version::last_registered_worker() };
    let before = last_registered();
    builder(name, function).set_restart_time(Some(restart)).load();
    last_registered() != before
}

/// Runs a worker for a visit and waits for its end. Returns false if the server has no room for one.
pub fn run_and_wait(name: &str, function: &str, database: pg_sys::Oid, ticket: u32) -> bool {
    let argument = u64::from(database.to_u32()) << 32 | u64::from(ticket);
    // SAFETY: set when the process started.
    let own_pid = unsafe { pg_sys::MyProcPid };
    let started =
        builder(name, function).set_argument(Some(argument.into())).set_notify_pid(own_pid).load_dynamic();
    let Ok(worker) = started else { return false };
    // It does not matter how the worker ends. Start and end wake this process up; if the postmaster has
    // died, the wait ends it.
    while matches!(worker.pid(), Ok(_) | Err(BackgroundWorkerStatus::NotYetStarted)) {
        wait(Wait::Visitor, None);
    }
    true
}

/// The database and the ticket that were given to [`run_and_wait`].
pub fn decode_argument(argument: pg_sys::Datum) -> (pg_sys::Oid, u32) {
    let argument = argument.value() as u64;
    (pg_sys::Oid::from((argument >> 32) as u32), argument as u32)
}

fn builder(name: &str, function: &str) -> BackgroundWorkerBuilder {
    BackgroundWorkerBuilder::new(name).set_library(LIBRARY).set_function(function).enable_spi_access()
}

/// Makes this process a worker that can read shared catalogs and holds no database. It ends at once
/// when it is told to, also within a statement.
pub fn connect_without_database(application: &CStr) {
    prepare(application);
    BackgroundWorker::connect_worker_to_spi(None, None);
}

/// As [`connect_without_database`], but connects to a database, with settings of its own whatever this
/// database has set. If somebody keeps others out, as DROP DATABASE does, this fails after a second.
pub fn connect(application: &CStr, database: pg_sys::Oid) -> Result<(), String> {
    const SETTINGS: &[(&CStr, &CStr)] = &[
        (c"search_path", c"pg_catalog, pg_temp"),
        // Nobody waits for a sweep, and the next one repeats what a crash loses of it.
        (c"synchronous_commit", c"off"),
        (c"lock_timeout", c"1s"),
        // If there is a deadlock nevertheless, the worker finds it first and gives way.
        (c"deadlock_timeout", c"10ms"),
        (c"default_transaction_isolation", c"read committed"),
        // Statistics do not yet show the rows of a burst: use indexes whatever they say.
        (c"enable_seqscan", c"off"),
        (c"enable_hashjoin", c"off"),
        (c"enable_mergejoin", c"off"),
        // With scans off, the scan of a small table without an index seems expensive enough for JIT.
        (c"jit", c"off"),
    ];
    prepare(application);
    for (name, value) in SETTINGS.iter().chain(version::WORKER_SETTINGS) {
        override_setting(name, value, pg_sys::GucContext::PGC_SUSET);
    }
    catch_error(|| BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None))
}

fn prepare(application: &CStr) {
    // SAFETY: a background worker starts with signals blocked, so that it can choose its handlers.
    unsafe {
        version::install_signal_handlers();
        pg_sys::BackgroundWorkerUnblockSignals();
    }
    override_setting(c"application_name", application, pg_sys::GucContext::PGC_USERSET);
}

/// Reads the configuration again if SIGHUP asked for it, and says whether it did.
pub fn reload_if_pending() -> bool {
    // SAFETY: the handler sets the flag; settings may change outside a transaction.
    unsafe {
        let is_pending = (&raw const pg_sys::ConfigReloadPending).read_volatile() != 0;
        if is_pending {
            (&raw mut pg_sys::ConfigReloadPending).write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
        is_pending
    }
}

/// Sleeps until the time has passed or something happens: a signal, the end of a worker.
pub fn wait(why: Wait, time: Option<Duration>) {
    let millis = time.map(|time| time.as_millis().clamp(1, i32::MAX as u128) as _);
    let timeout = if millis.is_some() { pg_sys::WL_TIMEOUT } else { 0 };
    // SAFETY: MyLatch is this process's own.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            (pg_sys::WL_LATCH_SET | pg_sys::WL_EXIT_ON_PM_DEATH | timeout) as c_int,
            millis.unwrap_or(-1),
            why.event(),
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pg_sys::check_for_interrupts!();
}

/// Shows in pg_stat_activity what this worker is doing.
pub fn report_running(activity: &str) {
    report(pg_sys::BackendState::STATE_RUNNING, activity);
}

/// Shows in pg_stat_activity what this worker is waiting for.
pub fn report_idle(activity: &str) {
    report(pg_sys::BackendState::STATE_IDLE, activity);
}

fn report(state: pg_sys::BackendState::Type, activity: &str) {
    let activity = CString::new(activity).unwrap_or_default();
    // SAFETY: the text is copied; the time is shown as the activity's start.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::pgstat_report_activity(state, activity.as_ptr());
    }
}
