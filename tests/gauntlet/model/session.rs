//! A session with its attributes, and what writing and renewing do to it.

use std::collections::BTreeMap;

use super::answer::{Answer, Expected, Outcome, fits};
use super::call::{Name, Origin, Ttl, Verb};
use super::time::{End, EndAndIdle, Window, capped, end_of};

#[derive(Debug, Clone)]
pub struct Attribute {
    pub json: String,
    /// The id of the key that it is sealed with.
    pub key: Option<u32>,
    pub created: Window,
    pub updated: Window,
    pub end: End,
}

#[derive(Debug, Clone)]
pub struct Session {
    pub label: String,
    pub origin: Origin,
    pub user: Name,
    pub token: String,
    /// Whether the token is one that was adopted when the session had an id already.
    pub is_alias: bool,
    pub created: Window,
    pub seen: Window,
    pub end: End,
    /// In microseconds, between two bounds; `None` is for ever.
    pub idle: Option<Window>,
    pub attributes: BTreeMap<String, Attribute>,
}

/// In place of a token that the server has issued and nobody has read.
pub const UNKNOWN: &str = "(unknown)";

impl Session {
    /// The end as it is shown: never past the cap.
    pub fn shown_end(&self) -> End {
        capped(self.end, self.created)
    }
}

/// Only create takes NULL for false.
pub fn protection(verb: Verb, encrypt: Option<bool>) -> Option<bool> {
    if verb == Verb::Create { Some(encrypt.unwrap_or(false)) } else { encrypt }
}

pub fn put(
    session: &mut Session,
    name: &str,
    json: &str,
    ttl: Ttl,
    sealed: Option<bool>,
    at: Window,
    primary: u32,
) {
    let former = session.attributes.get(name);
    let sealed = sealed.unwrap_or(former.is_some_and(|former| former.key.is_some()));
    let end = match ttl {
        Ttl::None => former.map_or(End::Never, |former| former.end),
        ttl => end_of(ttl, at),
    };
    let attribute = Attribute {
        json: json.to_owned(),
        key: sealed.then_some(primary),
        created: former.map_or(at, |former| former.created),
        updated: at,
        end,
    };
    session.attributes.insert(name.to_owned(), attribute);
}

pub fn set_expiry(attribute: &mut Attribute, ttl: Ttl, at: Window) {
    attribute.end = end_of(ttl, at);
    attribute.updated = at;
}

/// Moves a session's end, unless it would move by less than a granule.
pub fn renew(session: &mut Session, asked: Option<EndAndIdle>, at: Window, outcome: &Outcome) -> Answer {
    let (end, idle) = match asked {
        Some(asked) => asked,
        None => match session.idle {
            None => (End::Never, None),
            Some(Window(from, to)) => (End::At(Window(at.0 + from, at.1 + to)), Some(Window(from, to))),
        },
    };
    let current = capped(session.end, session.created);
    let wanted = capped(end, session.created);
    let (End::At(now), End::At(then)) = (current, wanted) else {
        // Over at once, with the time of the call; a short idle limit may make that a microsecond later.
        session.end = End::Over;
        session.attributes.clear();
        return Ok(Expected::Time(vec![Some(Window(at.0, at.1 + 1))]));
    };
    let granule = idle.map_or(60_000_000, |idle| (idle.1 / 360).min(60_000_000));
    let least = if then.0 > now.1 { then.0 - now.1 } else { (now.0 - then.1).max(0) };
    let most = (then.1 - now.0).max(now.1 - then.0);
    let may_stay = least < granule;
    let may_move = most >= granule;
    // Where the answer was lost, either.
    let may_be = |window| outcome.as_ref().map_or(true, |text| fits(Some(window), text));
    let (stayed, moved) = (may_stay && may_be(now), may_move && may_be(then));
    if moved {
        session.seen = if stayed { session.seen.or(at) } else { at };
        session.end = End::At(if stayed { now.or(then) } else { then });
    }
    let windows = [may_stay.then_some(now), may_move.then_some(then)];
    Ok(Expected::Time(windows.into_iter().flatten().map(Some).collect()))
}
