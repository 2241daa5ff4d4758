//! The UST: a split token whose id finds the row and whose secret proves the right to it.
//!
//! An issued UST is `sso_` and 64 characters of base64url: 16 bytes of session id (UUID version 7)
//! and 32 bytes from the operating system. Only the SHA-256 of the secret is ever stored.
//! A token issued elsewhere can be adopted: its id is the first 16 bytes of its SHA-256, marked
//! as UUID version 8 (RFC 9562). Its digest is the SHA-256 of a domain string and the token, so
//! that no token in the issued form can stand for it.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use uuid::{Builder, Uuid};
use zeroize::{Zeroize, Zeroizing};

use crate::{Error, Result};

const PREFIX: &str = "sso_";
/// Domain of the digests of adopted tokens.
const ADOPTED: &[u8] = b"sso_attr adopted v1";
/// Domain of the ids of turns.
const TURN: &[u8] = b"sso_attr turn v1";
const SECRET_BYTES: usize = 32;
const ENCODED_CHARS: usize = 64;

/// The SHA-256 of a secret, compared in constant time.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `stored` is this digest.
    pub fn matches(&self, stored: &[u8]) -> bool {
        // Eight bytes a step: subtle keeps the optimiser out of every step, and 32 of them would be felt.
        let words = |bytes: &[u8; 32]| -> [u64; 4] {
            let (words, _) = bytes.as_chunks();
            std::array::from_fn(|n| u64::from_ne_bytes(words[n]))
        };
        stored.try_into().is_ok_and(|stored| words(&self.0).ct_eq(&words(stored)).into())
    }
}

/// What a presented token claims: the session it names and the digest that must be stored there.
#[derive(Clone, Copy)]
pub struct Claim {
    pub id: Uuid,
    pub digest: Digest,
    /// Whether the token was issued elsewhere.
    pub is_adopted: bool,
}

impl Claim {
    /// Reads any text; what cannot be a token of either kind is `None`.
    pub fn parse(text: &str) -> Option<Claim> {
        match text.strip_prefix(PREFIX) {
            Some(encoded) => Claim::parse_issued(encoded),
            None => is_adoptable(text).then(|| Claim::of_adopted(text)),
        }
    }

    fn parse_issued(encoded: &str) -> Option<Claim> {
        if encoded.len() != ENCODED_CHARS {
            return None;
        }
        let mut raw = Zeroizing::new([0u8; 16 + SECRET_BYTES]);
        BASE64URL.decode_slice_unchecked(encoded, raw.as_mut_slice()).ok()?;
        let (id, secret) = raw.split_at(16);
        Some(Claim { id: Uuid::from_slice(id).ok()?, digest: digest(&[secret]), is_adopted: false })
    }

    fn of_adopted(text: &str) -> Claim {
        let digest = digest(&[ADOPTED, text.as_bytes()]);
        Claim { id: hashed_id(&[text.as_bytes()]), digest, is_adopted: true }
    }
}

/// A token together with the claim that it makes.
pub struct Issued {
    pub text: Zeroizing<String>,
    pub claim: Claim,
}

/// A new token for a new session, its id ordered by the given Unix time in milliseconds.
pub fn issue(unix_millis: u64) -> Result<Issued> {
    let mut random = [0u8; 10];
    fill(&mut random)?;
    issue_for(Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
}

/// The id that sorts before those of all tokens issued from the given time on.
pub fn first_id(unix_millis: u64) -> Uuid {
    Builder::from_unix_timestamp_millis(unix_millis, &[0; 10]).into_uuid()
}

/// A new token for a session that exists.
pub fn issue_for(id: Uuid) -> Result<Issued> {
    let mut raw = Zeroizing::new([0u8; 16 + SECRET_BYTES]);
    raw[..16].copy_from_slice(id.as_bytes());
    fill(&mut raw[16..])?;
    let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + ENCODED_CHARS));
    text.push_str(PREFIX);
    BASE64URL.encode_string(raw.as_slice(), &mut text);
    Ok(Issued { text, claim: Claim { id, digest: digest(&[&raw[16..]]), is_adopted: false } })
}

/// Takes over a token that another system issued: 22 to 512 characters, not beginning with `sso_`.
pub fn adopt(text: &str) -> Result<Claim> {
    if is_adoptable(text) {
        return Ok(Claim::of_adopted(text));
    }
    Err(Error::Argument {
        message: "token cannot be adopted".into(),
        hint: Some("An adopted token has 22 to 512 characters and does not begin with \"sso_\"."),
    })
}

