//! Makes calls on a server and on the model, and tells where they differ.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postgres::{Client, SimpleQueryMessage};
use sso_attr_client_tests::{Random, Result, SOON, Server, backend_pid, wait_until};

use super::answer::Outcome;
use super::call::{Call, micros, text};
use super::choice::next_call_with_one_keyring;
use super::contract::{FIRST_KEYS, Model};
use super::faulty::Fault;
use super::session::{Attribute, Session, UNKNOWN};
use super::time::{End, Window};

/// In place of an SQLSTATE, where the connection was closed without one.
const CLOSED: &str = "closed";
/// What a server says whose backends are stopped: admin_shutdown, crash_shutdown, cannot_connect_now.
const LOST: [&str; 4] = [CLOSED, "57P01", "57P02", "57P03"];

/// A server whose database postgres has the extension and the role that players call as. Passwords are
/// hashed as fast as can be, and nobody has to wait after failures.
pub fn server(configuration: &str) -> Result<Server> {
    let server = Server::with_extension(&format!("{QUICK_LOGINS}\n{configuration}"))?;
    server.connect("postgres")?.batch_execute("CREATE ROLE caller")?;
    Ok(server)
}

pub const QUICK_LOGINS: &str =
    "sso_attr.password_memory = 1024\nsso_attr.password_passes = 1\nsso_attr.login_attempts = 0";

/// What became of a call.
pub enum Played {
    AsExpected,
    /// What the server answered and what it should have.
    Differs(Difference),
    /// The connection was lost meanwhile; what there can be now.
    Lost(Vec<Model>),
}

pub type Difference = String;

pub struct Player<'a> {
    server: &'a Server,
    database: String,
    client: Client,
    keys: &'static [u32],
    fault: Option<Fault>,
    pub model: Model,
    /// SQLSTATEs of faults that any call may meet; it has done nothing then.
    pub tolerated: &'static [&'static str],
    /// How often calls met each of them.
    pub refused: BTreeMap<String, usize>,
    /// The number of the last call of `play_until_lost`.
    label: usize,
    /// Of every call by name: how many answered and how many were made.
    pub tally: BTreeMap<String, (usize, usize)>,
}

