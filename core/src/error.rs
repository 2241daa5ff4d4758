//! Every way a call can fail, each with one SQLSTATE.
//!
//! No variant can carry a value, a token or key bytes: what is not representable cannot leak.

use std::fmt;

use serde_json::Value;

/// Shorthand used throughout the crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure as the caller of an SQL function sees it.
///
/// `Display` is the primary message in PostgreSQL's style (lower case, no full stop);
/// [`Error::detail`] holds facts and [`Error::hint`] the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Unknown, malformed, ended and expired tokens are deliberately indistinguishable.
    #[error("session is not live")]
    SessionNotLive,

    /// A strict verb named attributes that are not there.
    #[error("{}", .0.counted("attribute does not exist", "attributes do not exist"))]
    AttributeMissing(Names),

    /// A create named attributes that are there already.
    #[error("{}", .0.counted("attribute already exists", "attributes already exist"))]
    AttributeExists(Names),

    /// One call of create_many names an attribute more than once.
    #[error("attribute is named more than once")]
    AttributeRepeated(Names),

    /// An adopted token belongs to a live session.
    #[error("token is in use by a live session")]
    TokenInUse,

    /// A username or a user_id is another user's.
    #[error("{0} is taken")]
    Taken(&'static str),

    /// A function that changes a user names one that is not there.
    #[error("user does not exist")]
    UserMissing,

    /// A session is bound to its user once.
    #[error("session belongs to another user")]
    OtherUser,

    /// An argument is outside what the function takes.
    #[error("{message}")]
    Argument { message: String, hint: Option<&'static str> },

    /// An element of `data` is outside what the function takes.
    #[error("item {index} of data: {problem}")]
    Item { index: usize, problem: String, hint: Option<String> },

    /// A name, value or other text is longer than its limit.
    #[error("{what} is too long")]
    TooLong { what: String, limit: u64, unit: &'static str, hint: Option<&'static str> },

    /// A value is nested more deeply than it could be read again.
    #[error("value is nested too deeply")]
    TooDeep { limit: usize },

    /// A text is not in the encoding of the database.
    #[error("invalid byte sequence for encoding \"UTF8\"")]
    NotUtf8,

    /// Memory for what the caller handed over cannot be had.
    #[error("out of memory")]
    OutOfMemory,

    /// One password takes more memory to hash than all together may take.
    #[error("hashing a password takes {needed} kB, more than sso_attr.login_memory")]
    NoLoginMemory { needed: u32 },

    /// Under REPEATABLE READ, the snapshot still shows an attribute that others have deleted since.
    #[error("could not serialize access due to concurrent delete")]
    DeletedMeanwhile,

    /// Encryption was asked for, or is needed to read, and there is no usable keyring.
    #[error("no keyring is available")]
    NoKeyring { reason: String },

    /// A sealed value names a key that the keyring does not hold.
    #[error("encryption key {0} is not in the keyring")]
    KeyUnknown(u32),

    /// The keyring holds other bytes under this id than those that wrote the data.
    #[error("encryption key {0} is not the one that wrote the data")]
    KeyDiffers(u32),

    /// A sealed value does not open: it was altered, moved to another row, or cut.
    #[error("stored value fails authentication")]
    SealBroken,

    /// A sealed value whose version or algorithm this library does not know.
    #[error("stored value has an unknown format")]
    UnknownFormat { version: u8, algorithm: u8 },

    /// A stored row is not what the functions write, so somebody else has written it.
    #[error("stored row is corrupted: {0}")]
    RowCorrupted(&'static str),

    /// Another node of a cluster cannot be reached, or has not done what it was told.
    #[error("node {node} has not done its part")]
    NodeRefuses { node: String, reason: String },

    /// The operating system gave no random bytes.
    #[error("operating system provides no random bytes")]
    NoRandom,
}

impl Error {
    /// The five-character SQLSTATE.
    pub fn sqlstate(&self) -> &'static str {
        self.condition().sqlstate
    }

    /// What the failure is to the caller: the whole of the error contract in one match.
    fn condition(&self) -> &'static Condition {
        match self {
            Error::SessionNotLive => &NOT_LIVE,
            Error::AttributeMissing(_) | Error::UserMissing => &MISSING,
            Error::AttributeExists(_) | Error::AttributeRepeated(_) | Error::TokenInUse | Error::Taken(_) => {
                &EXISTS
            }
            Error::Argument { .. } | Error::Item { .. } | Error::OtherUser => &ARGUMENT,
            Error::TooLong { .. } | Error::TooDeep { .. } => &LIMIT,
            Error::NotUtf8 => &ENCODING,
            Error::OutOfMemory => &MEMORY,
            Error::NoLoginMemory { .. } => &RESOURCES,
            Error::DeletedMeanwhile => &SERIALIZATION,
            Error::NoKeyring { .. } | Error::KeyUnknown(_) => &KEYRING,
            Error::KeyDiffers(_)
            | Error::SealBroken
            | Error::UnknownFormat { .. }
            | Error::RowCorrupted(_) => &CORRUPTED,
            Error::NodeRefuses { .. } => &NODE,
            Error::NoRandom => &SYSTEM,
        }
    }

    /// Facts for DETAIL.
    pub fn detail(&self) -> Option<String> {
        match self {
            Error::AttributeMissing(names) => Some(format!("Missing: {names}.")),
            Error::AttributeExists(names) => Some(format!("Existing: {names}.")),
            Error::AttributeRepeated(names) => Some(format!("Repeated: {names}.")),
            Error::TooLong { limit, unit, .. } => Some(format!("The limit is {limit} {unit}.")),
            Error::TooDeep { limit } => Some(format!("The limit is {limit} levels.")),
            Error::UnknownFormat { version, algorithm } => {
                Some(format!("Its version is {version}, its algorithm {algorithm}."))
            }
            Error::NoKeyring { reason } | Error::NodeRefuses { reason, .. } => Some(reason.clone()),
            _ => None,
        }
    }

    /// The remedy for HINT.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::SessionNotLive => {
                "The token is unknown, malformed, ended or expired; open a session with sso_session_create."
            }
            Error::AttributeMissing(_) => "Use sso_attr_set to create attributes that are not there.",
            Error::AttributeExists(_) => "Use sso_attr_set to replace attributes that are there.",
            Error::AttributeRepeated(_) => "Name each attribute once.",
            Error::TokenInUse => "End that session first, or adopt another token.",
            Error::Taken("username") => {
                "Usernames that differ by case or Unicode composition only are the same."
            }
            Error::UserMissing => "Create it with sso_user_create.",
            Error::NoLoginMemory { .. } => "Raise sso_attr.login_memory, or lower sso_attr.password_memory.",
            Error::OtherUser => "Open a session of its own for that user.",
            Error::Argument { hint, .. } => return hint.map(str::to_owned),
            Error::Item { hint, .. } => return hint.clone(),
            Error::TooLong { hint, .. } => return hint.map(str::to_owned),
            Error::NoKeyring { .. } => {
                "Set sso_attr.keyring_file to a file of \"id:64 hex digits\" lines with mode 0600."
            }
            Error::KeyUnknown(_) => {
                "Put the key back into the keyring; sso_attr_keys() tells which keys are in use."
            }
            Error::KeyDiffers(_) => {
                "Put the former key back under its id, and give a new key an id of its own."
            }
            Error::SealBroken => "The row was altered or moved; restore it from a backup.",
            Error::UnknownFormat { .. } => {
                "It was written by a later version of sso_attr: update the library."
            }
            Error::NodeRefuses { .. } => {
                "The nodes before it have done theirs. Repeat the call when it works again."
            }
            Error::DeletedMeanwhile => "The transaction might succeed if retried.",
            Error::Taken(_) | Error::TooDeep { .. } | Error::NotUtf8 | Error::OutOfMemory => return None,
            Error::RowCorrupted(_) | Error::NoRandom => return None,
        };
        Some(text.to_owned())
    }

    /// An [`Error::Argument`] without a hint.
    pub fn argument(message: impl Into<String>) -> Self {
        Error::Argument { message: message.into(), hint: None }
    }

    /// The same failure, said of an element of `data`.
    pub fn in_item(self, index: usize) -> Self {
        match self {
            Error::Argument { message, hint } => {
                Error::Item { index, problem: message, hint: hint.map(str::to_owned) }
            }
            Error::TooLong { what, limit, unit, hint } => {
                Error::TooLong { what: format!("item {index} of data: {what}"), limit, unit, hint }
            }
            other => other,
        }
    }
}

