//! Instants and durations as PostgreSQL stores them.
//!
//! A [`Timestamp`] is a `timestamptz`: microseconds since 2000-01-01 00:00 UTC, `i64::MAX` being
//! `infinity` (PostgreSQL's `datatype/timestamp.h`).

use crate::{Error, Result};

/// A `timestamptz`; ordering is chronological.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// `END_TIMESTAMP` of `datatype/timestamp.h`: the first instant past the type's range.
const END_OF_TIME: i64 = 9_223_371_331_200_000_000;

const MICROS_PER_SECOND: f64 = 1_000_000.0;

impl Timestamp {
    /// `infinity`: never expires.
    pub const NEVER: Timestamp = Timestamp(i64::MAX);
    /// `-infinity`: before everything.
    pub const BEFORE_ALL: Timestamp = Timestamp(i64::MIN);

    /// Whether something that ends at `self` is over at `now`. The end itself is over.
    pub fn is_over(self, now: Timestamp) -> bool {
        self <= now
    }

    /// This instant moved by whole seconds, `infinity` staying where it is.
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        match self {
            Timestamp::NEVER | Timestamp::BEFORE_ALL => self,
            Timestamp(at) => Timestamp(at.saturating_add(seconds.saturating_mul(1_000_000))),
        }
    }

    /// Microseconds since 1970-01-01 00:00 UTC; nothing is before it.
    pub fn unix_micros(self) -> u64 {
        const MICROS_1970_TO_2000: i64 = 946_684_800_000_000;
        u64::try_from(self.0.saturating_add(MICROS_1970_TO_2000)).unwrap_or(0)
    }

    /// Milliseconds since 1970-01-01 00:00 UTC, as UUID version 7 counts; nothing is before it.
    pub fn unix_millis(self) -> u64 {
        self.unix_micros() / 1000
    }

    /// This instant rounded down to ten minutes, by which the purge looks for what has ended: something
    /// that is renewed often moves to another bin only now and then.
    pub fn purge_bin(self) -> Timestamp {
        const BIN: i64 = 600_000_000;
        match self {
            Timestamp::NEVER | Timestamp::BEFORE_ALL => self,
            Timestamp(at) => Timestamp(at.saturating_sub(at.rem_euclid(BIN))),
        }
    }

    /// `None` for never, as the functions return it.
    pub fn finite(self) -> Option<Timestamp> {
        (self != Timestamp::NEVER).then_some(self)
    }
}

/// What a caller asked for: a positive time to live, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// Ends this many microseconds from now; positive.
    Micros(i64),
    /// Never ends by itself.
    Never,
}

/// Why a number of seconds is no [`Ttl`].
const PROBLEM: &str = "expiration must be a positive number of seconds";
const PAST_END: &str = "expiration is past the end of timestamptz";
const HINT: &str =
    "Give seconds from now, for example extract(epoch from interval '15 minutes'); Infinity means never.";

impl Ttl {
    /// Seconds from now, fractions rounded up to a microsecond; `Infinity` is never.
    pub fn from_seconds(seconds: f64) -> Result<Ttl> {
        let wrong = |message: &str| Error::Argument { message: message.into(), hint: Some(HINT) };
        if seconds.is_nan() || seconds <= 0.0 {
            return Err(wrong(PROBLEM));
        }
        if seconds == f64::INFINITY {
            return Ok(Ttl::Never);
        }
        let micros = (seconds * MICROS_PER_SECOND).ceil();
        // 2^63 as f64 is exact, so everything below it fits.
        if micros >= i64::MAX as f64 {
            return Err(wrong(PAST_END));
        }
        Ok(Ttl::Micros(micros as i64))
    }

    /// When what starts at `now` expires.
    pub fn expires_at(self, now: Timestamp) -> Result<Timestamp> {
        match self {
            Ttl::Never => Ok(Timestamp::NEVER),
            Ttl::Micros(micros) => match now.0.checked_add(micros) {
                Some(end) if end < END_OF_TIME => Ok(Timestamp(end)),
                _ => Err(Error::Argument { message: PAST_END.into(), hint: Some(HINT) }),
            },
        }
    }
}

/// How far a renewal must move a session's end to be worth a write: a 360th of the time asked
/// for, at most a minute. A one-hour session renewed every second is written every ten seconds.
pub fn renewal_granule(ttl: Ttl) -> i64 {
    const MINUTE: i64 = 60_000_000;
    match ttl {
        Ttl::Micros(micros) => (micros / 360).min(MINUTE),
        Ttl::Never => MINUTE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(820_000_000_000_000);

    #[test]
    fn what_is_no_duration_is_refused() {
        for seconds in [0.0, -0.0, -1.0, f64::NAN, f64::NEG_INFINITY, 1e300, 9.3e12] {
            assert!(Ttl::from_seconds(seconds).is_err(), "{seconds}");
        }
    }

    #[test]
    fn infinity_is_never() {
        assert_eq!(Ttl::from_seconds(f64::INFINITY), Ok(Ttl::Never));
        assert_eq!(Ttl::Never.expires_at(NOW), Ok(Timestamp::NEVER));
        assert_eq!(Timestamp::NEVER.finite(), None);
    }

    #[test]
    fn fractions_round_up_to_a_microsecond() {
        assert_eq!(Ttl::from_seconds(1e-9), Ok(Ttl::Micros(1)));
        assert_eq!(Ttl::from_seconds(1.5), Ok(Ttl::Micros(1_500_000)));
    }

    #[test]
    fn the_end_of_timestamptz_is_the_bound() {
        let last = END_OF_TIME - 1 - NOW.0;
        assert_eq!(Ttl::Micros(last).expires_at(NOW), Ok(Timestamp(END_OF_TIME - 1)));
        assert!(Ttl::Micros(last + 1).expires_at(NOW).is_err());
        assert!(Ttl::Micros(i64::MAX).expires_at(NOW).is_err());
    }

    #[test]
    fn the_end_itself_is_over() {
        assert!(NOW.is_over(NOW));
        assert!(!Timestamp(NOW.0 + 1).is_over(NOW));
        assert!(!Timestamp::NEVER.is_over(NOW));
    }

    #[test]
    fn granule_is_small_against_the_time_asked_for() {
        assert_eq!(renewal_granule(Ttl::Micros(3_600_000_000)), 10_000_000);
        assert_eq!(renewal_granule(Ttl::Micros(1)), 0);
        assert_eq!(renewal_granule(Ttl::Never), 60_000_000);
    }

    proptest! {
        #[test]
        fn a_bin_holds_its_ten_minutes(at in i64::MIN / 2..i64::MAX / 2) {
            let Timestamp(bin) = Timestamp(at).purge_bin();
            prop_assert!((0..600_000_000).contains(&(at - bin)) && bin % 600_000_000 == 0);
        }

        #[test]
        fn an_end_is_always_later_than_now(seconds in 1e-9f64..1e15) {
            if let Ok(ttl) = Ttl::from_seconds(seconds)
                && let Ok(end) = ttl.expires_at(NOW) {
                prop_assert!(!end.is_over(NOW));
            }
        }

        #[test]
        fn longer_asked_is_never_shorter_given(a in 1e-6f64..1e12, b in 1e-6f64..1e12) {
            let (short, long) = if a <= b { (a, b) } else { (b, a) };
            let end = |seconds| Ttl::from_seconds(seconds).and_then(|ttl| ttl.expires_at(NOW));
            if let (Ok(short), Ok(long)) = (end(short), end(long)) {
                prop_assert!(short <= long);
            }
        }
    }
}