impl<'a> Player<'a> {
    /// Plays in a database that has the extension.
    pub fn new(server: &'a Server, database: &str, fault: Option<Fault>) -> Result<Player<'a>> {
        let client = server.connect(database)?;
        let (database, model, tally) = (database.to_owned(), Model::default(), BTreeMap::new());
        let (keys, tolerated, refused, label) = (&[], &[], BTreeMap::new(), 0);
        let mut player =
            Player { server, database, client, keys, fault, model, tolerated, refused, label, tally };
        player.set_keyring(FIRST_KEYS)?;
        Ok(player)
    }

    /// Runs statements that are no calls.
    pub fn execute(&mut self, sql: &str) -> Result {
        Ok(self.client.batch_execute(sql)?)
    }

    /// The process that serves the connection.
    pub fn backend(&mut self) -> Result<i32> {
        backend_pid(&mut self.client)
    }

    /// Goes on with another server that has the same data, or with the same one after a crash.
    pub fn connect(&mut self, server: &'a Server) -> Result {
        self.server = server;
        wait_until("the server accepts connections", SOON, || {
            Ok(server.connect(&self.database).map(|client| self.client = client).is_ok())
        })
    }

    /// Back to a server without sessions and grants.
    pub fn start_afresh(&mut self) -> Result {
        if self.client.is_closed() {
            self.connect(self.server)?;
        }
        self.client.batch_execute(
            "ROLLBACK; RESET ROLE; SET client_min_messages = error;
             SELECT sso_attr_revoke('caller', what) FROM unnest('{app,login,operator}'::text[]) AS what;
             TRUNCATE sso_attr.session, sso_attr.attribute, sso_attr.user;
             SELECT sso_attr_set_logged(true)",
        )?;
        self.set_keyring(FIRST_KEYS)?;
        self.model = Model::default();
        Ok(())
    }

    fn set_keyring(&mut self, keys: &'static [u32]) -> Result {
        if self.keys != keys {
            self.server.set_keyring(&keyring(keys))?;
            self.keys = keys;
        }
        Ok(())
    }

    /// Makes calls at random until the connection is lost; returns the call that it was lost in, and what
    /// there can be. `made` counts the calls of all players.
    pub fn play_until_lost(&mut self, random: &mut Random, made: &AtomicUsize) -> Result<(Call, Vec<Model>)> {
        for label in self.label.. {
            self.label = label;
            let call = next_call_with_one_keyring(random, &self.model, label);
            match self.attempt(&call)? {
                Played::AsExpected => made.fetch_add(1, Ordering::Relaxed),
                Played::Differs(difference) => return Err(format!("{call:?} {difference}").into()),
                Played::Lost(models) => return Ok((call, models)),
            };
        }
        Err("there are no more numbers".into())
    }

    /// Looks which of these is there, and goes on with that one.
    pub fn settle(&mut self, server: &'a Server, models: Vec<Model>) -> Result {
        self.connect(server)?;
        let mut differences = Vec::new();
        let found =
            wait_until("one of the states that there can be is there", Duration::from_secs(5), || {
                differences.clear();
                for model in &models {
                    self.model = model.clone();
                    match self.compare()? {
                        None => return Ok(true),
                        Some(difference) => differences.push(difference),
                    }
                }
                // The worker may be holding rows that the comparison wants to purge.
                Ok(false)
            });
        found.map_err(|error| format!("{error}:\n{}", differences.join("\nnor:\n")).into())
    }

    /// What of the sessions is otherwise on a standby.
    pub fn compare_with(&self, standby: &mut Client) -> Result<Option<Difference>> {
        for session in self.model.sessions() {
            let is_readable = session.attributes.values().all(|attribute| self.model.can_open(attribute));
            if let Some(difference) = differs(standby, session, is_readable)? {
                return Ok(Some(difference));
            }
        }
        Ok(None)
    }

    fn count(&mut self, call: &Call, is_answered: bool) {
        let name = format!("{call:?}");
        let name = name.split([' ', '(']).next().unwrap_or_default();
        let (answered, made) = self.tally.entry(name.to_owned()).or_default();
        *answered += usize::from(is_answered);
        *made += 1;
    }

    /// Makes a call; what it should not have answered is told.
    pub fn play(&mut self, call: &Call) -> Result<Option<Difference>> {
        match self.attempt(call)? {
            Played::AsExpected => Ok(None),
            Played::Differs(difference) => Ok(Some(difference)),
            Played::Lost(_) => Ok(Some("the connection was lost".into())),
        }
    }

    /// Makes a call on a server that may crash meanwhile.
    pub fn attempt(&mut self, call: &Call) -> Result<Played> {
        if let Call::Keyring(keys) = call {
            self.set_keyring(keys)?;
        }
        if let Call::Compare = call {
            self.count(call, !self.model.is_aborted() && !self.model.is_caller());
            return Ok(self.compare()?.map_or(Played::AsExpected, Played::Differs));
        }
        let (client, slots) = (&mut self.client, &self.model.slots);
        let mut run = |call: &Call| outcome(client, &call.sql(&|slot| text(&slots[slot])));
        let from = now()?;
        let outcome = match self.fault {
            Some(fault) => fault.answer(call, &mut run),
            None => run(call),
        };
        let at = Window(from, now()? + 1);
        if outcome.as_ref().is_err_and(|state| LOST.contains(&&**state)) {
            return Ok(Played::Lost(self.model.after_loss(call, at)));
        }
        self.count(call, outcome.is_ok());
        let before = (!self.tolerated.is_empty()).then(|| self.model.clone());
        let expected = self.model.step(call, at, &outcome);
        if let (Some(before), Err(state)) = (before, &outcome)
            && self.tolerated.contains(&&**state)
        {
            *self.refused.entry(state.clone()).or_default() += 1;
            self.model = before;
            self.model.refuse();
            return Ok(Played::AsExpected);
        }
        let differs = || format!("answered {outcome:?}, expected {expected:?}");
        Ok(if expected.is(&outcome) { Played::AsExpected } else { Played::Differs(differs()) })
    }

    /// Compares all that is there with the model.
    pub fn compare(&mut self) -> Result<Option<Difference>> {
        if self.model.is_aborted() || self.model.is_caller() {
            return Ok(None);
        }
        let at = now()?;
        self.model.step(&Call::Compare, Window(at, at + 1), &Ok(None));
        let mut problems = Vec::new();
        let (mut sessions, mut attributes, mut sealed) = (0, 0, BTreeMap::new());
        for session in self.model.sessions().filter(|session| session.end != End::Over) {
            sessions += 1;
            attributes += session.attributes.len();
            for attribute in session.attributes.values() {
                attribute.key.into_iter().for_each(|key| *sealed.entry(key).or_insert(0) += 1);
            }
        }
        for session in self.model.sessions() {
            let is_readable = session.attributes.values().all(|attribute| self.model.can_open(attribute));
            problems.extend(differs(&mut self.client, session, is_readable)?);
        }
        let users: Vec<_> = self
            .model
            .users()
            .map(|user| format!("{}|{}|{}|{}", user.username, user.id, user.failures, user.is_locked))
            .collect();
        let found = rows(
            &mut self.client,
            "SELECT format('%s|%s|%s|%s', username, user_id, failures, locked::text) FROM sso_user_list()",
        )?;
        if found != users {
            problems.push(format!("users {found:?}, expected {users:?}"));
        }
        // Sessions that were made older by hand are passed over by the purge, which goes by their ids.
        let young = "created_at > clock_timestamp() - interval '30 d'";
        let counts = rows(
            &mut self.client,
            &format!(
                "SELECT sso_attr_purge();
                 SELECT concat_ws(' ',
                     (SELECT count(*) FROM sso_attr.session WHERE alias_of IS NULL AND {young}),
                     (SELECT count(*) FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id
                      WHERE s.{young}),
                     (SELECT count(*) FROM sso_attr_check()))"
            ),
        )?;
        let expected = format!("{sessions} {attributes} 0");
        if counts.last() != Some(&expected) {
            problems.push(format!("sessions, attributes, faulty rows: {counts:?}, expected {expected}"));
        }
        let sealed: Vec<_> = sealed.iter().map(|(key, count)| format!("{key}: {count}")).collect();
        let found = rows(
            &mut self.client,
            &format!(
                "SELECT format('%s: %s', key, count(*)) FROM (
                     SELECT {KEY_OF_SEALED}
                     FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id
                     WHERE sealed IS NOT NULL AND s.{young}) AS k (key)
                 GROUP BY key ORDER BY key"
            ),
        )?;
        if found != sealed {
            problems.push(format!("sealed with keys {found:?}, expected {sealed:?}"));
        }
        // The key that is primary, and how many values each has sealed: as the table says.
        let mut keys: Vec<_> =
            self.model.keys().iter().zip(0..).map(|(key, place)| (*key, place == 0)).collect();
        keys.sort_unstable();
        let keys: Vec<_> = keys.iter().map(|(key, is_primary)| format!("{key} {is_primary} 0")).collect();
        let found = rows(
            &mut self.client,
            &format!(
                "SELECT concat_ws(' ', key_id, is_primary::text, attributes - (
                     SELECT count(*) FROM sso_attr.attribute WHERE {KEY_OF_SEALED} = key_id))
                 FROM sso_attr_keys() WHERE available ORDER BY key_id"
            ),
        )?;
        if found != keys {
            problems.push(format!("keys {found:?}, expected {keys:?}"));
        }
        Ok((!problems.is_empty()).then(|| problems.join("\n")))
    }
}

