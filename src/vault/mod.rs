//! Sealing and opening with the keyring in force.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sso_attr_core::envelope::{self, Place};
use sso_attr_core::keyring::{Key, Keyring};
use sso_attr_core::{Error, Result};
use zeroize::Zeroizing;

use crate::pg::clock;
use crate::pg::datum::Jsonb;
use crate::pg::spi::{Access, Db, as_owner};
use crate::store::key;

mod command;
mod ring;

pub use ring::{current as keyring, is_configured};

thread_local! {
    /// Keys whose check values are stored for good: installation, key id, check value.
    static CONFIRMED: RefCell<Vec<(u32, u32, [u8; 16])>> = const { RefCell::new(Vec::new()) };
    /// The key that this backend made known last, and the transaction in which it did.
    static INSERTED: Cell<Option<(u32, u32)>> = const { Cell::new(None) };
}

/// The primary key, known to be the one that wrote earlier data under its id.
pub struct Sealer {
    ring: Rc<Keyring>,
}

/// Checks the primary key against the database, which it is made known to before its first use.
pub fn sealer(db: &Db) -> Result<Sealer> {
    let ring = keyring()?;
    let key = ring.primary();
    let known = (db.installation(), key.id(), key.check_value());
    if CONFIRMED.with_borrow(|confirmed| confirmed.contains(&known)) {
        return Ok(Sealer { ring });
    }
    let stored = key::check_values(db, key.id());
    if stored.iter().any(|stored| *stored != key.check_value()) {
        return Err(Error::KeyDiffers(key.id()));
    }
    let insertion = Some((key.id(), db.transaction()));
    if stored.is_empty() {
        key::register(db, key.id(), &key.check_value(), clock::now());
        INSERTED.set(Some((key.id(), db.transaction())));
    } else if INSERTED.get() != insertion {
        // A row of our own transaction may still be rolled back, also to a savepoint.
        CONFIRMED.with_borrow_mut(|confirmed| confirmed.push(known));
    }
    Ok(Sealer { ring })
}

impl Sealer {
    /// The id that sealed values will carry.
    pub fn key_id(&self) -> u32 {
        self.ring.primary().id()
    }

    /// Seals a value for its place.
    pub fn seal(&self, place: Place<'_>, value: Jsonb) -> Result<Vec<u8>> {
        value.with_text(|text| self.seal_bytes(place, text.as_bytes()))
    }

    /// As [`Sealer::seal`], for JSON text.
    pub fn seal_bytes(&self, place: Place<'_>, text: &[u8]) -> Result<Vec<u8>> {
        envelope::seal(self.ring.primary(), place, text)
    }
}

/// Opens a sealed value into its JSON text. Where that fails, a key that is not the one that wrote
/// the data is told from a value that was altered.
pub fn open(place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let ring = ring::with_key(envelope::key_id(sealed)?)?;
    envelope::open(&ring, place, sealed).map_err(|error| {
        match envelope::key_id(sealed).map(|id| ring.get(id)) {
            Ok(Some(key)) if error == Error::SealBroken && differs(key) => Error::KeyDiffers(key.id()),
            _ => error,
        }
    })
}

fn differs(key: &Key) -> bool {
    let stored = as_owner(Access::Read, |db| key::check_values(db, key.id()));
    stored.iter().any(|stored| *stored != key.check_value())
}
