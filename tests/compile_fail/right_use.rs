// compiles
// What the other files get wrong, done right: without this they could fail for any reason.
use sso_attr_core::expiry::Timestamp;
use uuid::Uuid;

use crate::pg::spi::Db;
use crate::pg::sql::{Id, Text, Time};
use crate::pg::statement::statement;

statement! {
    EXAMPLE(Id, Text) -> (Time) = "SELECT created_at FROM sso_attr.session WHERE id = $1 AND user_id = $2"
}

pub fn example(db: &Db, id: Uuid) -> Option<Timestamp> {
    db.one(&EXAMPLE, (&id, "user"), |(created_at,)| created_at)
}
