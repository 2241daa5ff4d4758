//! What a value may be, judged by its JSON text.

use crate::{Error, Result};

/// The deepest nesting of arrays and objects. PostgreSQL reads JSON text by recursion, at some 150
/// bytes of stack a level, so that this many levels fit into half of its default stack.
pub const MAX_NESTING: usize = 5000;

/// Checks the JSON text of a value that is to be stored: its encoding, its size in bytes, its depth.
pub fn validate(text: &[u8], max_size: usize) -> Result<()> {
    validate_size(text.len(), max_size)?;
    std::str::from_utf8(text).map_err(|_| Error::NotUtf8)?;
    // Each level takes two bytes.
    if text.len() > 2 * MAX_NESTING && nesting(text) > MAX_NESTING {
        return Err(Error::TooDeep { limit: MAX_NESTING });
    }
    Ok(())
}

/// Checks the size of a value's JSON text alone.
pub fn validate_size(size: usize, max_size: usize) -> Result<()> {
    if size <= max_size {
        return Ok(());
    }
    Err(Error::TooLong {
        what: "value".into(),
        limit: max_size as u64,
        unit: "bytes of JSON text",
        hint: Some("Raise sso_attr.max_value_size, or store a reference."),
    })
}

/// The deepest nesting of a valid JSON text.
fn nesting(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_that_of_arrays_and_objects_outside_strings() {
        for (text, depth) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a": [1, {"b": []}], "c": []}"#, 4),
            (r#""[[[[""#, 0),
            (r#"["\\\"[[", [1]]"#, 2),
            (r#"["\\\\", [1]]"#, 2),
        ] {
            assert_eq!(nesting(text.as_bytes()), depth, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_too_deep_or_not_utf8_is_refused() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert_eq!(validate(&nested(MAX_NESTING), 1 << 20), Ok(()));
        assert_eq!(validate(&nested(MAX_NESTING + 1), 1 << 20).map_err(|e| e.sqlstate()), Err("54000"));
        assert_eq!(validate(b"\"abc\"", 4).map_err(|e| e.sqlstate()), Err("54000"));
        assert_eq!(validate(b"\"\xF0\"", 100), Err(Error::NotUtf8));
    }
}
