//! Passwords: Argon2id (RFC 9106), stored as PHC strings.
//!
//! A password is hashed in memory that the caller supplies, so that none is taken where a lack of it
//! could not be reported.

use std::fmt;
use std::ops::RangeInclusive;

pub use argon2::Block;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::token::fill;
use crate::{Error, Result};

/// The lengths of a password that can be set, in bytes.
pub const LENGTH: RangeInclusive<usize> = 8..=1024;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// What hashing a password takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Cost {
    /// OWASP's parameters for Argon2id.
    pub const DEFAULT: Cost = Cost { memory_kib: 19456, passes: 2, lanes: 1 };

    /// What a new password can be hashed with.
    pub const MEMORY_KIB: RangeInclusive<u32> = 1024..=1024 * 1024;
    pub const PASSES: RangeInclusive<u32> = 1..=100;
    pub const LANES: RangeInclusive<u32> = 1..=64;

    /// The blocks of memory that are needed.
    pub fn blocks(self) -> Result<usize> {
        Ok(self.params(HASH_BYTES)?.block_count())
    }

    fn params(self, hash_bytes: usize) -> Result<Params> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(hash_bytes)).map_err(|_| UNREADABLE)
    }
}

const UNREADABLE: Error = Error::RowCorrupted("password is not an Argon2id hash that can be computed");

/// A password that can be set.
pub fn validate(password: Option<&str>) -> Result<&str> {
    let password = password.ok_or_else(|| Error::argument("password must not be null"))?;
    if password.len() < *LENGTH.start() {
        return Err(Error::argument(format!("password must have at least {} bytes", LENGTH.start())));
    }
    if password.len() > *LENGTH.end() {
        let limit = *LENGTH.end() as u64;
        return Err(Error::TooLong { what: "password".into(), limit, unit: "bytes", hint: None });
    }
    Ok(password)
}

/// The PHC string of a password, with a new salt. `memory` has at least [`Cost::blocks`].
pub fn hash(password: &str, cost: Cost, memory: &mut [Block]) -> Result<String> {
    let mut salt = [0; SALT_BYTES];
    fill(&mut salt)?;
    let params = cost.params(HASH_BYTES)?;
    let stored = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|_| UNREADABLE)?,
        salt: Some(Salt::new(&salt).map_err(|_| UNREADABLE)?),
        hash: Some(Output::new(&compute(password, &salt, params, memory)?).map_err(|_| UNREADABLE)?),
    };
    Ok(stored.to_string())
}

fn compute(password: &str, salt: &[u8], params: Params, memory: &mut [Block]) -> Result<Zeroizing<Vec<u8>>> {
    let mut hash = Zeroizing::new(vec![0; params.output_len().unwrap_or(HASH_BYTES)]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, memory)
        .map_err(|_| UNREADABLE)?;
    Ok(hash)
}

/// A password as it is stored.
#[derive(Clone)]
pub struct Stored {
    cost: Cost,
    salt: Salt,
    /// `None` in a decoy.
    hash: Option<Output>,
}

impl Stored {
    /// Reads a PHC string of Argon2id, made here or by another system.
    pub fn parse(text: &str) -> Result<Stored> {
        let stored = PasswordHash::new(text).map_err(|_| UNREADABLE)?;
        let params = Params::try_from(&stored).map_err(|_| UNREADABLE)?;
        let cost = Cost { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() };
        let is_readable = stored.algorithm == ARGON2ID_IDENT
            && stored.version == Some(Version::V0x13.into())
            && params.data().is_empty()
            && cost.memory_kib <= *Cost::MEMORY_KIB.end()
            && Cost::PASSES.contains(&cost.passes)
            && Cost::LANES.contains(&cost.lanes);
        match (stored.salt, stored.hash) {
            (Some(salt), Some(hash)) if is_readable => Ok(Stored { cost, salt, hash: Some(hash) }),
            _ => Err(UNREADABLE),
        }
    }