/// The id that stands for a turn: no session's, as nobody can find a text with such a hash.
pub fn turn_id(kind: &str, whose: &[u8]) -> Uuid {
    hashed_id(&[TURN, kind.as_bytes(), &[0], whose])
}

fn hashed_id(parts: &[&[u8]]) -> Uuid {
    let mut id = [0u8; 16];
    id.copy_from_slice(&digest(parts).0[..16]);
    Builder::from_custom_bytes(id).into_uuid()
}

/// Whether a text contains a token in the issued form, whole or with more behind it.
pub fn is_in(text: &str) -> bool {
    text.match_indices(PREFIX).any(|(at, _)| {
        let encoded = text.as_bytes().get(at + PREFIX.len()..at + PREFIX.len() + ENCODED_CHARS);
        encoded.is_some_and(|encoded| BASE64URL.decode(encoded).is_ok())
    })
}

fn is_adoptable(text: &str) -> bool {
    !text.starts_with(PREFIX) && (22..=512).contains(&text.chars().take(513).count())
}

fn digest(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let mut hash = hash.finalize();
    let mut bytes = [0u8; 32];
    bytes.copy_from_slice(&hash);
    hash.as_mut_slice().zeroize();
    Digest(bytes)
}

/// Bytes from the operating system, never from a generator that a fork would copy.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| Error::NoRandom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_issued_token_claims_its_session() -> Result<()> {
        let issued = issue(1_763_800_000_000)?;
        assert_eq!(issued.text.len(), 68);
        assert_eq!(issued.claim.id.get_version_num(), 7);
        let claim = Claim::parse(&issued.text).ok_or(Error::SessionNotLive)?;
        assert_eq!(claim.id, issued.claim.id);
        assert!(claim.digest.matches(issued.claim.digest.as_bytes()));
        Ok(())
    }

    #[test]
    fn ids_sort_by_the_time_they_were_issued() -> Result<()> {
        let id = issue(1_763_800_000_000)?.claim.id;
        assert!(first_id(1_763_800_000_000) <= id && id < first_id(1_763_800_000_001));
        Ok(())
    }

    #[test]
    fn a_rotated_token_keeps_the_id_and_changes_the_digest() -> Result<()> {
        let old = issue(1)?;
        let new = issue_for(old.claim.id)?;
        assert_eq!(new.claim.id, old.claim.id);
        assert!(!new.claim.digest.matches(old.claim.digest.as_bytes()));
        Ok(())
    }

    #[test]
    fn adopted_tokens_are_bounded_and_marked() {
        for refused in ["", "short", "sso_0123456789012345678901", &"x".repeat(513)] {
            assert!(adopt(refused).is_err());
        }
        for taken in ["0123456789012345678901", &"ж".repeat(512)] {
            assert!(adopt(taken).is_ok_and(|claim| claim.id.get_version_num() == 8));
            assert!(Claim::parse(taken).is_some());
        }
    }

    #[test]
    fn an_adopted_token_has_no_second_spelling() -> Result<()> {
        let token = "x".repeat(SECRET_BYTES);
        let claim = adopt(&token)?;
        let raw = [claim.id.as_bytes(), token.as_bytes()].concat();
        let respelled =
            Claim::parse(&format!("{PREFIX}{}", BASE64URL.encode(raw))).ok_or(Error::SessionNotLive)?;
        assert_eq!(respelled.id, claim.id);
        assert!(!respelled.digest.matches(claim.digest.as_bytes()));
        Ok(())
    }

    #[test]
    fn sha256_is_the_standard_one() {
        // FIPS 180-4, the message "abc".
        assert_eq!(
            hex::encode(digest(&[b"a", b"bc"]).0),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    proptest! {
        #[test]
        fn any_text_parses_or_does_not_but_never_panics(text in "\\PC*") {
            let _ = Claim::parse(&text);
            let _ = Claim::parse(&format!("sso_{text}"));
        }

        #[test]
        fn one_changed_character_is_another_claim(at in 4usize..68, with in "[A-Za-z0-9_-]") {
            let issued = issue(7).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let mut forged = issued.text.to_string();
            forged.replace_range(at..=at, &with);
            if forged != *issued.text
                && let Some(claim) = Claim::parse(&forged) {
                prop_assert!(claim.id != issued.claim.id
                    || !claim.digest.matches(issued.claim.digest.as_bytes()));
            }
        }
    }
}
