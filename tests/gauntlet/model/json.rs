//! JSON as jsonb prints and compares it.

use super::number::Number;

/// An object as jsonb prints it: shorter names first.
pub fn object(mut entries: Vec<(&str, String)>) -> String {
    entries.sort_by(|one, other| (one.0.len(), one.0).cmp(&(other.0.len(), other.0)));
    let entries: Vec<_> = entries.iter().map(|(name, json)| format!("\"{name}\": {json}")).collect();
    format!("{{{}}}", entries.join(", "))
}

pub fn unquoted(json: &str) -> Option<String> {
    match json {
        "null" => None,
        json => {
            Some(json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(json).to_owned())
        }
    }
}

pub fn are_equal(one: &str, other: &str) -> bool {
    match (Number::parse(one), Number::parse(other)) {
        (Some(one), Some(other)) => one.equals(other),
        _ => one == other,
    }
}
