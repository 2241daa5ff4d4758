//! The keyring in force, and sealing and opening with it.
//!
//! Every backend reads the file itself, when it first needs a key and again whenever the file's
//! identity, size or times change. Nothing is read at server start, so nothing is inherited by fork.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sso_attr_core::envelope::{self, Place};
use sso_attr_core::keyring::Keyring;
use sso_attr_core::{Error, Result};
use zeroize::Zeroizing;

use crate::pg::datum::Jsonb;
use crate::settings;

/// Far above any sensible keyring (70 bytes a key); a bound against a wrong path.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What changes when the file is replaced or rewritten.
#[derive(PartialEq, Eq)]
struct Stamp {
    identity: (u64, u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

struct Loaded {
    path: PathBuf,
    /// `None` where the file could not even be looked at.
    stamp: Option<Stamp>,
    outcome: std::result::Result<Rc<Keyring>, String>,
}

thread_local! {
    static LOADED: RefCell<Option<Loaded>> = const { RefCell::new(None) };
}

/// Whether a keyring is configured, usable or not.
pub fn is_configured() -> bool {
    settings::keyring_file().is_some()
}

/// Seals a value for its place under the primary key.
pub fn seal(place: Place<'_>, value: Jsonb) -> Result<Vec<u8>> {
    let ring = keyring()?;
    value.with_text(|text| envelope::seal(ring.primary(), place, text.as_bytes()))
}

/// As [`seal`], for JSON text.
pub fn seal_text(place: Place<'_>, text: &str) -> Result<Vec<u8>> {
    envelope::seal(keyring()?.primary(), place, text.as_bytes())
}

/// Opens a sealed value into its JSON text.
pub fn open(place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    envelope::open(&*keyring()?, place, sealed)
}

fn keyring() -> Result<Rc<Keyring>> {
    let Some(path) = settings::keyring_file() else {
        return Err(Error::NoKeyring { reason: "sso_attr.keyring_file is not set.".into() });
    };
    LOADED.with_borrow_mut(|loaded| {
        let stamp = stamp(&path);
        let current = loaded.as_ref().is_some_and(|known| known.path == path && known.stamp == stamp);
        if !current {
            let fresh = read(&path);
            let outcome = match (fresh, loaded.take()) {
                (Err(reason), Some(Loaded { outcome: Ok(last_good), path: known, .. })) if known == path => {
                    pgrx::warning!(
                        "keyring file is not usable, the last good keyring stays in use: {reason}"
                    );
                    Ok(last_good)
                }
                (fresh, _) => fresh.map(Rc::new),
            };
            if outcome.is_ok() && path.starts_with(crate::pg::settings::data_directory()) {
                pgrx::warning!(
                    "keyring file is inside the data directory: every base backup contains the keys"
                );
            }
            *loaded = Some(Loaded { path, stamp, outcome });
        }
        match loaded.as_ref().map(|known| &known.outcome) {
            Some(Ok(ring)) => Ok(Rc::clone(ring)),
            Some(Err(reason)) => Err(Error::NoKeyring { reason: reason.clone() }),
            None => Err(Error::NoKeyring { reason: "The keyring was not read.".into() }),
        }
    })
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    Some(Stamp {
        identity: (file.dev(), file.ino(), file.size()),
        modified: (file.mtime(), file.mtime_nsec()),
        changed: (file.ctime(), file.ctime_nsec()),
    })
}

/// Reads and checks the file. A reason names neither the path, which is for superusers only, nor
/// any of its bytes.
fn read(path: &Path) -> std::result::Result<Keyring, String> {
    let unreadable = |error: std::io::Error| format!("The keyring file cannot be read: {}.", error.kind());
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("The keyring file is not a regular file.".into());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err("The keyring file is accessible to group or others.".into());
    }
    if metadata.size() > MAX_FILE_BYTES {
        return Err(format!("The keyring file is larger than {MAX_FILE_BYTES} bytes."));
    }
    // Reserved in full beforehand: growing would leave copies of the keys behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES as usize + 1));
    file.take(MAX_FILE_BYTES).read_to_end(&mut text).map_err(unreadable)?;
    Keyring::parse(&text).map_err(|fault| format!("The keyring file is malformed. {fault}."))
}
