//! Instants that are known as well as a client can know them, and when something is over.

use super::answer::ARGUMENT;
use super::arguments::checked;
use super::call::{Deadline, Ttl};

/// An instant that is known to lie between two readings of the clock, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window(pub i64, pub i64);

impl Window {
    pub fn plus(self, micros: i64) -> Window {
        Window(self.0 + micros, self.1 + micros)
    }

    pub fn earlier(self, other: Window) -> Window {
        Window(self.0.min(other.0), self.1.min(other.1))
    }

    pub fn or(self, other: Window) -> Window {
        Window(self.0.min(other.0), self.1.max(other.1))
    }

    pub fn holds(self, micros: i64) -> bool {
        self.0 <= micros && micros <= self.1
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    Over,
    At(Window),
    Never,
}

/// `sso_attr.session_max_lifetime`.
pub const CAP: i64 = 30 * 86_400_000_000;

pub const DEFAULT_TTL: Ttl = Ttl::Micros(3_600_000_000);

pub fn end_of(ttl: Ttl, at: Window) -> End {
    match ttl {
        Ttl::Micros(micros) => End::At(at.plus(micros)),
        Ttl::Instant => End::Over,
        Ttl::None | Ttl::Never | Ttl::Bad => End::Never,
    }
}

pub fn capped(end: End, created: Window) -> End {
    let cap = created.plus(CAP);
    match end {
        End::Over => End::Over,
        End::At(window) => End::At(window.earlier(cap)),
        End::Never => End::At(cap),
    }
}

pub type EndAndIdle = (End, Option<Window>);

pub fn after(ttl: Ttl, at: Window) -> Result<EndAndIdle, &'static str> {
    match checked(ttl)? {
        Ttl::Micros(micros) => Ok((end_of(ttl, at), Some(Window(micros, micros)))),
        Ttl::Instant => Ok((End::Over, Some(Window(1, 1)))),
        _ => Ok((End::Never, None)),
    }
}

pub fn ends(deadline: Deadline, at: Window) -> Result<Option<EndAndIdle>, &'static str> {
    match deadline {
        Deadline::In((_, _, Ttl::None)) => Ok(None),
        Deadline::In((_, _, ttl)) => after(ttl, at).map(Some),
        Deadline::At(seconds) if seconds < 0 => Ok(Some((End::Over, Some(Window(0, 0))))),
        Deadline::At(seconds) => {
            let micros = seconds * 1_000_000;
            Ok(Some((End::At(at.plus(micros)), Some(Window(micros - (at.1 - at.0), micros)))))
        }
        Deadline::Both => Err(ARGUMENT),
    }
}
