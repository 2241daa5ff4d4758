//! Usernames, and how long a user waits after failures.

use unicode_normalization::UnicodeNormalization;
use uuid::Builder;

use crate::expiry::Timestamp;
use crate::name::{MAX_CHARS, validate_required};
use crate::token::fill;
use crate::{Error, Result};

/// What usernames that count as the same share: they differ only in case or Unicode composition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key of any text; one that is too long for a username has none.
    pub fn of(username: &str) -> Option<Key> {
        // The case of a letter can depend on how it is composed, and its composition on the case.
        let lower = username.nfc().collect::<String>().to_lowercase();
        let key: String = lower.nfc().take(MAX_CHARS + 1).collect();
        (key.chars().nth(MAX_CHARS).is_none()).then_some(Key(key))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A username that is to be written.
pub fn validate(username: Option<&str>) -> Result<(&str, Key)> {
    let username = validate_required("username", username)?;
    let key = Key::of(username).ok_or_else(|| Error::TooLong {
        what: "username".into(),
        limit: MAX_CHARS as u64,
        unit: "characters",
        hint: None,
    })?;
    Ok((username, key))
}

/// A user_id for a user who is given none: a UUID version 7.
pub fn new_id(unix_millis: u64) -> Result<String> {
    let mut random = [0; 10];
    fill(&mut random)?;
    Ok(Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid().to_string())
}

/// The longest time that a user waits: fifteen minutes.
const LONGEST_WAIT: i64 = 900;

/// Until when a user who has failed that often in a row, last at `failed_at`, has to wait: one second
/// after `attempts` failures, twice as long after each further one.
pub fn waits_until(failures: i64, failed_at: Timestamp, attempts: i64) -> Option<Timestamp> {
    let further = failures.checked_sub(attempts).filter(|further| *further >= 0)?;
    let seconds = (1 << further.min(10)).min(LONGEST_WAIT);
    Some(failed_at.plus_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(username: &str) -> Option<String> {
        Key::of(username).map(|key| key.as_str().to_owned())
    }

    #[test]
    fn case_and_composition_make_no_difference() {
        assert_eq!(key("Zo\u{eb}"), key("ZOE\u{308}"));
        assert_eq!(key("\u{c5}SA"), key("a\u{30a}sa"));
        assert_eq!(key("ПЁТР"), key("пе\u{308}тр"));
        // A capital I with a dot, composed or not.
        assert_eq!(key("\u{130}"), key("I\u{307}"));
    }

    #[test]
    fn other_letters_are_other_users() {
        for (one, other) in
            [("zoe", "zo\u{eb}"), ("straße", "strasse"), ("a", "а"), ("ab", "ab "), ("1", "１")]
        {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
    }

    #[test]
    fn the_length_is_bounded_before_and_after() {
        let state = |username: Option<&str>| validate(username).map_err(|e| e.sqlstate()).err();
        assert_eq!(state(None), Some("22023"));
        assert_eq!(state(Some("")), Some("22023"));
        assert_eq!(state(Some(&"Ж".repeat(255))), None);
        assert_eq!(state(Some(&"Ж".repeat(256))), Some("54000"));
        // One character that decomposes into three.
        assert_eq!(state(Some(&"\u{1d160}".repeat(255))), Some("54000"));
        assert_eq!(key(&"x".repeat(1 << 20)), None);
    }

    #[test]
    fn the_wait_doubles_from_a_second_to_fifteen_minutes() {
        let wait = |failures| waits_until(failures, Timestamp(0), 10).map(|until| until.0 / 1_000_000);
        assert_eq!(wait(0), None);
        assert_eq!(wait(9), None);
        assert_eq!(wait(10), Some(1));
        assert_eq!(wait(11), Some(2));
        assert_eq!(wait(19), Some(512));
        assert_eq!(wait(20), Some(900));
        assert_eq!(wait(i64::MAX), Some(900));
    }
}
