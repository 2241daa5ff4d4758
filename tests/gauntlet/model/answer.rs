//! What a call answered, and what it should have.

use super::time::Window;

/// What a call answered: a text or NULL, or an SQLSTATE.
pub type Outcome = Result<Option<String>, String>;

/// What it should have answered.
#[derive(Debug, Clone)]
pub enum Expected {
    Text(Option<String>),
    Error(&'static str),
    /// Never, or a time within one of these.
    Time(Vec<Option<Window>>),
    /// A token that the server has issued.
    Token,
    /// Anything but an error.
    Anything,
}

impl Expected {
    pub fn some(text: impl ToString) -> Expected {
        Expected::Text(Some(text.to_string()))
    }

    pub fn is(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Expected::Text(expected), Ok(text)) => expected == text,
            (Expected::Error(expected), Err(state)) => expected == state,
            (Expected::Time(windows), Ok(text)) => windows.iter().any(|window| fits(*window, text)),
            (Expected::Token, Ok(Some(token))) => token.starts_with("sso_") && token.len() == 68,
            (Expected::Anything, Ok(_)) => true,
            _ => false,
        }
    }
}

pub fn fits(window: Option<Window>, text: &Option<String>) -> bool {
    match (window, text) {
        (None, None) => true,
        (Some(window), Some(text)) => text.parse().is_ok_and(|micros| window.holds(micros)),
        _ => false,
    }
}

pub type Answer = Result<Expected, &'static str>;
pub const NOT_LIVE: &str = "28000";
pub const MISSING: &str = "P0002";
pub const EXISTS: &str = "23505";
pub const ARGUMENT: &str = "22023";
pub const TOO_LONG_STATE: &str = "54000";
pub const NO_KEY: &str = "55000";
pub const NO_CLUSTER: &str = "55000";
pub const DENIED: &str = "42501";
