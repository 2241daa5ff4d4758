//! What a line of the audit says about a call.
//!
//! A line cannot hold a value, a password or a key: no field takes one. Its only texts are those that
//! identify a session and its attributes; a token that stands in place of one of them is left out.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::expiry::Timestamp;
use crate::token;

/// The most names in a line, and the most bytes of them.
const MOST_NAMES: usize = 100;
const MOST_BYTES: usize = 64 * 1024;
/// The most characters of a text: an attribute's name has no more.
const MOST_CHARS: usize = 255;

/// The outcome of a call that raised no error and was not refused.
const DONE: &str = "00000";
/// The outcome of a call whose caller did not prove what it must.
const REFUSED: &str = "28000";

/// A line, filled while its call runs. What is not known is not in it.
#[derive(Debug, Serialize)]
pub struct Line {
    #[serde(serialize_with = "rfc3339")]
    time: Timestamp,
    verb: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_session_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    role: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_role: Option<Text>,
    /// Bytes of the names.
    #[serde(skip)]
    bytes: usize,
}

impl Line {
    /// For a call of the SQL function `verb`.
    pub fn new(verb: &'static str, time: Timestamp) -> Line {
        Line {
            time,
            verb,
            outcome: DONE,
            reason: None,
            session_id: None,
            claimed_session_id: None,
            user_id: None,
            application: None,
            names: Vec::new(),
            count: None,
            role: Text::new(""),
            session_role: None,
            bytes: 0,
        }
    }

    /// The session that a token names, whether or not it proves the right to it.
    pub fn claimed(&mut self, session: Uuid) {
        self.claimed_session_id = Some(Id(session));
    }

    /// The session that the call is about, and what the table holds of it.
    pub fn session(&mut self, session: Uuid, user_id: Option<&str>, application: Option<&str>) {
        self.session_id = Some(Id(session));
        self.claimed_session_id = None;
        self.user_id = user_id.map(Text::new);
        self.application = application.map(Text::new);
    }

    /// Whose sessions the call is about: what the table holds, since any other text can be anything.
    pub fn user(&mut self, user_id: &str) {
        self.user_id = Some(Text::new(user_id));
    }

    /// An attribute that the call is about.
    pub fn name(&mut self, name: &str) {
        if self.names.len() < MOST_NAMES && self.bytes < MOST_BYTES {
            let name = Text::new(name);
            self.bytes += name.0.len();
            self.names.push(name);
        }
    }

    /// All attributes that a batch is about.
    pub fn names<'a>(&mut self, names: impl ExactSizeIterator<Item = &'a str>) {
        self.count(names.len() as u64);
        names.take(MOST_NAMES).for_each(|name| self.name(name));
    }

    /// How many attributes, sessions or rows the call is about.
    pub fn count(&mut self, count: u64) {
        self.count = Some(count);
    }

    /// Notes that the caller did not prove what it must, even where the function answers instead of raising.
    pub fn refused(&mut self, reason: &'static str) {
        self.outcome = REFUSED;
        self.reason = Some(reason);
    }

    /// The line of a call that is over, as JSON. `role` is the one whose rights it was made with,
    /// `session_role` the one that connected.
    pub fn finish(mut self, failure: Option<&'static str>, role: &str, session_role: &str) -> String {
        if let Some(sqlstate) = failure {
            self.outcome = sqlstate;
        }
        // Without a token that proves a session, anything can stand where names belong.
        if self.session_id.is_none() {
            self.names.clear();
        }
        self.role = Text::new(role);
        self.session_role = (session_role != role).then(|| Text::new(session_role));
        serde_json::to_string(&self).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Id(Uuid);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A text of bounded length without a token in it.
#[derive(Debug, Serialize)]
struct Text(Cow<'static, str>);

impl Text {
    fn new(text: &str) -> Text {
        if token::is_in(text) {
            return Text("(token)".into());
        }
        Text(match text.char_indices().nth(MOST_CHARS) {
            None => text.to_owned().into(),
            Some((end, _)) => format!("{}...", &text[..end]).into(),
        })
    }
}

fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_micros(
        UNIX_EPOCH + Duration::from_micros(time.unix_micros()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const SESSION: Uuid = Uuid::from_u128(7);

    fn line() -> Line {
        Line::new("sso_attr_set", Timestamp(1_500_000))
    }

    fn finished(line: Line) -> serde_json::Result<Value> {
        serde_json::from_str(&line.finish(None, "app", "app"))
    }

    #[test]
    fn a_line_holds_what_is_known_and_nothing_else() {
        let mut line = line();
        assert_eq!(
            self::line().finish(Some("22023"), "app", "pool"),
            r#"{"time":"2000-01-01T00:00:01.500000Z","verb":"sso_attr_set","outcome":"22023","role":"app","session_role":"pool"}"#
        );
        line.claimed(SESSION);
        line.session(SESSION, Some("ann"), Some("shop"));
        line.names(["a\n\"b"].into_iter());
        assert_eq!(
            line.finish(None, "app", "app"),
            concat!(
                r#"{"time":"2000-01-01T00:00:01.500000Z","verb":"sso_attr_set","outcome":"00000","#,
                r#""session_id":"00000000-0000-0000-0000-000000000007","user_id":"ann","application":"shop","#,
                r#""names":["a\n\"b"],"count":1,"role":"app"}"#
            )
        );
    }

    #[test]
    fn a_refusal_shows_neither_names_nor_a_success() -> serde_json::Result<()> {
        let mut line = line();
        line.name("could be anything");
        line.claimed(SESSION);
        line.refused("no such token");
        let line = finished(line)?;
        assert_eq!((&line["outcome"], &line["reason"]), (&"28000".into(), &"no such token".into()));
        assert_eq!(line["claimed_session_id"], SESSION.to_string());
        assert_eq!((line.get("names"), line.get("session_id")), (None, None));
        Ok(())
    }

    #[test]
    fn no_token_gets_into_a_text() -> crate::Result<()> {
        let token = token::issue(0)?.text;
        let mut line = line();
        line.session(SESSION, None, Some(&token));
        line.user(&format!("Bearer {}!", *token));
        line.names([&**token, "sso_ok"].into_iter());
        let text = line.finish(None, &token, "app");
        assert!(!text.contains(&token[40..]), "{text}");
        assert!(text.contains(r#"["(token)","sso_ok"]"#), "{text}");
        Ok(())
    }

    #[test]
    fn no_number_or_length_of_names_makes_a_line_long() -> serde_json::Result<()> {
        let long = "\u{1}".repeat(100_000);
        let mut line = line();
        line.session(SESSION, None, None);
        line.names(std::iter::repeat_n(long.as_str(), 100_000));
        let line = finished(line)?;
        assert_eq!(line["count"], 100_000);
        assert_eq!(line["names"].as_array().map(Vec::len), Some(100));
        assert!(line.to_string().len() < 256 * 1024, "{}", line.to_string().len());

        let mut line = self::line();
        line.session(SESSION, None, None);
        line.names(["🔑".repeat(255).as_str(); 100].into_iter());
        let listed = finished(line)?["names"].as_array().map(Vec::len);
        assert_eq!(listed, Some(65), "names end after 64 kB");
        Ok(())
    }
}
