//! Sealing and opening with the keyring in force.

use std::cell::RefCell;
use std::rc::Rc;

use sso_attr_core::envelope::{self, Place};
use sso_attr_core::keyring::{Key, Keyring};
use sso_attr_core::{Error, Result};

use crate::pg::clock;
use crate::pg::datum::Jsonb;
use crate::pg::envelope::Envelope;
use crate::pg::spi::{Access, Db, as_owner};
use crate::store::key;

mod command;
mod ring;
mod text;

pub use ring::{Stamp, current as keyring, fetched_every, file_stamp, is_configured, is_fetch_due, renew};

thread_local! {
    /// Keys whose check values are stored for good: installation, key id, check value.
    static CONFIRMED: RefCell<Vec<(u32, u32, [u8; 16])>> = const { RefCell::new(Vec::new()) };
}

/// The primary key, known to be the one that wrote earlier data under its id.
pub struct Sealer {
    ring: Rc<Keyring>,
}

/// Checks the primary key against the database, which stores its check value before its first use.
pub fn sealer(db: &Db) -> Result<Sealer> {
    let ring = keyring()?;
    let key = ring.primary();
    let known = (db.installation(), key.id(), key.check_value());
    if CONFIRMED.with_borrow(|confirmed| confirmed.contains(&known)) {
        return Ok(Sealer { ring });
    }
    let stored = key::checks(db, key.id());
    if stored.iter().any(|stored| stored.value != key.check_value()) {
        return Err(Error::KeyDiffers(key.id()));
    }
    if stored.is_empty() {
        key::register(db, key.id(), &key.check_value(), clock::now());
    }
    if stored.iter().any(|stored| stored.is_committed) {
        CONFIRMED.with_borrow_mut(|confirmed| confirmed.push(known));
    }
    Ok(Sealer { ring })
}

impl Sealer {
    /// The id that sealed values will carry.
    pub fn key_id(&self) -> u32 {
        self.ring.primary().id()
    }

    /// Opens a sealed value with this keyring. If that fails, no key is fetched and no better reason is
    /// looked for.
    pub fn open(&self, place: Place<'_>, envelope: &mut [u8]) -> Result<()> {
        envelope::open(&self.ring, place, envelope).map(|_| ())
    }

    /// Seals a value for its place.
    pub fn seal(&self, place: Place<'_>, json: Jsonb) -> Result<Envelope> {
        let mut envelope = Envelope::of(json);
        self.seal_again(place, envelope.bytes_mut())?;
        Ok(envelope)
    }

    /// Seals an envelope that has been opened in place.
    pub fn seal_again(&self, place: Place<'_>, envelope: &mut [u8]) -> Result<()> {
        envelope::seal(self.ring.primary(), place, envelope)
    }
}

/// Opens a sealed value in place. If that fails, the error distinguishes a key that did not write the
/// data from a value that was altered.
pub fn open(place: Place<'_>, envelope: &mut [u8]) -> Result<()> {
    let id = envelope::key_id(envelope)?;
    let ring = ring::with_key(id)?;
    match envelope::open(&ring, place, envelope) {
        Ok(_) => Ok(()),
        Err(Error::SealBroken) if ring.get(id).is_some_and(differs) => Err(Error::KeyDiffers(id)),
        Err(error) => Err(error),
    }
}

fn differs(key: &Key) -> bool {
    let stored = as_owner(Access::Read, |db| key::checks(db, key.id()));
    stored.iter().any(|stored| stored.value != key.check_value())
}
