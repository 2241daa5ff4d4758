//! Every way a call can fail, each with one SQLSTATE.
//!
//! No variant can carry a value, a token or key bytes: what is not representable cannot leak.

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
    #[error("{}", counted(.0, "attribute does not exist", "attributes do not exist"))]
    AttributeMissing(Vec<String>),

    /// A create named attributes that are there already.
    #[error("{}", counted(.0, "attribute already exists", "attributes already exist"))]
    AttributeExists(Vec<String>),

    /// One call of create_many names an attribute more than once.
    #[error("attribute is named more than once")]
    AttributeRepeated(Vec<String>),

    /// An adopted token belongs to a live session.
    #[error("token is in use by a live session")]
    TokenInUse,

    /// An argument is outside what the function takes.
    #[error("{message}")]
    Argument { message: String, hint: Option<&'static str> },

    /// An element of `data` is outside what the function takes.
    #[error("item {index} of data: {problem}")]
    Item { index: usize, problem: String, hint: Option<String> },

    /// A name, value or other text is longer than its limit.
    #[error("{what} is too long")]
    TooLong { what: String, limit: u64, unit: &'static str, hint: Option<&'static str> },

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

    /// The operating system gave no random bytes.
    #[error("operating system provides no random bytes")]
    NoRandom,
}

impl Error {
    /// The five-character SQLSTATE: the whole of the error contract in one match.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Error::SessionNotLive => "28000",
            Error::AttributeMissing(_) => "P0002",
            Error::AttributeExists(_) | Error::AttributeRepeated(_) | Error::TokenInUse => "23505",
            Error::Argument { .. } | Error::Item { .. } => "22023",
            Error::TooLong { .. } => "54000",
            Error::NoKeyring { .. } | Error::KeyUnknown(_) => "55000",
            Error::KeyDiffers(_) | Error::SealBroken => "XX001",
            Error::NoRandom => "58000",
        }
    }

    /// Facts for DETAIL.
    pub fn detail(&self) -> Option<String> {
        match self {
            Error::AttributeMissing(names) => Some(format!("Missing: {}.", listed(names))),
            Error::AttributeExists(names) => Some(format!("Existing: {}.", listed(names))),
            Error::AttributeRepeated(names) => Some(format!("Repeated: {}.", listed(names))),
            Error::TooLong { limit, unit, .. } => Some(format!("The limit is {limit} {unit}.")),
            Error::NoKeyring { reason } => Some(reason.clone()),
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
            Error::NoRandom => return None,
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

fn counted(names: &[String], one: &str, many: &str) -> String {
    match names {
        [_] => one.to_owned(),
        _ => format!("{} {many}", names.len()),
    }
}

/// Names as JSON strings, so that any text in them stays unambiguous.
fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    quoted.join(", ")
}

/// A name in double quotes, escaped as JSON.
pub fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_names_are_all_listed_and_unambiguous() {
        let error = Error::AttributeMissing(vec!["a, b".into(), "c\"d".into()]);
        assert_eq!(error.to_string(), "2 attributes do not exist");
        assert_eq!(error.detail().as_deref(), Some(r#"Missing: "a, b", "c\"d"."#));
    }
}
