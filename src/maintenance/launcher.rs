//! The launcher: holds no database, sends a visitor into one after the other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::warn_of_no_room;
use crate::pg::clock;
use crate::pg::worker::{self, Database, Visit};
use crate::settings;

/// At most 64 intervals between two attempts to enter a database that does not let anyone in.
const MOST_DOUBLINGS: u32 = 6;

/// What is known of a database.
struct Known {
    visited: Instant,
    /// Whether the next visit is due as soon as others have had theirs.
    at_once: bool,
    /// The sweep so far, where it takes several visits.
    sweep: Visit,
    /// What was logged last, so that it is not logged again.
    complaint: String,
    refusals: u32,
}

impl Known {
    fn new() -> Known {
        Known {
            visited: Instant::now(),
            at_once: true,
            sweep: Visit::default(),
            complaint: String::new(),
            refusals: 0,
        }
    }

    fn due(&self, interval: Duration) -> Instant {
        match self.at_once {
            true => self.visited,
            false => self.visited + interval * (1 << self.refusals.min(MOST_DOUBLINGS)),
        }
    }

    /// Takes in what came of a visit.
    fn welcome(&mut self, database: &str, visit: &Visit) {
        self.refusals = if visit.entered { 0 } else { self.refusals + 1 };
        self.at_once = visit.unfinished;
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
        if failure != self.complaint {
            self.complaint = failure.to_owned();
            if !failure.is_empty() {
                pgrx::warning!("sso_attr purge of database \"{database}\" failed: {failure}");
            }
        }
    }
}

/// Sweeps all databases for ever.
pub fn run() -> ! {
    worker::enter_none(c"sso_attr launcher");
    let mut launcher = Launcher { known: HashMap::new(), ticket: worker::announced().ticket, crowded: false };
    loop {
        worker::reload_if_asked();
        let pause = match settings::purge_interval() {
            Some(interval) => launcher.visit_next(interval),
            None => None,
        };
        if pause != Some(Duration::ZERO) {
            worker::show_idle(match pause {
                Some(_) => "waiting for the next sweep",
                None => "off: sso_attr.purge_interval is 0",
            });
            worker::wait(pause);
        }
    }
}

struct Launcher {
    known: HashMap<Oid, Known>,
    ticket: u32,
    /// Whether it was logged that there is no room for a worker.
    crowded: bool,
}

impl Launcher {
    /// Sends a visitor to the database that has waited longest, if that is due; returns how long
    /// to wait.
    fn visit_next(&mut self, interval: Duration) -> Option<Duration> {
        let databases = worker::databases();
        self.known.retain(|oid, _| databases.iter().any(|database| database.oid == *oid));
        for database in &databases {
            self.known.entry(database.oid).or_insert_with(Known::new);
        }
        let next = databases
            .iter()
            .filter_map(|database| Some((self.known.get(&database.oid)?.due(interval), database)))
            .min_by_key(|(due, _)| *due);
        let Some((due, database)) = next else {
            return Some(interval);
        };
        let wait = due.saturating_duration_since(Instant::now());
        if wait > Duration::ZERO {
            // New databases are to be found meanwhile.
            return Some(wait.min(interval));
        }
        self.visit(database);
        Some(Duration::ZERO)
    }

    fn visit(&mut self, database: &Database) {
        let Some(known) = self.known.get_mut(&database.oid) else { return };
        worker::show(&format!("sweeping database \"{}\"", database.name));
        self.ticket = self.ticket.wrapping_add(1);
        known.visited = Instant::now();
        known.at_once = false;
        worker::announce(Visit { ticket: self.ticket, entered: false, unfinished: false, ..known.sweep });
        if !worker::run("sso_attr purge", "sso_attr_visitor_main", database.oid, self.ticket) {
            if !std::mem::replace(&mut self.crowded, true) {
                warn_of_no_room(
                    "sso_attr cannot start a purge worker: all max_worker_processes are in use",
                    "It goes on trying and does not log this again until it has succeeded.",
                );
            }
            return;
        }
        self.crowded = false;
        known.welcome(&database.name, &worker::announced());
    }
}
