//! The launcher: connects to no database itself, but sends a visitor into one after the other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::warn_of_worker_limit;
use crate::pg::clock;
use crate::pg::wait::Wait;
use crate::pg::worker::{self, Database, Visit};
use crate::settings;

/// At most 64 intervals between two attempts to connect to a database that lets nobody in.
const MAX_DOUBLINGS: u32 = 6;

/// What the launcher remembers of a database.
struct DatabaseState {
    visited: Instant,
    /// Whether the next visit waits only for the other databases' turns, not for the interval.
    is_due_now: bool,
    /// The sweep so far, if it takes several visits.
    sweep: Visit,
    /// The failure that was logged last, so that it is not logged again; empty after a success.
    logged_failure: String,
    /// How many times in a row no connection was possible.
    refusals: u32,
}

impl DatabaseState {
    fn new() -> DatabaseState {
        DatabaseState {
            visited: Instant::now(),
            is_due_now: true,
            sweep: Visit::default(),
            logged_failure: String::new(),
            refusals: 0,
        }
    }

    fn due(&self, interval: Duration) -> Instant {
        match self.is_due_now {
            true => self.visited,
            false => self.visited + interval * (1 << self.refusals.min(MAX_DOUBLINGS)),
        }
    }

    /// Takes over the result of a visit and logs it.
    fn record(&mut self, database: &str, visit: &Visit) {
        self.refusals = if visit.connected { 0 } else { self.refusals + 1 };
        self.is_due_now = visit.unfinished;
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
        ticket: worker::current_visit().ticket,
        worker_limit_logged: false,
    };
    loop {
        worker::reload_if_pending();
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
    ticket: u32,
    /// Whether it has been logged that the server has no room for a worker.
    worker_limit_logged: bool,
}

impl Launcher {
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
            .filter_map(|database| Some((self.databases.get(&database.oid)?.due(interval), database)))
            .min_by_key(|(due, _)| *due);
        let Some((due, database)) = next else {
            return Some(interval);
        };
        let wait = due.saturating_duration_since(Instant::now());
        if wait > Duration::ZERO {
            // No longer than the interval, so that new databases are found.
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
        state.is_due_now = false;
        worker::publish_visit(Visit {
            ticket: self.ticket,
            connected: false,
            unfinished: false,
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
