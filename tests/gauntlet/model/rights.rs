//! What a role has to be granted for a call.

use super::call::Call;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Holder,
    App,
    Login,
    Monitor,
    Operator,
    Owner,
}

/// What a caller has to be granted; `None` is open to all.
pub fn kind(call: &Call) -> Option<Kind> {
    match call {
        Call::Open { .. } | Call::EndAll { .. } | Call::EndOne { .. } | Call::List { .. } => Some(Kind::App),
        Call::CreateUser { .. }
        | Call::Login { .. }
        | Call::VerifyUser { .. }
        | Call::SetPassword { .. }
        | Call::Lock { .. }
        | Call::Unlock { .. }
        | Call::DeleteUser { .. }
        | Call::UserExists { .. }
        | Call::ListUsers => Some(Kind::Login),
        Call::Figures(_) => Some(Kind::Monitor),
        Call::Purge { .. } | Call::Rekey { .. } | Call::CheckRows | Call::Distribute => Some(Kind::Operator),
        Call::Grant(_) | Call::Revoke(_) | Call::SetLogged(_) => Some(Kind::Owner),
        Call::MoveAttribute { .. } | Call::MoveSession { .. } | Call::Age { .. } => None,
        Call::Role { .. } | Call::Compare => None,
        _ => Some(Kind::Holder),
    }
}

pub fn kinds(what: &str) -> &'static [Kind] {
    match what {
        "holder" => &[Kind::Holder],
        "app" => &[Kind::Holder, Kind::App],
        "login" => &[Kind::Login],
        "monitor" => &[Kind::Monitor],
        _ => &[Kind::Monitor, Kind::Operator],
    }
}
