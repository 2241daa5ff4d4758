//! The current session of a transaction, for policies on the application's own tables.
//!
//! It is held in the backend's memory and nowhere else: no role can set it without a live token, read
//! the token back, or leave it behind for the next user of a pooled connection. It ends with the
//! transaction, and what was made current after a savepoint goes when that is rolled back.

use std::cell::RefCell;

use sso_attr_core::token::Claim;
use uuid::Uuid;

use crate::lifetime;
use crate::pg::clock;
use crate::pg::spi::{Access, Db, as_owner};
use crate::pg::transaction::{self, End, View};
use crate::store::session;

/// What was made current, in which part of the transaction; `None` is no session.
struct Made {
    part: u32,
    claim: Option<Claim>,
}

/// A live session, as one statement sees it.
#[derive(Clone)]
pub struct Current {
    pub id: Uuid,
    pub user_id: Option<String>,
    expires_at: sso_attr_core::expiry::Timestamp,
}

thread_local! {
    static MADE: RefCell<Vec<Made>> = const { RefCell::new(Vec::new()) };
    /// What the last look found, and what the statement that looked could see.
    static SEEN: RefCell<Option<(View, Option<Current>)>> = const { RefCell::new(None) };
}

/// Makes the session of a claim the current one, or none.
pub fn set(claim: Option<Claim>) {
    transaction::at_end(end);
    let part = transaction::part();
    MADE.with_borrow_mut(|made| match made.last_mut() {
        Some(last) if last.part == part => last.claim = claim,
        _ => made.push(Made { part, claim }),
    });
    SEEN.take();
}

/// The current session, if there is one and the calling statement sees it live.
pub fn get() -> Option<Current> {
    let claim = MADE.with_borrow(|made| made.last().and_then(|made| made.claim))?;
    let view = transaction::view()?;
    let seen = SEEN.with_borrow(|seen| seen.as_ref().filter(|(by, _)| *by == view).cloned());
    let current = match seen {
        Some((_, current)) => current,
        None => {
            let current = as_owner(Access::Read, |db| look(db, &claim));
            SEEN.set(Some((view, current.clone())));
            current
        }
    };
    current.filter(|current| !current.expires_at.is_over(clock::now()))
}

fn look(db: &Db, claim: &Claim) -> Option<Current> {
    let shown = session::find_and_show(db, claim)?;
    let expires_at = lifetime::capped(shown.created_at, shown.expires_at);
    Some(Current { id: shown.id, user_id: shown.user_id.as_deref().map(str::to_owned), expires_at })
}

fn end(end: End) {
    SEEN.take();
    MADE.with_borrow_mut(|made| match end {
        End::Whole => made.clear(),
        End::RolledBack { part } => made.retain(|made| made.part != part),
        End::Merged { part, into } => {
            if made.last().is_some_and(|last| last.part == part)
                && let Some(mut last) = made.pop()
            {
                if made.last().is_some_and(|outer| outer.part == into) {
                    made.pop();
                }
                last.part = into;
                made.push(last);
            }
        }
    });
}