    /// A decoy that no password matches, at the same cost.
    pub fn decoy(cost: Cost) -> Result<Stored> {
        Ok(Stored { cost, salt: Salt::new(&[0; SALT_BYTES]).map_err(|_| UNREADABLE)?, hash: None })
    }

    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Whether `password` is the stored one. `memory` has at least [`Cost::blocks`]. A text longer than
    /// any password can be never matches.
    pub fn matches(&self, password: &str, memory: &mut [Block]) -> Result<bool> {
        let shortened = &password[..password.floor_char_boundary(*LENGTH.end())];
        let length = self.hash.map_or(HASH_BYTES, |hash| hash.len());
        let computed = compute(shortened, &self.salt, self.cost.params(length)?, memory)?;
        let is_same = self.hash.is_some_and(|hash| computed.ct_eq(hash.as_bytes()).into());
        Ok(is_same && shortened.len() == password.len())
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("cost", &self.cost).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 1024, passes: 1, lanes: 1 };

    fn memory(cost: Cost) -> Result<Vec<Block>> {
        Ok(vec![Block::default(); cost.blocks()?])
    }

    fn matches(stored: &str, password: &str) -> Result<bool> {
        let stored = Stored::parse(stored)?;
        stored.matches(password, &mut memory(stored.cost())?)
    }

    #[test]
    fn a_password_matches_its_hash_only() -> Result<()> {
        for cost in [CHEAP, Cost { memory_kib: 1026, passes: 3, lanes: 4 }] {
            let stored = hash("пароль 密码", cost, &mut memory(cost)?)?;
            assert_eq!(Stored::parse(&stored)?.cost(), cost);
            assert!(matches(&stored, "пароль 密码")?);
            for other in ["", "пароль 密", "пароль 密码 ", "пароль 密码\0"] {
                assert!(!matches(&stored, other)?, "{other:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_hash_has_its_own_salt() -> Result<()> {
        let hashes =
            [hash("the same", CHEAP, &mut memory(CHEAP)?)?, hash("the same", CHEAP, &mut memory(CHEAP)?)?];
        assert_ne!(hashes[0], hashes[1]);
        assert!(hashes[0].starts_with("$argon2id$v=19$m=1024,t=1,p=1$"), "{}", hashes[0]);
        Ok(())
    }

    #[test]
    fn hashes_of_the_reference_implementation_are_read() -> Result<()> {
        // phc-winner-argon2, src/test.c, version 0x13 of Argon2id.
        let stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert!(matches(stored, "password")?);
        assert!(!matches(stored, "Password")?);
        Ok(())
    }

    #[test]
    fn what_is_no_argon2id_hash_is_refused() {
        for stored in [
            "",
            "password",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=4294967295,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
        ] {
            assert_eq!(Stored::parse(stored).map_err(|e| e.sqlstate()).err(), Some("XX001"), "{stored}");
        }
    }

    #[test]
    fn nothing_matches_a_decoy() -> Result<()> {
        let decoy = Stored::decoy(CHEAP)?;
        assert!(!decoy.matches("", &mut memory(CHEAP)?)?);
        assert!(!decoy.matches("password", &mut memory(CHEAP)?)?);
        Ok(())
    }

    #[test]
    fn a_longer_password_is_not_its_beginning() -> Result<()> {
        let longest = "x".repeat(1024);
        let stored = hash(&longest, CHEAP, &mut memory(CHEAP)?)?;
        assert!(matches(&stored, &longest)?);
        assert!(!matches(&stored, &format!("{longest}x"))?);
        Ok(())
    }

    #[test]
    fn the_length_of_a_password_is_bounded() {
        let state = |password: Option<&str>| validate(password).map_err(|e| e.sqlstate()).err();
        assert_eq!(state(None), Some("22023"));
        assert_eq!(state(Some("1234567")), Some("22023"));
        assert_eq!(state(Some("12345678")), None);
        assert_eq!(state(Some("密码密")), None);
        assert_eq!(state(Some(&"x".repeat(1024))), None);
        assert_eq!(state(Some(&"x".repeat(1025))), Some("54000"));
    }

    #[test]
    fn too_little_memory_is_an_error() -> Result<()> {
        let mut memory = memory(CHEAP)?;
        assert!(hash("password", CHEAP, &mut memory[1..]).is_err());
        Ok(())
    }
}
