//! The one path of every call: one instant, the proof of the session, the outcome.

use sso_attr_core::error::Names;
use sso_attr_core::expiry::{Timestamp, Ttl};
use sso_attr_core::token::Claim;
use sso_attr_core::{Error, Result};

use crate::lifetime;
use crate::pg::clock;
use crate::pg::report::{Answer, report};
use crate::pg::spi::{Access, Db, as_owner};
use crate::pg::text::Text;
use crate::protection::{self, Item};
use crate::store::attribute::Attributes;
use crate::store::session::{self, Found};
use crate::vault;

/// A call that has begun.
pub struct Call {
    /// The call's one now: what it writes after waiting for a lock bears it too.
    pub now: Timestamp,
}

/// Runs an SQL function and turns a failure into the ERROR that the caller sees. Arguments are decoded
/// in `work`, before it asks for a session.
pub fn call<T>(work: impl FnOnce(&Call) -> Result<T>) -> Answer<T> {
    work(&Call { now: clock::now() }).map_err(report)
}

/// A live session whose token was presented.
pub struct Session<'db> {
    pub attributes: Attributes<'db>,
    pub claim: Claim,
    pub found: Found,
}

impl Call {
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
    /// has to be fetched, which can take seconds, is fetched before; a failure is told when it is used.
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
        let claim = claim(ust)?;
        as_owner(access, |db| {
            let found = live(find(db, &claim), self.now)?;
            work(&Session { attributes: Attributes::new(db, found.id, self.now), claim, found })
        })
    }
}

impl Session<'_> {
    pub fn db(&self) -> &Db {
        self.attributes.db()
    }

    /// That nothing was found means what it says only in a session that is still live: one that ended
    /// meanwhile took its attributes along, and that is what the caller must hear.
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

/// What a presented token claims; no token and malformed ones are sessions that are not live.
pub fn claim(ust: Option<Text<'_>>) -> Result<Claim> {
    ust.and_then(|ust| Claim::parse(&ust)).ok_or(Error::SessionNotLive)
}

/// An expiration argument before it is counted from now.
pub fn ttl(expiration: Option<f64>) -> Result<Option<Ttl>> {
    expiration.map(Ttl::from_seconds).transpose()
}
