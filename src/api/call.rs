//! The one path of every call: one instant, the proof of the session, the outcome, the audit.

use std::cell::RefCell;

use sso_attr_core::audit::Line;
use sso_attr_core::error::Names;
use sso_attr_core::expiry::{Timestamp, Ttl};
use sso_attr_core::token::Claim;
use sso_attr_core::{Error, Result};

use crate::lifetime;
use crate::pg::report::{Answer, report};
use crate::pg::reserve;
use crate::pg::spi::{Access, Db, as_owner};
use crate::pg::text::Text;
use crate::pg::{clock, log, role};
use crate::protection::{self, Item};
use crate::settings::{self, Audit};
use crate::store::attribute::Attributes;
use crate::store::session::{self, Found, Shown};
use crate::vault;

/// A call that has begun.
pub struct Call {
    /// The call's one now: what it writes after waiting for a lock bears it too.
    pub now: Timestamp,
    /// What the audit is to say of it, if anything.
    line: Option<RefCell<Line>>,
}

/// Runs the SQL function `verb`, which changes something, and turns a failure into the ERROR that the
/// caller sees. Arguments are decoded in `work`, before it asks for a session.
pub fn changing<T>(verb: &'static str, work: impl FnOnce(&Call) -> Result<T>) -> Answer<T> {
    call(verb, Audit::Changes, work)
}

/// As [`changing`], for a function that only reads.
pub fn reading<T>(verb: &'static str, work: impl FnOnce(&Call) -> Result<T>) -> Answer<T> {
    call(verb, Audit::All, work)
}

fn call<T>(verb: &'static str, audited_at: Audit, work: impl FnOnce(&Call) -> Result<T>) -> Answer<T> {
    let now = clock::now();
    let is_audited = settings::audit() >= audited_at;
    let call = Call { now, line: is_audited.then(|| RefCell::new(Line::new(verb, now))) };
    let result = reserve::kept(|| work(&call));
    if let Some(line) = call.line {
        write_line(line.into_inner(), result.as_ref().err());
    }
    result.map_err(report)
}

/// Names the caller's role, whatever ran as another one meanwhile.
#[cold]
fn write_line(line: Line, failure: Option<&Error>) {
    let line = line.finish(failure.map(Error::sqlstate), &role::current(), &role::session());
    log::server_only(&format!("sso_attr audit: {line}"));
}

/// A live session whose token was presented.
pub struct Session<'db> {
    pub attributes: Attributes<'db>,
    pub claim: Claim,
    pub found: Found,
}

impl Call {
    /// Lets the audit know something about the call. `note` may not call PostgreSQL.
    pub fn audit(&self, note: impl FnOnce(&mut Line)) {
        if let Some(line) = &self.line {
            note(&mut line.borrow_mut());
        }
    }

    /// What a presented token claims; a missing or malformed one counts as a session that is not live.
    pub fn claim(&self, ust: Option<Text<'_>>) -> Result<Claim> {
        let claim = claim(ust);
        self.audit(|line| match &claim {
            // An adopted token's id is derived from its text, which may be anything that a caller presents.
            Ok(claim) if !claim.is_adopted => line.claimed(claim.id),
            Ok(_) => {}
            Err(_) => line.refused("not a token"),
        });
        claim
    }

    /// The session whose token was presented, if it is live.
    fn proven(&self, db: &Db, found: Option<Found>) -> Result<Found> {
        if self.line.is_some() {
            self.note_proof(found.and_then(|found| session::show(db, found.id)).as_ref());
        }
        live(found, self.now)
    }

    /// Lets the audit know whose token was presented; `None` is nobody's.
    pub fn note_proof(&self, shown: Option<&Shown>) {
        self.audit(|line| match shown {
            None => line.refused("unknown token"),
            Some(shown) => {
                line.session(shown.id, shown.user_id.as_deref(), shown.current_app.as_deref());
                if lifetime::capped(shown.created_at, shown.expires_at).is_over(self.now) {
                    line.refused("session is over");
                }
            }
        });
    }

    /// An expiration argument: seconds from now, Infinity for never, NULL for not given.
    pub fn expires_at(&self, expiration: Option<f64>) -> Result<Option<Timestamp>> {
        ttl(expiration)?.map(|ttl| ttl.expires_at(self.now)).transpose()
    }

    /// Reads in the session that `ust` proves.
    pub fn read<T>(&self, ust: Option<Text<'_>>, work: impl FnOnce(&Session<'_>) -> Result<T>) -> Result<T> {
        self.on_session(Access::Read, ust, session::find, work)
    }

    /// Changes what is there in the session that `ust` proves.
    pub fn write<T>(&self, ust: Option<Text<'_>>, work: impl FnOnce(&Session<'_>) -> Result<T>) -> Result<T> {
        self.on_session(Access::Write, ust, session::find, work)
    }

    /// As [`Call::write`], for verbs that insert rows: the session's row stays meanwhile. A keyring that
    /// has to be fetched, which can take seconds, is fetched first; a failure is reported when it is used.
    pub fn insert<T>(
        &self,
        ust: Option<Text<'_>>,
        items: &[Item<'_>],
        work: impl FnOnce(&Session<'_>) -> Result<T>,
    ) -> Result<T> {
        if vault::is_fetch_due()
            && self.read(ust, |session| protection::needs_key(&session.attributes, items))?
        {
            let _ = vault::keyring();
        }
        self.on_session(Access::Write, ust, session::find_for_insert, work)
    }

    fn on_session<T>(
        &self,
        access: Access,
        ust: Option<Text<'_>>,
        find: impl FnOnce(&Db, &Claim) -> Option<Found>,
        work: impl FnOnce(&Session<'_>) -> Result<T>,
    ) -> Result<T> {
        let claim = self.claim(ust)?;
        as_owner(access, |db| {
            let found = self.proven(db, find(db, &claim))?;
            work(&Session { attributes: Attributes::new(db, found.id, self.now), claim, found })
        })
    }
}

impl Session<'_> {
    pub fn db(&self) -> &Db {
        self.attributes.db()
    }

    /// That nothing was found means what it says only in a session that is still live: one that ended
    /// meanwhile took its attributes along, and that is what the caller must be told.
    pub fn still_live(&self, found: bool) -> Result<()> {
        if found {
            return Ok(());
        }
        live(session::find(self.db(), &self.claim), clock::now()).map(|_| ())
    }

    /// Fails for a name that is not there, unless the session is over.
    pub fn all_there(&self, missing: Names) -> Result<()> {
        if missing.is_empty() {
            return Ok(());
        }
        self.still_live(false)?;
        Err(Error::AttributeMissing(missing))
    }

    /// As [`Session::all_there`], for one name.
    pub fn is_there(&self, name: &str, found: bool) -> Result<()> {
        if found { Ok(()) } else { self.all_there([name].into_iter().collect()) }
    }
}

/// The session that was found, if it is live at that instant.
pub fn live(found: Option<Found>, now: Timestamp) -> Result<Found> {
    found
        .filter(|session| !lifetime::capped(session.created_at, session.expires_at).is_over(now))
        .ok_or(Error::SessionNotLive)
}

/// As [`Call::claim`], of a session that the call is not about.
pub fn claim(ust: Option<Text<'_>>) -> Result<Claim> {
    ust.and_then(|ust| Claim::parse(&ust)).ok_or(Error::SessionNotLive)
}

/// An expiration argument before it is counted from now.
pub fn ttl(expiration: Option<f64>) -> Result<Option<Ttl>> {
    expiration.map(Ttl::from_seconds).transpose()
}
