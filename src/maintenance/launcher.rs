//! The launcher: connects to no database itself, but sends a visitor into one after the other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::warn_of_worker_limit;
use crate::pg::clock;
use crate::pg::wait::Wait;
use crate::pg::worker::{self, Database, Visit};
use crate::settings;
use crate::vault::{self, Stamp};

/// At most 64 intervals between two attempts to connect to a database that lets nobody in.
const MAX_DOUBLINGS: u32 = 6;

/// The longest time without a visit. By then one comes even where nothing was seen to be written: PostgreSQL
/// counts late what a connection wrote that did nothing else since, and knows nothing of settings.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// What the launcher remembers of a database.
struct DatabaseState {
    visited: Instant,
    /// What had been written before the last visit.
    writes: Option<i64>,
    /// How long after it nothing need be done, unless something is written.
    rest: Duration,
    /// Whether the next visit waits only for the other databases' turns, not for the interval.
    is_due_now: bool,
    /// The sweep so far, if it takes several visits.
    sweep: Visit,
    rekeyed_at: i64,
    /// Whether the last visit failed; what became of those before the launcher started is not known.
    failed: bool,
    /// The failure that was logged last, so that it is not logged again; empty after a success.
    logged_failure: String,
    /// How many times in a row no connection was possible.
    refusals: u32,
}

impl DatabaseState {
    fn new() -> DatabaseState {
        DatabaseState {
            visited: Instant::now(),
            writes: None,
            rest: Duration::ZERO,
            is_due_now: true,
            sweep: Visit::default(),
            rekeyed_at: 0,
            failed: true,
            logged_failure: String::new(),
            refusals: 0,
        }
    }

    fn due(&self, interval: Duration, writes: Option<i64>) -> Instant {
        if self.is_due_now {
            return self.visited;
        }
        let regular = interval * (1 << self.refusals.min(MAX_DOUBLINGS));
        let is_untouched = writes.is_some() && writes == self.writes;
        self.visited + if is_untouched { regular.max(self.rest) } else { regular }
    }

    /// Takes over the result of a visit and logs it.
    fn record(&mut self, database: &str, visit: &Visit) {
        self.refusals = if visit.connected { 0 } else { self.refusals + 1 };
        self.is_due_now = visit.unfinished;
        self.rekeyed_at = visit.rekeyed_at;
        self.failed = !visit.connected || !visit.failure.as_str().is_empty();
        if visit.unfinished {
            self.sweep = *visit;
            return;
        }
        self.sweep = Visit::default();
        let Visit { attributes, sessions, resealed, started_at, .. } = visit;
        let seconds = (clock::now().0 - started_at) as f64 / 1e6;
        if visit.removed() > 0 {
            pgrx::log!(
                "sso_attr purge of database \"{database}\": removed {attributes} attributes and \
                 {sessions} sessions in {seconds:.1} s"
            );
        }
        if *resealed > 0 {
            pgrx::log!(
                "sso_attr rekey of database \"{database}\": encrypted {resealed} values anew under the \
                 primary key in {seconds:.1} s"
            );
        }
        let failure = visit.failure.as_str();
        if !self.failed {
            let until = u64::try_from(visit.rest_until.saturating_sub(clock::now().0));
            self.rest = until.map_or(Duration::ZERO, Duration::from_micros).min(LONGEST_REST);
        }
        if failure != self.logged_failure {
            self.logged_failure = failure.to_owned();
            if !failure.is_empty() {
                pgrx::warning!("sso_attr purge of database \"{database}\" failed: {failure}");
            }
        }
    }
}

/// Visits all databases again and again.
pub fn run() -> ! {
    worker::connect_without_database(c"sso_attr launcher");
    let mut launcher = Launcher {
        databases: HashMap::new(),
        keyring: vault::file_stamp(),
        ticket: worker::current_visit().ticket,
        worker_limit_logged: false,
    };
    loop {
        let keyring = vault::file_stamp();
        let is_other_keyring = std::mem::replace(&mut launcher.keyring, keyring) != launcher.keyring;
        if worker::reload_if_pending() || is_other_keyring {
            launcher.end_rests();
        }
        let pause = match settings::purge_interval() {
            Some(interval) => launcher.visit_next(interval),
            None => None,
        };
        if pause != Some(Duration::ZERO) {
            worker::report_idle(match pause {
                Some(_) => "waiting for the next sweep",
                None => "off: sso_attr.purge_interval is 0",
            });
            worker::wait(Wait::Launcher, pause);
        }
    }
}

struct Launcher {
    databases: HashMap<Oid, DatabaseState>,
    /// The keyring file as it was seen last.
    keyring: Option<Stamp>,
    ticket: u32,
    /// Whether it has been logged that the server has no room for a worker.
    worker_limit_logged: bool,
}

impl Launcher {
    /// Lets no database wait for longer than the interval, after a change that can give work to all of them.
    fn end_rests(&mut self) {
        for database in self.databases.values_mut() {
            database.rest = Duration::ZERO;
        }
    }

    /// Sends a visitor to the database that is due first, if its time has come. Returns how long to
    /// wait.
    fn visit_next(&mut self, interval: Duration) -> Option<Duration> {
        let databases = worker::databases();
        self.databases.retain(|oid, _| databases.iter().any(|database| database.oid == *oid));
        for database in &databases {
            self.databases.entry(database.oid).or_insert_with(DatabaseState::new);
        }
        let next = databases
            .iter()
            .filter_map(|database| {
                Some((self.databases.get(&database.oid)?.due(interval, database.writes), database))
            })
            .min_by_key(|(due, _)| *due);
        let Some((due, database)) = next else {
            return Some(interval);
        };
        let wait = due.saturating_duration_since(Instant::now());
        if wait > Duration::ZERO {
            // No longer than the interval, so that new databases are found, and what is written.
            return Some(wait.min(interval));
        }
        self.visit(database);
        Some(Duration::ZERO)
    }

    fn visit(&mut self, database: &Database) {
        let Some(state) = self.databases.get_mut(&database.oid) else { return };
        worker::report_running(&format!("sweeping database \"{}\"", database.name));
        self.ticket = self.ticket.wrapping_add(1);
        state.visited = Instant::now();
        state.writes = database.writes;
        // Until the visit says otherwise, which may not come about.
        state.rest = Duration::ZERO;
        state.is_due_now = false;
        worker::publish_visit(Visit {
            ticket: self.ticket,
            connected: false,
            unfinished: false,
            failed_before: state.failed,
            rekeyed_at: state.rekeyed_at,
            ..state.sweep
        });
        if !worker::run_and_wait("sso_attr purge", "sso_attr_visitor_main", database.oid, self.ticket) {
            if !std::mem::replace(&mut self.worker_limit_logged, true) {
                warn_of_worker_limit(
                    "sso_attr cannot start a purge worker: all max_worker_processes are in use",
                    "It goes on trying and does not log this again until it has succeeded.",
                );
            }
            return;
        }
        self.worker_limit_logged = false;
        state.record(&database.name, &worker::current_visit());
    }
}
