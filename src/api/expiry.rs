//! When something expires: `expiration` in seconds from now, or `expires_at` as a time.

use sso_attr_core::expiry::{Timestamp, Ttl};
use sso_attr_core::{Error, Result};

use crate::pg::datum::TimestampTz;

/// When a session is to expire.
#[derive(Clone, Copy)]
pub struct Deadline {
    pub expires_at: Timestamp,
    /// What that is from now, in microseconds; `None` is for ever.
    pub idle_limit: Option<i64>,
}

impl Deadline {
    /// So long from now.
    pub fn after(ttl: Ttl, now: Timestamp) -> Result<Deadline> {
        let idle_limit = match ttl {
            Ttl::Never => None,
            Ttl::Micros(micros) => Some(micros),
        };
        Ok(Deadline { expires_at: ttl.expires_at(now)?, idle_limit })
    }

    /// At a time, which may have passed.
    fn at(expires_at: Timestamp, now: Timestamp) -> Deadline {
        let idle_limit = match expires_at {
            Timestamp::NEVER => None,
            Timestamp(at) => Some(at.saturating_sub(now.0).max(0)),
        };
        // A time that has passed counts as now: an earlier one means no more, and `-infinity` is no time.
        Deadline { expires_at: expires_at.max(now), idle_limit }
    }
}

/// The deadline that a caller gives, in one form or the other; `None` if in neither.
pub fn deadline(
    now: Timestamp,
    expiration: Option<f64>,
    expires_at: Option<TimestampTz>,
) -> Result<Option<Deadline>> {
    match (expiration, expires_at) {
        (None, None) => Ok(None),
        (Some(seconds), None) => Deadline::after(Ttl::from_seconds(seconds)?, now).map(Some),
        (None, Some(at)) => Ok(Some(Deadline::at(at.into(), now))),
        (Some(_), Some(_)) => Err(Error::argument("expiration and expires_at must not both be given")),
    }
}
