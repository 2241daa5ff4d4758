//! The settings, each private with a typed accessor.

use std::ffi::{CStr, CString, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use sso_attr_core::expiry::Ttl;
use sso_attr_core::password::Cost;

/// One hour: what most session stores default to.
static SESSION_EXPIRATION: GucSetting<i32> = GucSetting::<i32>::new(3600);
/// Thirty days: an absolute timeout, as OWASP ASVS asks for, that few users notice.
static SESSION_MAX_LIFETIME: GucSetting<i32> = GucSetting::<i32>::new(30 * 24 * 3600);
/// One megabyte: far above session state, far below what hurts.
static MAX_VALUE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(1024 * 1024);
/// A path, never a key: settings are shown, logged and dumped.
static KEYRING_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// For agents of key management systems, which write to standard output rather than to a file.
static KEY_COMMAND: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// One minute: space need not be reclaimed promptly, and expiry itself is exact without the purge.
static PURGE_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(60);
/// A thousand rows: about ten milliseconds, so that nobody waits long for a batch and its commit is
/// cheap in comparison.
static PURGE_BATCH_SIZE: GucSetting<i32> = GucSetting::<i32>::new(1000);
/// A twentieth: ten thousand rows a second, more than most servers see expire, at a rate that others hardly feel.
static PURGE_SHARE: GucSetting<i32> = GucSetting::<i32>::new(5);
/// Off: whoever does not read the lines should not pay for them.
static AUDIT: GucSetting<Audit> = GucSetting::<Audit>::new(Audit::Off);

/// Which calls the audit has a line for; each level includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, PostgresGucEnum)]
pub enum Audit {
    #[name = c"off"]
    Off,
    #[name = c"changes"]
    Changes,
    #[name = c"all"]
    All,
}

/// Ten mistypings in a row are rare, ten guesses of a decent password hopeless.
static LOGIN_ATTEMPTS: GucSetting<i32> = GucSetting::<i32>::new(10);
static PASSWORD_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(Cost::DEFAULT.memory_kib as i32);
static PASSWORD_PASSES: GucSetting<i32> = GucSetting::<i32>::new(Cost::DEFAULT.passes as i32);
static PASSWORD_LANES: GucSetting<i32> = GucSetting::<i32>::new(Cost::DEFAULT.lanes as i32);
/// Half a gigabyte: twenty-six passwords at a time, more than most servers have processors.
static LOGIN_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(512 * 1024);

/// How long a session lasts if sso_session_create or sso_session_renew does not say.
pub fn session_expiration() -> Ttl {
    Ttl::Micros(i64::from(SESSION_EXPIRATION.get()) * 1_000_000)
}

/// Seconds after its creation when a session ends, however often it was renewed; `None` is no cap.
pub fn session_max_lifetime() -> Option<i64> {
    match SESSION_MAX_LIFETIME.get() {
        0 => None,
        seconds => Some(seconds.into()),
    }
}

/// The longest value, in bytes of its JSON text.
pub fn max_value_size() -> usize {
    MAX_VALUE_SIZE.get() as usize
}

/// How often the launcher sweeps a database; `None` is never.
pub fn purge_interval() -> Option<Duration> {
    match PURGE_INTERVAL.get() {
        0 => None,
        seconds => Some(Duration::from_secs(seconds as u64)),
    }
}

/// The most rows that one batch of the purge removes.
pub fn purge_batch_size() -> u64 {
    PURGE_BATCH_SIZE.get() as u64
}

/// How much of one core the purge worker takes, in percent.
pub fn purge_share() -> u32 {
    PURGE_SHARE.get() as u32
}

/// Which calls the audit has a line for.
pub fn audit() -> Audit {
    AUDIT.get()
}

/// The file that holds the keyring, if any.
pub fn keyring_file() -> Option<PathBuf> {
    text(&KEYRING_FILE).map(PathBuf::from)
}

/// The command that writes the keyring, if any.
pub fn key_command() -> Option<OsString> {
    text(&KEY_COMMAND)
}

/// Failures in a row after which a user waits; `None` is never.
pub fn login_attempts() -> Option<i64> {
    match LOGIN_ATTEMPTS.get() {
        0 => None,
        attempts => Some(attempts.into()),
    }
}

/// What a new password is hashed with.
pub fn password_cost() -> Cost {
    Cost {
        memory_kib: PASSWORD_MEMORY.get() as u32,
        passes: PASSWORD_PASSES.get() as u32,
        lanes: PASSWORD_LANES.get() as u32,
    }
}

/// The memory that may be taken to hash passwords, in kB.
pub fn login_memory() -> u64 {
    LOGIN_MEMORY.get() as u64
}

fn text(setting: &GucSetting<Option<CString>>) -> Option<OsString> {
    let text = setting.get()?.into_bytes();
    (!text.is_empty()).then(|| OsString::from_vec(text))
}

/// Defines them all and reserves the prefix.
pub fn define() {
    seconds(
        &SESSION_EXPIRATION,
        c"sso_attr.session_expiration",
        c"Lifetime of a session that is created or renewed without an expiration.",
        1,
        GucContext::Userset,
    );
    seconds(
        &SESSION_MAX_LIFETIME,
        c"sso_attr.session_max_lifetime",
        c"Age at which a session ends however often it was renewed; 0 means no limit.",
        0,
        GucContext::Suset,
    );
    GucRegistry::define_int_guc(
        c"sso_attr.max_value_size",
        c"Longest attribute value, in bytes of its JSON text.",
        c"",
        &MAX_VALUE_SIZE,
        1,
        256 * 1024 * 1024,
        GucContext::Suset,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_string_guc(
        c"sso_attr.keyring_file",
        c"File with the encryption keys, one \"id:64 hex digits\" a line, the first one primary.",
        c"The server must be able to read it, and group and others must not.",
        &KEYRING_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"sso_attr.key_command",
        c"Shell command that writes the keyring to its standard output, instead of sso_attr.keyring_file.",
        c"Run by a backend that first needs a key, and again after 5 minutes; ended after 10 seconds.",
        &KEY_COMMAND,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    seconds(
        &PURGE_INTERVAL,
        c"sso_attr.purge_interval",
        c"Time between two sweeps of a database by the purge worker; 0 turns it off.",
        0,
        GucContext::Sighup,
    );
    GucRegistry::define_int_guc(
        c"sso_attr.purge_batch_size",
        c"Most rows that the purge removes in one transaction.",
        c"",
        &PURGE_BATCH_SIZE,
        1,
        100_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"sso_attr.purge_share",
        c"Most of one processor core that a sweep by the purge worker takes, in percent: it pauses between batches.",
        c"A sweep that has lasted ten times sso_attr.purge_interval goes on without pauses.",
        &PURGE_SHARE,
        1,
        100,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"sso_attr.audit",
        c"Calls that write a line to the server's log: off, changes, or all, which is reads too.",
        c"",
        &AUDIT,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"sso_attr.login_attempts",
        c"Failures in a row after which a user waits before the next login; 0 means never.",
        c"The wait doubles with each further failure, from one second to fifteen minutes.",
        &LOGIN_ATTEMPTS,
        0,
        1000,
        GucContext::Suset,
        GucFlags::default(),
    );
    let cost = |setting, name, what, range: RangeInclusive<u32>, unit| {
        let (min, max) = (*range.start() as i32, *range.end() as i32);
        GucRegistry::define_int_guc(name, what, c"", setting, min, max, GucContext::Suset, unit);
    };
    cost(
        &PASSWORD_MEMORY,
        c"sso_attr.password_memory",
        c"Memory in which a new password is hashed.",
        Cost::MEMORY_KIB,
        GucFlags::UNIT_KB,
    );
    cost(
        &PASSWORD_PASSES,
        c"sso_attr.password_passes",
        c"Passes over that memory in which a new password is hashed.",
        Cost::PASSES,
        GucFlags::default(),
    );
    cost(
        &PASSWORD_LANES,
        c"sso_attr.password_lanes",
        c"Lanes in which a new password is hashed, one after the other.",
        Cost::LANES,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"sso_attr.login_memory",
        c"Most memory that the hashing of passwords takes at a time; further logins wait for their turn.",
        c"That of all sessions together where the library is preloaded, that of each where it is not.",
        &LOGIN_MEMORY,
        *Cost::MEMORY_KIB.start() as i32,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_KB,
    );
    crate::pg::settings::reserve_prefix();
}

fn seconds(
    setting: &'static GucSetting<i32>,
    name: &'static CStr,
    what: &'static CStr,
    min: i32,
    context: GucContext,
) {
    GucRegistry::define_int_guc(name, what, c"", setting, min, i32::MAX, context, GucFlags::UNIT_S);
}
