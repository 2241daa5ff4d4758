//! Makes calls on a server and on the model, and tells where they differ.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use postgres::{Client, SimpleQueryMessage};
use sso_attr_client_tests::{Result, SOON, Server, wait_until};

use crate::call::{Call, micros, text};
use crate::contract::{Attribute, End, FIRST_KEYS, Model, Outcome, Session, Window};
use crate::faulty::Fault;

pub struct Player<'a> {
    server: &'a Server,
    client: Client,
    keys: &'static [u32],
    fault: Option<Fault>,
    pub model: Model,
    /// Of every call by name: how many answered and how many were made.
    pub tally: BTreeMap<String, (usize, usize)>,
}

/// What the server answered and what it should have.
pub type Difference = String;

impl<'a> Player<'a> {
    pub fn new(server: &'a Server, fault: Option<Fault>) -> Result<Player<'a>> {
        let mut client = server.connect("postgres")?;
        client.batch_execute("CREATE ROLE caller; SET client_min_messages = error")?;
        let mut player =
            Player { server, client, keys: &[], fault, model: Model::default(), tally: BTreeMap::new() };
        player.set_keyring(FIRST_KEYS)?;
        Ok(player)
    }

    /// Back to a server without sessions and grants.
    pub fn start_afresh(&mut self) -> Result {
        if self.client.is_closed() {
            wait_until("the server is back", SOON, || {
                Ok(self.server.connect("postgres").map(|client| self.client = client).is_ok())
            })?;
        }
        self.client.batch_execute(
            "ROLLBACK; RESET ROLE; SET client_min_messages = error;
             SELECT sso_attr_revoke('caller', what) FROM unnest('{app,operator}'::text[]) AS what;
             TRUNCATE sso_attr.session CASCADE",
        )?;
        self.set_keyring(FIRST_KEYS)?;
        self.model = Model::default();
        Ok(())
    }

    /// The bytes of a key are made of its id.
    fn set_keyring(&mut self, keys: &'static [u32]) -> Result {
        if self.keys != keys {
            let lines: Vec<_> =
                keys.iter().map(|id| format!("{id}:{}\n", format!("{id:02}").repeat(32))).collect();
            self.server.set_keyring(&lines.concat())?;
            self.keys = keys;
        }
        Ok(())
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
        if let Call::Keyring(keys) = call {
            self.set_keyring(keys)?;
        }
        if let Call::Compare = call {
            self.count(call, !self.model.is_aborted() && !self.model.is_caller());
            return self.compare();
        }
        let (client, slots) = (&mut self.client, &self.model.slots);
        let mut run = |call: &Call| outcome(client, &call.sql(&|slot| text(&slots[slot])));
        let from = now()?;
        let outcome = match self.fault {
            Some(fault) => fault.answer(call, &mut run),
            None => run(call),
        };
        self.count(call, outcome.is_ok());
        let expected = self.model.step(call, Window(from, now()? + 1), &outcome);
        Ok((!expected.is(&outcome)).then(|| format!("answered {outcome:?}, expected {expected:?}")))
    }

    /// Compares all that is there with the model.
    fn compare(&mut self) -> Result<Option<Difference>> {
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
                     SELECT ('x' || encode(substr(sealed, 3, 4), 'hex'))::bit(32)::integer
                     FROM sso_attr.attribute AS a JOIN sso_attr.session AS s ON s.id = a.session_id
                     WHERE sealed IS NOT NULL AND s.{young}) AS k (key)
                 GROUP BY key ORDER BY key"
            ),
        )?;
        if found != sealed {
            problems.push(format!("sealed with keys {found:?}, expected {sealed:?}"));
        }
        Ok((!problems.is_empty()).then(|| problems.join("\n")))
    }
}

/// How a session differs from what is there.
fn differs(client: &mut Client, session: &Session, is_readable: bool) -> Result<Option<Difference>> {
    let token = text(&session.token);
    let wrong =
        |found: &[String], expected: &str| Some(format!("{}: {found:?}, expected {expected}", session.label));
    if session.end == End::Over {
        return Ok(None);
    }
    let shown = rows(
        client,
        &format!(
            "SELECT concat_ws('|', user_agent, coalesce(user_id, ''), {}, {}, {}) FROM sso_session_get({token})",
            micros("created_at"),
            micros("last_seen_at"),
            micros("expires_at")
        ),
    )?;
    let [row] = &*shown else { return Ok(wrong(&shown, "one row")) };
    let columns: Vec<_> = row.split('|').collect();
    let is_right = columns[..2] == [session.label.as_str(), session.user.unwrap_or_default()]
        && is_within(columns[2], session.created)
        && is_within(columns[3], session.seen)
        && is_at(columns[4], session.shown_end());
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
    let is_right = listed.len() == session.attributes.len()
        && listed
            .iter()
            .zip(&session.attributes)
            .all(|(row, (name, attribute))| is_listed(row, name, attribute));
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
        Err(error) => Err(error.code().map_or_else(|| error.to_string(), |state| state.code().to_owned())),
    }
}
