//! The contract as plain data: what every call answers and what is there afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{
    ARGUMENT, Answer, DENIED, EXISTS, Expected, MISSING, NO_CLUSTER, NO_KEY, NOT_LIVE, Outcome,
};
use super::arguments::{
    check_address, check_app, check_most, checked, new_name, new_password, read_items, required_or_none,
};
use super::call::{ADOPTABLE, Call, FOREIGN, Lookup, LookupMany, Name, Origin, SLOTS, Ttl, Ust, Value, Verb};
use super::json::{are_equal, object, unquoted};
use super::number::Number;
use super::rights::{Kind, kind, kinds};
use super::session::{Attribute, Session, UNKNOWN, protection, put, renew, set_expiry};
use super::time::{CAP, DEFAULT_TTL, End, EndAndIdle, Window, after, capped, ends};

#[derive(Debug, Clone)]
pub struct User {
    pub username: &'static str,
    pub id: &'static str,
    password: &'static str,
    pub failures: u32,
    pub is_locked: bool,
}

/// What a rollback takes back.
#[derive(Debug, Clone, Default)]
struct State {
    sessions: Vec<Session>,
    /// By the name in lower case.
    users: BTreeMap<String, User>,
    /// The session that an adopted token leads to, or once led to.
    adopted: BTreeMap<&'static str, usize>,
    current: Option<String>,
    granted: BTreeSet<Kind>,
    is_caller: bool,
}

#[derive(Debug, Clone)]
pub struct Model {
    state: State,
    /// The state when the transaction began, and at its savepoints.
    begun: Option<State>,
    savepoints: Vec<(usize, State)>,
    aborted: bool,
    /// The tokens that the client holds; no rollback changes them.
    pub slots: [String; SLOTS],
    keys: &'static [u32],
}

pub const FIRST_KEYS: &[u32] = &[1];

impl Default for Model {
    fn default() -> Model {
        Model {
            state: State::default(),
            begun: None,
            savepoints: Vec::new(),
            aborted: false,
            slots: std::array::from_fn(|slot| format!("a token that was never issued {slot}")),
            keys: FIRST_KEYS,
        }
    }
}

impl Model {
    pub fn is_aborted(&self) -> bool {
        self.aborted
    }

    pub fn is_in_transaction(&self) -> bool {
        self.begun.is_some()
    }

    /// The numbers of the savepoints that there are.
    pub fn savepoints(&self) -> Vec<usize> {
        self.savepoints.iter().map(|(number, _)| *number).collect()
    }

    /// The slots whose tokens are those of live sessions.
    pub fn live_slots(&self) -> Vec<usize> {
        (0..SLOTS).filter(|slot| self.find_token(&self.slots[*slot]).is_some()).collect()
    }

    /// The attributes of a live session.
    pub fn attributes(&self, ust: &Ust) -> Option<&BTreeMap<String, Attribute>> {
        Some(&self.state.sessions[self.find(ust).ok()?].attributes)
    }

