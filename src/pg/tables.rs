//! The pair of tables that a statement is about.

use std::borrow::Cow;

/// Sessions and their attributes: all of them, or those of one shard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// sso_attr.session and sso_attr.attribute.
    Whole,
    /// The parts of both that are stored together on one node, by their numbers.
    Shard { session: i64, attribute: i64 },
}

impl Tables {
    /// A statement on the whole tables, as it is on these.
    pub(super) fn named_in(self, sql: &str) -> Cow<'_, str> {
        match self {
            Tables::Whole => Cow::Borrowed(sql),
            Tables::Shard { .. } => sql
                .replace("sso_attr.session", &self.session())
                .replace("sso_attr.attribute", &self.attribute())
                .into(),
        }
    }

    pub fn session(self) -> String {
        name("session", self.numbers().map(|(session, _)| session))
    }

    pub fn attribute(self) -> String {
        name("attribute", self.numbers().map(|(_, attribute)| attribute))
    }

    fn numbers(self) -> Option<(i64, i64)> {
        match self {
            Tables::Whole => None,
            Tables::Shard { session, attribute } => Some((session, attribute)),
        }
    }
}

/// As Citus names a shard.
fn name(table: &str, shard: Option<i64>) -> String {
    match shard {
        None => format!("sso_attr.{table}"),
        Some(number) => format!("sso_attr.{table}_{number}"),
    }
}
