//! The keyring in force: read from a file or a command when a key is first needed, and again when it
//! may have changed.
//!
//! Every backend reads it for itself and nothing is read at server start, so no key is inherited by
//! fork or in shared memory. If a source becomes unusable, the last good keyring stays in use.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::keyring::Keyring;
use sso_attr_core::{Error, Result};
use zeroize::Zeroizing;

use super::command;
use super::text::{self, MAX_BYTES};
use crate::pg::clock;
use crate::settings;

/// How long a statement uses what it found before it checks the source again. A check costs two
/// microseconds, a quarter of a call that finds a value; a statement can make millions of calls.
const CHECK_VALID: Duration = Duration::from_secs(1);

/// How long the output of the command is used.
const COMMAND_VALID: Duration = Duration::from_secs(300);
/// How soon the command is run again for a key that was not in its output.
const COMMAND_RETRY: Duration = Duration::from_secs(10);

#[derive(PartialEq, Eq)]
enum Source {
    File(PathBuf),
    Command(OsString),
}

/// What changes when a file is replaced or rewritten.
#[derive(PartialEq, Eq)]
pub struct Stamp {
    identity: (u64, u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Stamp {
        Stamp {
            identity: (file.dev(), file.ino(), file.size()),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

struct InForce {
    source: Source,
    /// `None` if there is no file or its metadata cannot be read.
    stamp: Option<Stamp>,
    read_at: Instant,
    /// Whether any later change shows in the stamp. A file that was changed just before it was read may
    /// change again with the same times.
    settled: bool,
    outcome: std::result::Result<Rc<Keyring>, String>,
}

thread_local! {
    /// What the last check found, by which statement, and when.
    static FOUND: RefCell<Option<(Timestamp, Instant, Rc<Keyring>)>> = const { RefCell::new(None) };
    static IN_FORCE: RefCell<Option<Rc<InForce>>> = const { RefCell::new(None) };
}

/// Whether a keyring is configured, usable or not.
pub fn is_configured() -> bool {
    settings::keyring_file().is_some() || settings::key_command().is_some()
}

/// What changes when the keyring file does; `None` if there is none.
pub fn file_stamp() -> Option<Stamp> {
    std::fs::metadata(settings::keyring_file()?).ok().as_ref().map(Stamp::of)
}

/// How long a keyring is used before it is fetched again, if a command writes it.
pub fn fetched_every() -> Option<Duration> {
    settings::key_command().map(|_| COMMAND_VALID)
}

/// The keyring in force.
pub fn current() -> Result<Rc<Keyring>> {
    let statement = clock::statement_start();
    let found = FOUND.take().filter(|(by, at, _)| *by == statement && at.elapsed() < CHECK_VALID);
    let found = match found {
        Some(found) => found,
        None => (statement, Instant::now(), refreshed(COMMAND_VALID)?),
    };
    let ring = Rc::clone(&found.2);
    FOUND.set(Some(found));
    Ok(ring)
}

/// The keyring in force, read again if its source is a command and it lacks this key.
pub fn with_key(id: u32) -> Result<Rc<Keyring>> {
    let ring = current()?;
    if ring.get(id).is_some() {
        return Ok(ring);
    }
    FOUND.take();
    refreshed(COMMAND_RETRY)
}

/// Whether the next use of a key runs a command, which can take seconds.
pub fn is_fetch_due() -> bool {
    let Some(command) = settings::key_command() else { return false };
    let source = Source::Command(command);
    IN_FORCE.with_borrow(|former| {
        former
            .as_ref()
            .is_none_or(|former| former.source != source || !is_fresh(former, &None, COMMAND_VALID))
    })
}

/// Reads the keyring again if a command wrote it some time ago. An error is raised only when a key is
/// used.
pub fn renew() {
    FOUND.take();
    let _ = refreshed(COMMAND_RETRY);
}

fn refreshed(command_valid: Duration) -> Result<Rc<Keyring>> {
    let source = match (settings::keyring_file(), settings::key_command()) {
        (Some(path), None) => Source::File(path),
        (None, Some(command)) => Source::Command(command),
        (None, None) => {
            return Err(unusable("Neither sso_attr.keyring_file nor sso_attr.key_command is set."));
        }
        (Some(_), Some(_)) => {
            return Err(unusable("Both sso_attr.keyring_file and sso_attr.key_command are set."));
        }
    };
    let stamp = match &source {
        Source::File(path) => std::fs::metadata(path).ok().as_ref().map(Stamp::of),
        Source::Command(_) => None,
    };
    // Cloned, so that nothing is borrowed when a WARNING or a cancelled command leaves this function.
    let former = IN_FORCE.with_borrow(Clone::clone).filter(|former| former.source == source);
    let in_force = match former {
        Some(former) if is_fresh(&former, &stamp, command_valid) => former,
        former => {
            let fresh = Rc::new(read_again(source, stamp, former.as_deref()));
            IN_FORCE.set(Some(Rc::clone(&fresh)));
            fresh
        }
    };
    in_force.outcome.clone().map_err(|reason| unusable(&reason))
}

fn unusable(reason: &str) -> Error {
    Error::NoKeyring { reason: reason.to_owned() }
}

fn is_fresh(former: &InForce, stamp: &Option<Stamp>, command_valid: Duration) -> bool {
    match &former.source {
        Source::File(_) => former.settled && former.stamp == *stamp,
        Source::Command(_) if former.outcome.is_ok() => former.read_at.elapsed() < command_valid,
        Source::Command(_) => former.read_at.elapsed() < COMMAND_RETRY,
    }
}

/// Reads the source; `seen` is the stamp that a file had before.
fn read_again(source: Source, seen: Option<Stamp>, former: Option<&InForce>) -> InForce {
    let (stamp, read) = match &source {
        Source::File(path) => match open_file(path) {
            Ok((file, metadata)) => (Some(Stamp::of(&metadata)), read_file(file, &metadata)),
            Err(error) => (seen, Err(unreadable(error))),
        },
        Source::Command(command) => (None, command::output(command)),
    };
    let settled = stamp.as_ref().is_none_or(|stamp| is_past(stamp.changed.0));
    let parsed = read.and_then(|text| {
        Keyring::parse(&text).map(Rc::new).map_err(|fault| format!("The keyring is malformed. {fault}."))
    });
    // A change is reported once, not with every call.
    let news = matches!(source, Source::Command(_)) || former.is_none_or(|former| former.stamp != stamp);
    let outcome = match (parsed, former.map(|former| &former.outcome)) {
        (Err(reason), Some(Ok(last_good))) => {
            if news {
                pgrx::warning!("keyring is not usable, the last good one stays in use: {reason}");
            }
            Ok(Rc::clone(last_good))
        }
        (parsed, _) => parsed,
    };
    if let Source::File(path) = &source
        && news
        && outcome.is_ok()
        && path.starts_with(crate::pg::settings::data_directory())
    {
        pgrx::warning!("keyring file is inside the data directory: every base backup contains the keys");
    }
    InForce { source, stamp, read_at: Instant::now(), settled, outcome }
}

/// Whether a Unix time is more than a second ago.
fn is_past(seconds: i64) -> bool {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .is_ok_and(|now| i64::try_from(now.as_secs()).is_ok_and(|now| now > seconds.saturating_add(1)))
}

/// Opens the file without waiting: opening a pipe waits for a writer.
fn open_file(path: &Path) -> std::io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Checks and reads the open file. A reason contains neither the path, which only superusers may see,
/// nor any of the file's bytes.
fn read_file(file: File, metadata: &Metadata) -> std::result::Result<Zeroizing<Vec<u8>>, String> {
    if !metadata.is_file() {
        return Err("The keyring file is not a regular file.".into());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err("The keyring file is accessible to group or others.".into());
    }
    if metadata.size() > MAX_BYTES {
        return Err(format!("The keyring file is larger than {MAX_BYTES} bytes."));
    }
    let mut text = text::buffer(metadata.size())?;
    file.take(metadata.size()).read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn unreadable(error: std::io::Error) -> String {
    format!("The keyring file cannot be read: {}.", error.kind())
}