    /// The ids of the keyring, the primary one first.
    pub fn keys(&self) -> &'static [u32] {
        self.keys
    }

    pub fn is_caller(&self) -> bool {
        self.state.is_caller
    }

    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.state.sessions.iter()
    }

    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.state.users.values()
    }

    pub fn can_open(&self, attribute: &Attribute) -> bool {
        attribute.key.is_none_or(|key| self.keys.contains(&key))
    }

    /// Makes the call, `outcome` being what the server answered within `at`: new tokens, and times
    /// that the contract leaves open, are taken from it.
    pub fn step(&mut self, call: &Call, at: Window, outcome: &Outcome) -> Expected {
        if let Call::Keyring(keys) = call {
            self.keys = keys;
            return Expected::Text(None);
        }
        if let Some(answer) = self.transact(call) {
            return answer.unwrap_or_else(Expected::Error);
        }
        if self.aborted {
            return Expected::Error("25P02");
        }
        self.forget_expired(at);
        let before = self.state.clone();
        let answer = match kind(call) {
            Some(kind) if self.state.is_caller && !self.state.granted.contains(&kind) => Err(DENIED),
            _ => self.answer(call, at, outcome),
        };
        if answer.is_err() {
            self.state = before;
            self.aborted = self.begun.is_some();
        } else if let (Some(slot), Ok(Some(token))) = (call.fills(), outcome) {
            self.slots[slot].clone_from(token);
        }
        if self.begun.is_none() {
            self.state.current = None;
        }
        answer.unwrap_or_else(Expected::Error)
    }

    /// What there can be when the connection is lost in the middle of a call, the likelier first: all that
    /// the call would have done or nothing of it, and without a commit nothing of its transaction.
    pub fn after_loss(&self, call: &Call, at: Window) -> Vec<Model> {
        let (mut done, mut not_done) = (self.clone(), self.clone());
        done.step(call, at, &Err("nobody knows".into()));
        done.disconnect();
        not_done.disconnect();
        vec![not_done, done]
    }

    /// A call that is no command of a transaction has failed for a reason that is not the contract's.
    pub fn refuse(&mut self) {
        self.aborted = self.begun.is_some();
    }

    /// What is committed, and what there would be if the transaction committed, where there is one.
    pub fn prepare(&self) -> [Model; 2] {
        let (mut rolled_back, mut committed) = (self.clone(), self.clone());
        rolled_back.disconnect();
        committed.begun = None;
        committed.disconnect();
        [rolled_back, committed]
    }

    fn disconnect(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.state = begun;
        }
        self.savepoints.clear();
        self.aborted = false;
        self.state.current = None;
        self.state.is_caller = false;
    }

    /// What PostgreSQL says to transaction commands.
    fn transact(&mut self, call: &Call) -> Option<Answer> {
        let done = Some(Ok(Expected::Text(None)));
        match call {
            Call::Begin if self.aborted => Some(Err("25P02")),
            Call::Begin => {
                // Only a warning where there is a transaction.
                self.begun.get_or_insert_with(|| self.state.clone());
                done
            }
            Call::Commit | Call::Rollback => {
                let begun = self.begun.take();
                if let Some(begun) = begun
                    && (self.aborted || matches!(call, Call::Rollback))
                {
                    self.state = begun;
                }
                self.aborted = false;
                self.savepoints.clear();
                self.state.current = None;
                done
            }
            Call::Savepoint(_) | Call::RollbackTo(_) | Call::Release(_) if self.begun.is_none() => {
                Some(Err("25P01"))
            }
            Call::Savepoint(_) | Call::Release(_) if self.aborted => Some(Err("25P02")),
            Call::Savepoint(number) => {
                self.savepoints.push((*number, self.state.clone()));
                done
            }
            Call::RollbackTo(number) | Call::Release(number) => {
                let Some(at) = self.savepoints.iter().rposition(|(name, _)| name == number) else {
                    self.aborted = true;
                    return Some(Err("3B001"));
                };
                if matches!(call, Call::RollbackTo(_)) {
                    self.savepoints.truncate(at + 1);
                    self.state = self.savepoints[at].1.clone();
                    self.aborted = false;
                } else {
                    self.savepoints.truncate(at);
                }
                done
            }
            _ => None,
        }
    }

    fn forget_expired(&mut self, at: Window) {
        for session in &mut self.state.sessions {
            session.attributes.retain(|_, attribute| attribute.end != End::Over);
            if session.end == End::Over || session.created.0 + CAP <= at.1 {
                session.end = End::Over;
                session.attributes.clear();
            }
        }
    }

    fn token(&self, ust: &Ust) -> Option<&str> {
        match ust {
            Ust::Slot(slot) => Some(&self.slots[*slot]),
            Ust::Foreign(number) => Some(FOREIGN[*number]),
            Ust::Null => None,
            Ust::Malformed => Some("sso_AAAA"),
        }
    }

    fn find(&self, ust: &Ust) -> Result<usize, &'static str> {
        self.token(ust).and_then(|token| self.find_token(token)).ok_or(NOT_LIVE)
    }

    fn find_token(&self, token: &str) -> Option<usize> {
        self.state.sessions.iter().position(|session| session.end != End::Over && session.token == token)
    }

    fn live(&mut self, ust: &Ust) -> Result<&mut Session, &'static str> {
        let place = self.find(ust)?;
        Ok(&mut self.state.sessions[place])
    }

    fn current(&self) -> Option<usize> {
        self.find_token(self.state.current.as_deref()?)
    }

    fn is_live(&self, place: usize) -> bool {
        self.state.sessions[place].end != End::Over
    }

    /// The places of a user's live sessions, newest first.
    fn of_user(&self, user: &str) -> Vec<usize> {
        let sessions = &self.state.sessions;
        let mut places: Vec<_> = (0..sessions.len())
            .filter(|place| self.is_live(*place) && sessions[*place].user == Some(user))
            .collect();
        places.sort_by_key(|place| std::cmp::Reverse(sessions[*place].created.0));
        places
    }

    fn end(&mut self, place: usize) {
        self.state.sessions[place].end = End::Over;
        self.state.sessions[place].attributes.clear();
    }

    /// Has an adopted token lead to a session, if no live one holds it.
    fn adopt(&mut self, token: &'static str, place: usize) -> Result<(), &'static str> {
        if self.state.adopted.get(token).is_some_and(|holder| self.is_live(*holder)) {
            return Err(EXISTS);
        }
        self.state.adopted.insert(token, place);
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "they are the SQL function's")]
    fn open_session(
        &mut self,
        origin: &Origin,
        user: Name,
        (end, idle): EndAndIdle,
        ust: Option<usize>,
        keep_newest: Option<i32>,
        at: Window,
        outcome: &Outcome,
    ) -> Answer {
        let place = self.state.sessions.len();
        if let Some(ust) = ust {
            self.adopt(FOREIGN[ust], place)?;
        }
        if let (Some(user), Some(keep)) = (user, keep_newest) {
            for over in self.of_user(user).into_iter().skip(keep as usize - 1) {
                self.end(over);
            }
        }
        let token = ust.map(|ust| FOREIGN[ust].to_owned());
        self.state.sessions.push(Session {
            label: format!("s{}", origin.label),
            origin: *origin,
            is_alias: false,
            user,
            token: token
                .clone()
                .or_else(|| outcome.clone().ok().flatten())
                .unwrap_or_else(|| UNKNOWN.to_owned()),
            created: at,
            seen: at,
            end: capped(end, at),
            idle,
            attributes: BTreeMap::new(),
        });
        Ok(token.map_or(Expected::Token, Expected::some))
    }

    /// Ends all sessions of a user, except one that must be there; returns how many.
    fn end_others(&mut self, user: &str, keep: Option<&Ust>) -> Result<usize, &'static str> {
        // NULL keeps none.
        let kept = match keep.and_then(|keep| self.token(keep)) {
            None => None,
            Some(token) => {
                let kept = self.find_token(token).ok_or(NOT_LIVE)?;
                if self.state.sessions[kept].user != Some(user) {
                    return Err(NOT_LIVE);
                }
                Some(kept)
            }
        };
        let over: Vec<_> = self.of_user(user).into_iter().filter(|place| Some(*place) != kept).collect();
        over.iter().for_each(|place| self.end(*place));
        Ok(over.len())
    }

    /// The id of a user whose password that is and who is not locked; a wrong one is counted.
    fn authenticate(&mut self, username: Name, password: Name) -> Name {
        let (username, password) = (username?, password?);
        let user = self.state.users.get_mut(&username.to_lowercase()).filter(|user| !user.is_locked)?;
        user.failures = if user.password == password { 0 } else { user.failures + 1 };
        (user.failures == 0).then_some(user.id)
    }

    fn user(&mut self, username: Name) -> Result<&mut User, &'static str> {
        self.state.users.get_mut(&new_name(username)?.to_lowercase()).ok_or(MISSING)
    }

    fn open(&self, attribute: &Attribute) -> Result<String, &'static str> {
        if self.can_open(attribute) { Ok(attribute.json.clone()) } else { Err(NO_KEY) }
    }

    fn answer(&mut self, call: &Call, at: Window, outcome: &Outcome) -> Answer {
        let primary = self.keys[0];
        let text = |text: Option<String>| Ok(Expected::Text(text));
        match call {
            Call::Open { origin, user, deadline, ust, keep_newest, .. } => {
                check_address(origin)?;
                let user = required_or_none(*user)?;
                check_app(origin)?;
                let (end, idle) = ends(*deadline, at)?.map_or_else(|| after(DEFAULT_TTL, at), Ok)?;
                if keep_newest.is_some_and(|keep| keep < 1) || ust.is_some_and(|ust| ust >= ADOPTABLE) {
                    return Err(ARGUMENT);
                }
                if keep_newest.is_some() && user.is_none() {
                    return Err(ARGUMENT);
                }
                self.open_session(origin, user, (end, idle), *ust, *keep_newest, at, outcome)
            }
            Call::Rotate { ust, user, new, .. } => {
                let user = required_or_none(*user)?;
                if new.is_some_and(|new| new >= ADOPTABLE) {
                    return Err(ARGUMENT);
                }
                let place = self.find(ust)?;
                if let Some(new) = new {
                    self.adopt(FOREIGN[*new], place)?;
                }
                let session = &mut self.state.sessions[place];
                match (session.user, user) {
                    (Some(bound), Some(user)) if bound != user => return Err(ARGUMENT),
                    (None, Some(user)) => session.user = Some(user),
                    _ => {}
                }
                let token = new.map(|new| FOREIGN[new].to_owned());
                session.is_alias = new.is_some();
                session.token = token
                    .clone()
                    .or_else(|| outcome.clone().ok().flatten())
                    .unwrap_or_else(|| UNKNOWN.to_owned());
                Ok(token.map_or(Expected::Token, Expected::some))
            }
            Call::Renew { ust, deadline } => {
                let asked = ends(*deadline, at)?;
                renew(self.live(ust)?, asked, at, outcome)
            }
            Call::Save { ust, changed, removed, deadline, replace, encrypt } => {
                if encrypt.contains(&None) {
                    return Err(ARGUMENT);
                }
                // An object keeps the last of equal names, and has the shorter ones first.
                let changed: BTreeMap<(usize, &str), Value> =
                    changed.iter().map(|(name, value)| ((name.len(), *name), *value)).collect();
                changed.keys().try_for_each(|(_, name)| new_name(Some(name)).map(|_| ()))?;
                if removed.contains(&None) || changed.keys().any(|(_, name)| removed.contains(&Some(name))) {
                    return Err(ARGUMENT);
                }
                let asked = ends(*deadline, at)?;
                let session = self.live(ust)?;
                session.attributes.retain(|name, _| {
                    let is_changed = changed.contains_key(&(name.len(), name.as_str()));
                    is_changed || !(*replace || removed.contains(&Some(name.as_str())))
                });
                for ((_, name), value) in changed {
                    let sealed = encrypt.contains(&Some(name)).then_some(true);
                    put(session, name, value.1, Ttl::None, sealed, at, primary);
                }
                renew(session, asked, at, outcome)
            }
            Call::End { ust } => {
                let found = self.find(ust);
                if let Ok(place) = found {
                    self.end(place);
                }
                Ok(Expected::some(found.is_ok()))
            }
            Call::EndAll { user, keep } => {
                let user = required_or_none(*user)?.ok_or(ARGUMENT)?;
                Ok(Expected::some(self.end_others(user, keep.as_ref())?))
            }
            Call::EndOne { user, owner, nth } => {
                let user = required_or_none(*user)?.ok_or(ARGUMENT)?;
                let place = *self.of_user(owner).get(*nth).ok_or(ARGUMENT)?;
                if user == *owner {
                    self.end(place);
                }
                Ok(Expected::some(user == *owner))
            }
            Call::Verify { ust } => Ok(Expected::some(self.find(ust).is_ok())),
            Call::Show { ust } => Ok(Expected::some(&self.live(ust)?.label)),
            Call::Load { ust } => match self.find(ust) {
                Err(_) => text(None),
                Ok(place) => Ok(Expected::some(self.object(place)?)),
            },
            Call::List { user } => {
                let user = required_or_none(*user)?.ok_or(ARGUMENT)?;
                let places = self.of_user(user);
                let labels: Vec<_> = places.iter().map(|place| &*self.state.sessions[*place].label).collect();
                text((!labels.is_empty()).then(|| labels.join(",")))
            }
            Call::Use { ust } => {
                let token = self.token(ust).map(str::to_owned);
                self.state.current = token.filter(|token| self.find_token(token).is_some());
                Ok(Expected::some(self.state.current.is_some()))
            }
            Call::SessionId { ust } => {
                let is_token = |token: &&str| match token.strip_prefix("sso_") {
                    Some(rest) => rest.len() == 64,
                    None => (22..=512).contains(&token.chars().count()),
                };
                Ok(Expected::some(match (self.token(ust).filter(is_token), self.find(ust)) {
                    (None, _) => "none".to_owned(),
                    (_, Err(_)) => "not live".to_owned(),
                    (_, Ok(place)) => (!self.state.sessions[place].is_alias).to_string(),
                }))
            }
            Call::CurrentUser => {
                let current = self.current();
                text(current.and_then(|place| self.state.sessions[place].user).map(str::to_owned))
            }
            Call::CurrentSession { ust } => {
                let place = self.find(ust)?;
                text(self.current().map(|current| (current == place).to_string()))
            }
            Call::CurrentAttribute { name } => {
                let name = name.ok_or(ARGUMENT)?;
                let current = self.current();
                let found = current.and_then(|place| self.state.sessions[place].attributes.get(name));
                text(found.map(|attribute| self.open(attribute)).transpose()?)
            }

            Call::Write { verb, ust, name, value, expiration, encrypt, .. } => {
                let name = new_name(*name)?;
                let ttl = checked(expiration.2)?;
                let session = self.live(ust)?;
                let was_there = session.attributes.contains_key(name);
                match verb {
                    Verb::Create if was_there => return Err(EXISTS),
                    Verb::Update if !was_there => return Err(MISSING),
                    _ => put(session, name, value.1, ttl, protection(*verb, *encrypt), at, primary),
                }
                Ok(Expected::some(*verb != Verb::Set || !was_there))
            }
            Call::CompareAndSet { ust, name, expected, value, expiration, encrypt } => {
                let name = new_name(*name)?;
                let ttl = checked(expiration.2)?;
                let place = self.find(ust)?;
                let found = self.state.sessions[place].attributes.get(name).ok_or(MISSING)?;
                let is_expected = are_equal(&self.open(found)?, expected.1);
                if is_expected {
                    put(&mut self.state.sessions[place], name, value.1, ttl, *encrypt, at, primary);
                }
                Ok(Expected::some(is_expected))
            }
            Call::Increment { ust, name, by, expiration } => {
                let by = Number::parse(by).ok_or(ARGUMENT)?;
                let name = new_name(*name)?;
                let ttl = checked(expiration.2)?;
                let place = self.find(ust)?;
                let found = self.state.sessions[place].attributes.get(name);
                let (sum, ttl) = match found.map(|found| self.open(found)).transpose()? {
                    None => (by, ttl),
                    Some(json) => (Number::parse(&json).ok_or(ARGUMENT)?.plus(by), Ttl::None),
                };
                let sum = sum.to_string();
                put(&mut self.state.sessions[place], name, &sum, ttl, None, at, primary);
                text(Some(sum))
            }
            Call::SetExpiry { ust, name, expiration } => {
                let name = new_name(*name)?;
                let ttl = checked(expiration.2)?;
                let found = self.live(ust)?.attributes.get_mut(name).ok_or(MISSING)?;
                set_expiry(found, ttl, at);
                Ok(Expected::some(true))
            }
            Call::Lookup { verb, ust, name } => {
                let name = name.ok_or(ARGUMENT)?;
                let place = self.find(ust)?;
                let found = self.state.sessions[place].attributes.get(name);
                let is_there = found.is_some();
                let value = || found.map(|found| self.open(found)).transpose();
                let answer = match verb {
                    Lookup::Get | Lookup::Take => Expected::Text(value()?),
                    Lookup::GetText => Expected::Text(value()?.and_then(|json| unquoted(&json))),
                    Lookup::Exists | Lookup::Delete => Expected::some(is_there),
                };
                if matches!(verb, Lookup::Take | Lookup::Delete) {
                    self.state.sessions[place].attributes.remove(name);
                }
                Ok(answer)
            }
            Call::Names { ust } => {
                let names: Vec<_> = self.live(ust)?.attributes.keys().map(String::as_str).collect();
                text((!names.is_empty()).then(|| names.join(",")))
            }
            Call::GetAll { ust } => {
                let place = self.find(ust)?;
                Ok(Expected::some(self.object(place)?))
            }
            Call::ListAttributes { ust } => {
                let place = self.find(ust)?;
                let row = |(name, attribute): (&String, &Attribute)| {
                    let encrypted = if attribute.key.is_some() { "t" } else { "f" };
                    Ok(format!("{name}={}={encrypted}", self.open(attribute)?))
                };
                let rows: Result<Vec<_>, _> = self.state.sessions[place].attributes.iter().map(row).collect();
                text(Some(rows?.join(",")).filter(|rows| !rows.is_empty()))
            }
            Call::WriteMany { verb, ust, items, expiration, encrypt } => {
                let read = read_items(items, *expiration)?;
                if *verb == Verb::Create && read.len() < items.len() {
                    return Err(EXISTS);
                }
                let session = self.live(ust)?;
                let is_there = |name: &&str| session.attributes.contains_key(*name);
                match verb {
                    Verb::Create if read.keys().any(is_there) => return Err(EXISTS),
                    Verb::Update if !read.keys().all(is_there) => return Err(MISSING),
                    _ => {}
                }
                for (name, (item, ttl)) in read {
                    let sealed = protection(*verb, item.encrypt.unwrap_or(*encrypt));
                    put(session, name, item.value.1, ttl, sealed, at, primary);
                }
                Ok(Expected::some(items.len()))
            }
            Call::SetExpiryMany { ust, items, expiration } => {
                let read = read_items(items, *expiration)?;
                let session = self.live(ust)?;
                for (name, (_, ttl)) in read {
                    set_expiry(session.attributes.get_mut(name).ok_or(MISSING)?, ttl, at);
                }
                Ok(Expected::some(items.len()))
            }
            Call::LookupMany { verb, ust, names } => {
                let names: Option<BTreeSet<&str>> = names.iter().copied().collect();
                let names = names.ok_or(ARGUMENT)?;
                let place = self.find(ust)?;
                let attributes = &self.state.sessions[place].attributes;
                let mut entries = Vec::new();
                for name in &names {
                    let found = attributes.get(*name);
                    let value = match verb {
                        LookupMany::Get => found.map_or(Ok("null".to_owned()), |found| self.open(found))?,
                        _ => found.is_some().to_string(),
                    };
                    entries.push((*name, value));
                }
                if *verb == LookupMany::Delete {
                    let before = attributes.len();
                    let attributes = &mut self.state.sessions[place].attributes;
                    attributes.retain(|name, _| !names.contains(name.as_str()));
                    return Ok(Expected::some(before - attributes.len()));
                }
                Ok(Expected::some(object(entries)))
            }

            Call::CreateUser { username, password, user } => {
                let username = new_name(*username)?;
                let password = new_password(*password)?;
                let key = username.to_lowercase();
                let is_taken = |(known, other): (&String, &User)| *known == key || other.id == *user;
                if self.state.users.iter().any(is_taken) {
                    return Err(EXISTS);
                }
                let new = User { username, id: user, password, failures: 0, is_locked: false };
                self.state.users.insert(key, new);
                Ok(Expected::some(user))
            }
            Call::Login { origin, username, password, expiration, ust, keep_newest, .. } => {
                check_address(origin)?;
                check_app(origin)?;
                let ttl = if expiration.2 == Ttl::None { DEFAULT_TTL } else { expiration.2 };
                let ends = after(ttl, at)?;
                if keep_newest.is_some_and(|keep| keep < 1) || ust.is_some_and(|ust| ust >= ADOPTABLE) {
                    return Err(ARGUMENT);
                }
                match self.authenticate(*username, *password) {
                    None => text(None),
                    user => self.open_session(origin, user, ends, *ust, *keep_newest, at, outcome),
                }
            }
            Call::VerifyUser { username, password } => {
                Ok(Expected::some(self.authenticate(*username, *password).is_some()))
            }
            Call::SetPassword { username, password, keep } => {
                new_name(*username)?;
                let password = new_password(*password)?;
                if matches!(keep, Some(Ust::Malformed | Ust::Foreign(ADOPTABLE..))) {
                    return Err(NOT_LIVE);
                }
                let user = self.user(*username)?;
                (user.password, user.failures) = (password, 0);
                let id = user.id;
                self.end_others(id, keep.as_ref())?;
                text(Some(String::new()))
            }
            Call::Lock { username, until } => {
                self.user(*username)?.is_locked = until.is_none_or(|seconds| seconds > 0);
                Ok(Expected::some(true))
            }
            Call::Unlock { username } => {
                let user = self.user(*username)?;
                (user.is_locked, user.failures) = (false, 0);
                Ok(Expected::some(true))
            }
            Call::DeleteUser { username } => {
                let deleted = self.state.users.remove(&username.ok_or(ARGUMENT)?.to_lowercase());
                if let Some(user) = &deleted {
                    self.end_others(user.id, None)?;
                }
                Ok(Expected::some(deleted.is_some()))
            }
            Call::UserExists { username } => {
                let key = username.ok_or(ARGUMENT)?.to_lowercase();
                Ok(Expected::some(self.state.users.contains_key(&key)))
            }

            Call::ListUsers => {
                let names: Vec<_> = self.users().map(|user| user.username).collect();
                text(Some(names.join(",")).filter(|names| !names.is_empty()))
            }

            Call::MoveAttribute { .. } | Call::MoveSession { .. } | Call::Age { .. }
                if self.state.is_caller =>
            {
                Err(DENIED)
            }
            Call::MoveAttribute { ust, name } => {
                let found = self.live(ust).ok().and_then(|session| session.attributes.remove(*name));
                Ok(Expected::some(u8::from(found.is_some())))
            }
            Call::MoveSession { ust } => {
                let found = self.find(ust);
                if let Ok(place) = found {
                    self.end(place);
                }
                Ok(Expected::some(u8::from(found.is_ok())))
            }
            Call::Age { ust, hours } => {
                let found = self.live(ust);
                let is_live = found.is_ok();
                if let Ok(session) = found {
                    session.created = session.created.plus(-hours * 3_600_000_000);
                }
                Ok(Expected::some(u8::from(is_live)))
            }
            Call::Purge { most } => {
                check_most(*most)?;
                Ok(Expected::Anything)
            }
            Call::Rekey { most } => {
                check_most(*most)?;
                let keys = self.keys;
                for session in &mut self.state.sessions {
                    for key in session.attributes.values_mut().filter_map(|attribute| attribute.key.as_mut())
                    {
                        if keys.contains(key) {
                            *key = primary;
                        }
                    }
                }
                Ok(Expected::Anything)
            }
            Call::Figures(_) => Ok(Expected::some(true)),
            Call::CheckRows => Ok(Expected::some(0)),
            Call::Distribute => Err(NO_CLUSTER),
            Call::SetLogged(_) => text(Some(String::new())),
            Call::Grant(what) => {
                self.state.granted.extend(kinds(what));
                text(Some(String::new()))
            }
            Call::Revoke(what) => {
                kinds(what).iter().for_each(|kind| {
                    self.state.granted.remove(kind);
                });
                text(Some(String::new()))
            }
            Call::Role { caller } => {
                self.state.is_caller = *caller;
                text(None)
            }
            _ => Ok(Expected::Anything),
        }
    }

    fn object(&self, place: usize) -> Result<String, &'static str> {
        let attributes = &self.state.sessions[place].attributes;
        let entries: Result<Vec<_>, _> =
            attributes.iter().map(|(name, attribute)| Ok((name.as_str(), self.open(attribute)?))).collect();
        Ok(object(entries?))
    }
}