/// An SQLSTATE as the reference documents it.
pub struct Condition {
    pub sqlstate: &'static str,
    /// Its name in PostgreSQL's appendix A.
    pub name: &'static str,
    /// When it is raised.
    pub raised: &'static str,
}

macro_rules! conditions {
    ($($constant:ident = $sqlstate:literal, $name:literal, $raised:literal;)*) => {
        $(static $constant: Condition =
            Condition { sqlstate: $sqlstate, name: $name, raised: $raised };)*

        /// Every condition that an [`Error`] can be.
        pub static CONDITIONS: &[&Condition] = &[$(&$constant),*];
    };
}

conditions! {
    NOT_LIVE = "28000", "invalid_authorization_specification",
        "the session is unknown, malformed, ended or expired, which are not told apart";
    MISSING = "P0002", "no_data_found",
        "an attribute that has to be there is not; DETAIL lists the missing names, up to a hundred; or a user is not";
    EXISTS = "23505", "unique_violation",
        "an attribute is there already or is named twice, a token is in use, or a username or user_id is taken";
    ARGUMENT = "22023", "invalid_parameter_value",
        "an argument, or an item of `data`, is not what the function takes";
    ENCODING = "22021", "character_not_in_repertoire", "a text is not UTF-8";
    LIMIT = "54000", "program_limit_exceeded",
        "a name, a value or another text is too long, or a value is nested too deeply";
    MEMORY = "53200", "out_of_memory", "memory for what was handed over cannot be had";
    RESOURCES = "53000", "insufficient_resources",
        "hashing one password takes more memory than `sso_attr.login_memory` allows for all";
    KEYRING = "55000", "object_not_in_prerequisite_state",
        "encryption is asked for and there is no keyring, or a key id is not in it; or the tables cannot be \
         distributed here";
    CORRUPTED = "XX001", "data_corrupted",
        "a sealed value does not open (it was altered or moved, or its key was replaced), or a row is not \
         one that the functions have written";
    SERIALIZATION = "40001", "serialization_failure",
        "PostgreSQL's own, under REPEATABLE READ and SERIALIZABLE: try the transaction again";
    NODE = "08000", "connection_exception",
        "another node of a cluster cannot be reached, or has not done its part of what concerns all nodes";
    SYSTEM = "58000", "system_error", "the operating system provides no random bytes";
}

