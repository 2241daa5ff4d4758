//! Names that are only looked up.

use sso_attr_core::{Error, Result};

use crate::pg::interrupt;
use crate::pg::report::collected;
use crate::pg::text::Texts;

/// Names in byte order, each once; `what` is the parameter's.
pub fn lookups<'a>(what: &str, names: Texts<'a>) -> Result<Vec<&'a str>> {
    let null = || Error::argument(format!("{what} must not contain null"));
    let mut names = collected(names.iter().map(|name| name.ok_or_else(null)))?;
    names.sort_unstable_by(|one, other| {
        interrupt::check();
        one.cmp(other)
    });
    names.dedup();
    Ok(names)
}
