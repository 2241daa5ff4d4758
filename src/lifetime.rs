//! How long sessions live: until their stored expiry, or the cap of `sso_attr.session_max_lifetime`. The
//! cap is applied whenever a session is used, so that lowering it takes effect at once.

use sso_attr_core::expiry::Timestamp;

use crate::settings;

/// The expiry in force: the stored one, or the cap if that is earlier.
pub fn capped(created_at: Timestamp, expires_at: Timestamp) -> Timestamp {
    match settings::session_max_lifetime() {
        Some(seconds) => expires_at.min(created_at.plus_seconds(seconds)),
        None => expires_at,
    }
}

/// The latest creation whose cap has passed by now; `None` if there is no cap.
pub fn latest_past_cap(now: Timestamp) -> Option<Timestamp> {
    settings::session_max_lifetime().map(|seconds| now.plus_seconds(-seconds))
}