/// Names for an error: as many as a reader wants to see, and the number of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    listed: String,
    shown: usize,
    unlisted: usize,
}

/// The most names that an error lists, and the most bytes of them.
const MOST_NAMES: usize = 100;
const MOST_BYTES: usize = 64 * 1024;
/// The most characters of a name or key that an error quotes.
const MOST_CHARS: usize = 64;

impl Names {
    /// Adds a name, as a JSON string, so that any text in it stays unambiguous.
    pub fn push(&mut self, name: &str) {
        if self.shown < MOST_NAMES && self.listed.len() < MOST_BYTES {
            if self.shown > 0 {
                self.listed.push_str(", ");
            }
            self.listed.push_str(&quoted(name));
            self.shown += 1;
        } else {
            self.unlisted += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.shown == 0
    }

    fn counted(&self, one: &str, many: &str) -> String {
        match self.shown + self.unlisted {
            1 => one.to_owned(),
            total => format!("{total} {many}"),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.listed)?;
        if self.unlisted > 0 {
            write!(f, " and {} more", self.unlisted)?;
        }
        Ok(())
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut list = Names::default();
        for name in names {
            list.push(name.as_ref());
        }
        list
    }
}

/// A name or key in double quotes, escaped as JSON and cut where it is long.
pub fn quoted(name: &str) -> String {
    match name.char_indices().nth(MOST_CHARS) {
        None => Value::from(name).to_string(),
        Some((end, _)) => format!("{}...", Value::from(&name[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlstate_is_documented_once() {
        let mut states: Vec<_> = CONDITIONS.iter().map(|condition| condition.sqlstate).collect();
        states.sort_unstable();
        states.dedup();
        assert_eq!(states.len(), CONDITIONS.len());
    }

    #[test]
    fn missing_names_are_all_listed_and_unambiguous() {
        let error = Error::AttributeMissing(["a, b", "c\"d"].into_iter().collect());
        assert_eq!(error.to_string(), "2 attributes do not exist");
        assert_eq!(error.detail().as_deref(), Some(r#"Missing: "a, b", "c\"d"."#));
    }

    #[test]
    fn no_number_or_length_of_names_makes_an_error_long() {
        let names: Names = (0..720_000).map(|number| format!("{number}{}", "\u{1}".repeat(250))).collect();
        let error = Error::AttributeMissing(names);
        assert_eq!(error.to_string(), "720000 attributes do not exist");
        let detail = error.detail().unwrap_or_default();
        assert!(detail.len() < 128 * 1024, "{}", detail.len());
        assert!(detail.starts_with("Missing: \"0\\u0001"), "{}", &detail[..40]);
        assert!(detail.ends_with("... and 719900 more."), "{}", &detail[detail.len() - 40..]);
    }

    #[test]
    fn a_quoted_name_is_cut_between_characters() {
        assert_eq!(quoted(&"é".repeat(64)), format!("\"{}\"", "é".repeat(64)));
        assert_eq!(quoted(&"é".repeat(65)), format!("\"{}\"...", "é".repeat(64)));
    }
}
