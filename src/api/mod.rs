//! Every SQL function: decode the arguments, call, encode the result.
//!
//! No function is STRICT: what a NULL means is part of each one's contract.

use sso_attr_core::expiry::{Timestamp, Ttl};
use sso_attr_core::token::Claim;
use sso_attr_core::{Error, Result};

use crate::error::{Answer, report};
use crate::pg::clock;
use crate::pg::spi::{Access, Db, as_owner};
use crate::store::session::{self, Live};

mod attributes;
mod batches;
mod keys;
mod operator;
mod sessions;
mod value;

/// Turns a failure into the ERROR that the caller sees.
fn answer<T>(work: impl FnOnce() -> Result<T>) -> Answer<T> {
    work().map_err(report)
}

/// A call on one live session: its connection, its proof, its one now.
struct Call<'db> {
    db: &'db Db,
    session: Live,
    claim: Claim,
    now: Timestamp,
}

impl Call<'_> {
    /// An error that is only true while the session is live: a session that ended meanwhile took
    /// its attributes along, and that is what the caller must hear.
    fn unless_ended(&self, error: Error) -> Error {
        self.still_live(false).err().unwrap_or(error)
    }

    /// That nothing was found means what it says only in a session that is still live.
    fn still_live(&self, found: bool) -> Result<()> {
        if found {
            return Ok(());
        }
        session::live(self.db, &self.claim, clock::now()).map(|_| ())
    }
}

/// Runs `work` on the session that `ust` proves.
fn on_session<T>(access: Access, ust: Option<&str>, work: impl FnOnce(&Call<'_>) -> Result<T>) -> Result<T> {
    call(access, ust, session::live, work)
}

/// As [`on_session`], for verbs that insert rows: the session cannot be ended meanwhile.
fn inserting<T>(ust: Option<&str>, work: impl FnOnce(&Call<'_>) -> Result<T>) -> Result<T> {
    call(Access::Write, ust, session::live_for_insert, work)
}

fn call<T>(
    access: Access,
    ust: Option<&str>,
    probe: impl FnOnce(&Db, &Claim, Timestamp) -> Result<Live>,
    work: impl FnOnce(&Call<'_>) -> Result<T>,
) -> Result<T> {
    let claim = claim(ust)?;
    let now = clock::now();
    as_owner(access, |db| {
        let session = probe(db, &claim, now)?;
        work(&Call { db, session, claim, now })
    })
}

/// What a presented token claims; no token and malformed ones are sessions that are not live.
fn claim(ust: Option<&str>) -> Result<Claim> {
    ust.and_then(Claim::parse).ok_or(Error::SessionNotLive)
}

/// An expiration argument: seconds from now, Infinity for never, NULL for not given.
fn ttl(expiration: Option<f64>) -> Result<Option<Ttl>> {
    expiration.map(Ttl::from_seconds).transpose()
}

/// The end of what starts at `now`.
fn end(ttl: Option<Ttl>, now: Timestamp) -> Result<Option<Timestamp>> {
    ttl.map(|ttl| ttl.end(now)).transpose()
}
