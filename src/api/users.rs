//! `sso_user_*`.
//!
//! A login that is refused returns NULL: an exception would roll back the count of failures. It costs
//! the same whatever the reason, and no row is locked while a password is hashed.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::password::{self, Stored};
use sso_attr_core::user::{self as username, Key};
use sso_attr_core::{Error, Result, name};

use super::call::{Call, changing, claim, reading};
use super::sessions::{Request, address, end_others};
use crate::passwords;
use crate::pg::clock;
use crate::pg::datum::{Inet, TimestampTz};
use crate::pg::report::Answer;
use crate::pg::spi::{Access, Db, as_owner};
use crate::pg::text::Text;
use crate::settings;
use crate::store::user::{self, Found};

/// Stores a new user and returns its user_id.
#[pg_extern]
fn sso_user_create(
    username: Option<Text<'_>>,
    password: Option<Text<'_>>,
    user_id: default!(Option<Text<'_>>, "NULL"),
) -> Answer<String> {
    changing("sso_user_create", |call| {
        let (username, key) = username::validate(username.as_deref())?;
        let password = password::validate(password.as_deref())?;
        let user_id = match user_id.as_deref() {
            Some(user_id) => name::validate_required("user_id", Some(user_id))?.to_owned(),
            None => username::new_id(call.now.unix_millis())?,
        };
        let hash = passwords::hashed(password)?;
        as_owner(Access::Write, |db| {
            if user::insert(db, &user_id, username, &key, &hash, call.now) {
                return Ok(());
            }
            let is_username = user::find(db, &key).is_some();
            Err(Error::Taken(if is_username { "username" } else { "user_id" }))
        })?;
        call.audit(|line| line.user(&user_id));
        Ok(user_id)
    })
}

/// Opens a session for whoever knows the password, and returns its UST.
#[pg_extern]
#[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
fn sso_user_login(
    username: Option<Text<'_>>,
    password: Option<Text<'_>>,
    current_app: default!(Option<Text<'_>>, "NULL"),
    remote_addr: default!(Option<Inet>, "NULL"),
    user_agent: default!(Option<Text<'_>>, "NULL"),
    expiration: default!(Option<f64>, "NULL"),
    ust: default!(Option<Text<'_>>, "NULL"),
    keep_newest: default!(Option<i32>, "NULL"),
) -> Answer<Option<String>> {
    login(username, password, current_app, || Ok(remote_addr), user_agent, expiration, ust, keep_newest)
}

/// As sso_user_login, for an address that a driver or a proxy hands over as text.
#[pg_extern(name = "sso_user_login")]
#[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
fn sso_user_login_from_text(
    username: Option<Text<'_>>,
    password: Option<Text<'_>>,
    current_app: Option<Text<'_>>,
    remote_addr: Option<Text<'_>>,
    user_agent: default!(Option<Text<'_>>, "NULL"),
    expiration: default!(Option<f64>, "NULL"),
    ust: default!(Option<Text<'_>>, "NULL"),
    keep_newest: default!(Option<i32>, "NULL"),
) -> Answer<Option<String>> {
    let address = || address(remote_addr.as_deref());
    login(username, password, current_app, address, user_agent, expiration, ust, keep_newest)
}

#[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
fn login(
    username: Option<Text<'_>>,
    password: Option<Text<'_>>,
    current_app: Option<Text<'_>>,
    remote_addr: impl FnOnce() -> Result<Option<Inet>>,
    user_agent: Option<Text<'_>>,
    expiration: Option<f64>,
    ust: Option<Text<'_>>,
    keep_newest: Option<i32>,
) -> Answer<Option<String>> {
    changing("sso_user_login", |call| {
        let request = Request::new(
            call,
            current_app.as_deref(),
            remote_addr()?,
            user_agent.as_deref(),
            expiration,
            None,
            ust.as_deref(),
            keep_newest,
        )?;
        let outcome = authenticate(call, username.as_deref(), password.as_deref(), |db, user_id| {
            request.open(db, call, Some(user_id))
        })?;
        Ok(outcome.ok())
    })
}

/// Whether that is the user's password, counted like a login.
#[pg_extern]
fn sso_user_verify(username: Option<Text<'_>>, password: Option<Text<'_>>) -> Answer<bool> {
    changing("sso_user_verify", |call| {
        Ok(authenticate(call, username.as_deref(), password.as_deref(), |_, _| Ok(()))?.is_ok())
    })
}

/// Why a login is refused.
#[derive(Clone, Copy)]
enum Refusal {
    UnknownUser,
    WrongPassword,
    Waiting,
    Locked,
}

impl Refusal {
    /// As sso_user_list shows it.
    fn as_str(self) -> &'static str {
        match self {
            Refusal::UnknownUser => "unknown user",
            Refusal::WrongPassword => "wrong password",
            Refusal::Waiting => "waiting",
            Refusal::Locked => "locked",
        }
    }
}

/// Does `work` for whoever knows the password. From then on until the transaction is over, the user's
/// password stays as it is.
fn authenticate<T>(
    call: &Call,
    username: Option<&str>,
    password: Option<&str>,
    work: impl FnOnce(&Db, &str) -> Result<T>,
) -> Result<std::result::Result<T, Refusal>> {
    let key = username.and_then(Key::of);
    loop {
        let found = key.as_ref().and_then(|key| as_owner(Access::Write, |db| user::find(db, key)));
        let stored = found.as_ref().map(|found| Stored::parse(&found.password)).transpose()?;
        let early = found.as_ref().and_then(|found| bar(found, clock::now()));
        let is_right = passwords::matches(stored.as_ref(), password.unwrap_or_default())?;
        let known = match (&key, &found, &stored, password) {
            (Some(key), Some(found), Some(stored), Some(password)) => Some((key, found, stored, password)),
            _ => None,
        };
        let Some((key, found, stored, password)) = known else {
            as_owner(Access::Write, user::write_nothing);
            call.audit(|line| line.refused(Refusal::UnknownUser.as_str()));
            return Ok(Err(Refusal::UnknownUser));
        };
        call.audit(|line| line.user(&found.user_id));
        let is_outdated = stored.cost() != settings::password_cost();
        let renewed = (is_right && is_outdated).then(|| passwords::hashed(password)).transpose()?;

        let attempt = Attempt { found, early, is_right, renewed };
        match as_owner(Access::Write, |db| attempt.decide(db, key)) {
            Decision::Again => continue,
            Decision::Refused(refusal) => {
                call.audit(|line| line.refused(refusal.as_str()));
                return Ok(Err(refusal));
            }
            Decision::Admitted => {
                return as_owner(Access::Write, |db| work(db, &found.user_id)).map(Ok);
            }
        }
    }
}

/// What bars a user from any login now.
fn bar(user: &Found, now: Timestamp) -> Option<Refusal> {
    if user.locked_until.is_some_and(|until| !until.is_over(now)) {
        return Some(Refusal::Locked);
    }
    waits_until(user.failures, user.failed_at, now).map(|_| Refusal::Waiting)
}

/// Until when a user waits; `None` where that is over.
fn waits_until(failures: i64, failed_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let until = username::waits_until(failures, failed_at?, settings::login_attempts()?)?;
    (!until.is_over(now)).then_some(until)
}

/// A login whose password has been checked.
struct Attempt<'a> {
    /// The user as it was before.
    found: &'a Found,
    /// What barred it then.
    early: Option<Refusal>,
    is_right: bool,
    /// The password hashed anew, where that is due.
    renewed: Option<String>,
}

enum Decision {
    Admitted,
    Refused(Refusal),
    /// Another password was set meanwhile.
    Again,
}

impl Attempt<'_> {
    /// Decides by the user's row as it is now, which nobody else can change meanwhile, and counts.
    fn decide(&self, db: &Db, key: &Key) -> Decision {
        let user_id = &self.found.user_id;
        let Some(user) = user::lock(db, user_id, key) else {
            user::write_nothing(db);
            return Decision::Refused(Refusal::UnknownUser);
        };
        if user.password != self.found.password {
            return Decision::Again;
        }
        let now = clock::now();
        let refusal = self.early.or_else(|| bar(&user, now));
        match refusal {
            Some(refusal) => user::note_refusal(db, user_id, now, refusal.as_str()),
            None if !self.is_right => {
                let refusal = Refusal::WrongPassword;
                user::count_failure(db, user_id, user.failures.saturating_add(1), now, refusal.as_str());
                return Decision::Refused(refusal);
            }
            None => {
                if user.failures > 0 {
                    user::clear_failures(db, user_id);
                }
                if let Some(renewed) = &self.renewed {
                    user::rehash(db, user_id, renewed);
                }
            }
        }
        refusal.map_or(Decision::Admitted, Decision::Refused)
    }
}

/// Replaces a user's password and ends the user's sessions, except one.
#[pg_extern]
fn sso_user_set_password(
    username: Option<Text<'_>>,
    password: Option<Text<'_>>,
    keep_ust: default!(Option<Text<'_>>, "NULL"),
) -> Answer<()> {
    changing("sso_user_set_password", |call| {
        let (_, key) = username::validate(username.as_deref())?;
        let password = password::validate(password.as_deref())?;
        let keep = keep_ust.map(|ust| claim(Some(ust))).transpose()?;
        as_owner(Access::Write, |db| user::find(db, &key)).ok_or(Error::UserMissing)?;
        let hash = passwords::hashed(password)?;
        as_owner(Access::Write, |db| {
            let user_id = user::set_password(db, &key, &hash, clock::now()).ok_or(Error::UserMissing)?;
            call.audit(|line| line.user(&user_id));
            end_others(db, call, &user_id, keep.as_ref()).map(|_| ())
        })
    })
}

/// Refuses a user's logins until then, or until unlocked.
#[pg_extern]
fn sso_user_lock(username: Option<Text<'_>>, until: default!(Option<TimestampTz>, "NULL")) -> Answer<bool> {
    changing("sso_user_lock", |call| {
        let (_, key) = username::validate(username.as_deref())?;
        let until = until.map_or(Timestamp::NEVER, Timestamp::from);
        there(call, as_owner(Access::Write, |db| user::lock_until(db, &key, until)))
    })
}

/// Takes back a lock, and the wait after failures.
#[pg_extern]
fn sso_user_unlock(username: Option<Text<'_>>) -> Answer<bool> {
    changing("sso_user_unlock", |call| {
        let (_, key) = username::validate(username.as_deref())?;
        there(call, as_owner(Access::Write, |db| user::unlock(db, &key)))
    })
}

fn there(call: &Call, user_id: Option<String>) -> Result<bool> {
    let user_id = user_id.ok_or(Error::UserMissing)?;
    call.audit(|line| line.user(&user_id));
    Ok(true)
}

/// Deletes a user and ends the user's sessions.
#[pg_extern]
fn sso_user_delete(username: Option<Text<'_>>) -> Answer<bool> {
    changing("sso_user_delete", |call| {
        let Some(key) = lookup(username.as_deref())? else { return Ok(false) };
        as_owner(Access::Write, |db| {
            let Some(user_id) = user::delete(db, &key) else { return Ok(false) };
            call.audit(|line| line.user(&user_id));
            end_others(db, call, &user_id, None)?;
            Ok(true)
        })
    })
}

/// Whether there is a user of that name.
#[pg_extern(stable, parallel_safe)]
fn sso_user_exists(username: Option<Text<'_>>) -> Answer<bool> {
    reading("sso_user_exists", |_| {
        let Some(key) = lookup(username.as_deref())? else { return Ok(false) };
        Ok(as_owner(Access::Read, |db| user::find(db, &key)).is_some())
    })
}

/// A username that is only looked up: no user has one that is too long.
fn lookup(username: Option<&str>) -> Result<Option<Key>> {
    Ok(Key::of(username.ok_or_else(|| Error::argument("username must not be null"))?))
}

/// All users by name.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_user_list() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(user_id, String),
            name!(username, String),
            name!(created_at, TimestampTz),
            name!(password_changed_at, TimestampTz),
            name!(failures, i64),
            name!(last_failed_at, Option<TimestampTz>),
            name!(last_refused_at, Option<TimestampTz>),
            name!(last_refusal, Option<String>),
            name!(waits_until, Option<TimestampTz>),
            name!(locked, bool),
            name!(locked_until, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    reading("sso_user_list", |call| {
        let users = as_owner(Access::Read, user::list);
        let now = call.now;
        Ok(TableIterator::new(users.into_iter().map(move |user| {
            let locked_until = user.locked_until.filter(|until| !until.is_over(now));
            (
                user.user_id,
                user.username,
                user.created_at.into(),
                user.password_changed_at.into(),
                user.failures,
                user.failed_at.map(TimestampTz::from),
                user.refused_at.map(TimestampTz::from),
                user.refusal,
                waits_until(user.failures, user.failed_at, now).map(TimestampTz::from),
                locked_until.is_some(),
                locked_until.and_then(Timestamp::finite).map(TimestampTz::from),
            )
        })))
    })
}
