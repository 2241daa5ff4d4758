//! Attribute names and the other bounded texts.

use crate::{Error, Result};

/// The longest attribute name, user id and application name, in characters.
pub const MAX_CHARS: usize = 255;
/// Characters of a user agent that are kept; the rest carries no meaning worth an error.
pub const USER_AGENT_CHARS: usize = 1024;

const HINT: &str = "Put long keys into the value, as a JSON object.";

/// Checks a text of 1 to 255 characters; `what` names it in the error.
pub fn validate_required<'a>(what: &str, text: Option<&'a str>) -> Result<&'a str> {
    match text {
        None => Err(Error::argument(format!("{what} must not be null"))),
        Some("") => Err(Error::argument(format!("{what} must not be empty"))),
        Some(text) => at_most(what, text, None),
    }
}

/// A name that is to be written.
pub fn validate_new(name: Option<&str>) -> Result<&str> {
    match name {
        Some(name) if !name.is_empty() => at_most("name", name, Some(HINT)),
        name => validate_required("name", name),
    }
}

/// A name that is only looked up: no attribute has an empty or over-long one, so those find nothing.
pub fn validate_lookup(name: Option<&str>) -> Result<&str> {
    name.ok_or_else(|| Error::argument("name must not be null"))
}

/// An optional text of at most 255 characters.
pub fn validate_optional<'a>(what: &str, text: Option<&'a str>) -> Result<Option<&'a str>> {
    text.map(|text| at_most(what, text, None)).transpose()
}

/// The first 1024 characters.
pub fn cut_user_agent(text: &str) -> &str {
    match text.char_indices().nth(USER_AGENT_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

fn at_most<'a>(what: &str, text: &'a str, hint: Option<&'static str>) -> Result<&'a str> {
    // A text of that many bytes cannot have more characters.
    if text.len() <= MAX_CHARS || text.chars().count() <= MAX_CHARS {
        return Ok(text);
    }
    Err(Error::TooLong { what: what.into(), limit: MAX_CHARS as u64, unit: "characters", hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_not_bytes() {
        for letter in ["a", "ж", "漢", "🔑"] {
            assert!(validate_new(Some(&letter.repeat(255))).is_ok());
            assert_eq!(validate_new(Some(&letter.repeat(256))).map_err(|e| e.sqlstate()), Err("54000"));
        }
    }

    #[test]
    fn null_and_empty_are_bad_arguments_where_something_is_written() {
        assert_eq!(validate_new(None).map_err(|e| e.sqlstate()), Err("22023"));
        assert_eq!(validate_new(Some("")).map_err(|e| e.sqlstate()), Err("22023"));
        assert_eq!(validate_lookup(None).map_err(|e| e.sqlstate()), Err("22023"));
        assert_eq!(validate_lookup(Some("")), Ok(""));
    }

    #[test]
    fn user_agent_is_cut_between_characters() {
        let long = "é".repeat(2000);
        assert_eq!(cut_user_agent(&long).chars().count(), 1024);
        assert_eq!(cut_user_agent("short"), "short");
    }
}