const KEY_OF_SEALED: &str = "('x' || encode(substr(sealed, 3, 4), 'hex'))::bit(32)::integer";

/// A keyring file; the bytes of a key are made of its id.
pub fn keyring(keys: &[u32]) -> String {
    keys.iter().map(|id| format!("{id}:{}\n", format!("{id:02}").repeat(32))).collect()
}

/// How a session differs from what is there.
fn differs(client: &mut Client, session: &Session, is_readable: bool) -> Result<Option<Difference>> {
    match look(client, session, is_readable) {
        Ok(difference) => Ok(difference),
        Err(error) => match error.as_db_error() {
            Some(said) => Ok(Some(format!("{}: {said}", session.label))),
            None => Err(error.into()),
        },
    }
}

fn look(
    client: &mut Client,
    session: &Session,
    is_readable: bool,
) -> std::result::Result<Option<Difference>, postgres::Error> {
    let token = text(&session.token);
    let wrong =
        |found: &[String], expected: &str| Some(format!("{}: {found:?}, expected {expected}", session.label));
    if session.end == End::Over || session.token == UNKNOWN {
        return Ok(None);
    }
    let shown = rows(
        client,
        &format!(
            "SELECT concat_ws('|', user_agent, coalesce(user_id, ''), coalesce(current_app, ''),
                 coalesce(host(remote_addr), ''), {}, {}, {}) FROM sso_session_get({token})",
            micros("created_at"),
            micros("last_seen_at"),
            micros("expires_at")
        ),
    )?;
    let [row] = &*shown else { return Ok(wrong(&shown, "one row")) };
    let columns: Vec<_> = row.split('|').collect();
    let origin = &session.origin;
    let [user, app, address] = [session.user, origin.app, origin.address.1].map(Option::unwrap_or_default);
    let is_right = columns[..4] == [&session.label, user, app, address]
        && is_within(columns[4], session.created)
        && is_within(columns[5], session.seen)
        && is_at(columns[6], session.shown_end());
    if !is_right {
        return Ok(wrong(&shown, &format!("{session:?}")));
    }
    if !is_readable {
        return Ok(None);
    }
    let listed = rows(
        client,
        &format!(
            "SELECT concat_ws('|', name, value, encrypted, {}, {}, coalesce({}, '')) FROM sso_attr_list({token})",
            micros("created_at"),
            micros("updated_at"),
            micros("expires_at")
        ),
    )?;
    let there: Vec<_> =
        session.attributes.iter().filter(|(_, attribute)| attribute.end != End::Over).collect();
    let is_right = listed.len() == there.len()
        && listed.iter().zip(there).all(|(row, (name, attribute))| is_listed(row, name, attribute));
    Ok(if is_right { None } else { wrong(&listed, &format!("{session:?}")) })
}

fn is_listed(row: &str, name: &str, attribute: &Attribute) -> bool {
    let columns: Vec<_> = row.split('|').collect();
    let encrypted = if attribute.key.is_some() { "t" } else { "f" };
    columns[..3] == [name, &attribute.json, encrypted]
        && is_within(columns[3], attribute.created)
        && is_within(columns[4], attribute.updated)
        && is_at(columns[5], attribute.end)
}

fn is_within(micros: &str, window: Window) -> bool {
    micros.parse().is_ok_and(|micros| window.holds(micros))
}

fn is_at(micros: &str, end: End) -> bool {
    match end {
        End::At(window) => is_within(micros, window),
        End::Never => micros.is_empty(),
        End::Over => false,
    }
}

fn now() -> Result<i64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as i64)
}

/// The first column of every row.
fn rows(client: &mut Client, sql: &str) -> std::result::Result<Vec<String>, postgres::Error> {
    let messages = client.simple_query(sql)?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

fn outcome(client: &mut Client, sql: &str) -> Outcome {
    match rows(client, sql) {
        Ok(mut rows) => Ok(rows.pop()),
        Err(error) => Err(error.code().map_or(CLOSED, |state| state.code()).to_owned()),
    }
}
