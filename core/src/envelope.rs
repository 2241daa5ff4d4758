//! The sealed form of a value.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 1 | version, 1 |
//! | 1 | algorithm, 1 = XChaCha20-Poly1305 |
//! | 4 | key id, big-endian |
//! | 24 | nonce, from the operating system for every seal |
//! | n | ciphertext of the value's JSON text |
//! | 16 | Poly1305 tag |
//!
//! The associated data is the domain string, the first six bytes, the session id and the name
//! with its length, so a sealed value opens only under its own key, in its own row. None of it
//! changes on dump, restore, user rename or token rotation.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key as CipherKey, Tag, XChaCha20Poly1305, XNonce};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::keyring::{Key, Keyring};
use crate::token::fill;
use crate::{Error, Result};

const DOMAIN: &[u8] = b"sso_attr value v1";
const VERSION: u8 = 1;
const XCHACHA20_POLY1305: u8 = 1;
const HEADER: usize = 6;
const NONCE: usize = 24;
const TAG: usize = 16;

/// Bytes that sealing adds.
pub const OVERHEAD: usize = HEADER + NONCE + TAG;

/// The row that a sealed value belongs to.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub session: Uuid,
    pub name: &'a str,
}

/// Seals `plaintext` for its place under `key`.
pub fn seal(key: &Key, place: Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>> {
    let mut nonce = [0u8; NONCE];
    fill(&mut nonce)?;
    seal_with(key, place, plaintext, &nonce)
}

fn seal_with(key: &Key, place: Place<'_>, plaintext: &[u8], nonce: &[u8; NONCE]) -> Result<Vec<u8>> {
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
    sealed.extend([VERSION, XCHACHA20_POLY1305]);
    sealed.extend(key.id().to_be_bytes());
    let associated = associated_data(&sealed, place);
    sealed.extend(nonce);
    sealed.extend(plaintext);
    let body = &mut sealed[HEADER + NONCE..];
    let tag = cipher(key)
        .encrypt_inout_detached(&XNonce::from(*nonce), &associated, body.into())
        .map_err(|_| Error::SealBroken)?;
    sealed.extend(&tag[..]);
    Ok(sealed)
}

/// The key id that a sealed value names.
pub fn key_id(sealed: &[u8]) -> Result<u32> {
    match sealed {
        [VERSION, XCHACHA20_POLY1305, a, b, c, d, ..] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(Error::SealBroken),
    }
}

/// Opens a sealed value in its place.
pub fn open(ring: &Keyring, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let id = key_id(sealed)?;
    let key = ring.get(id).ok_or(Error::KeyUnknown(id))?;
    let (header, rest) = sealed.split_at(HEADER);
    let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(Error::SealBroken)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(Error::SealBroken)?;
    let mut text = Zeroizing::new(ciphertext.to_vec());
    cipher(key)
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            &associated_data(header, place),
            text.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| Error::SealBroken)?;
    Ok(text)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(<&CipherKey>::from(key.bytes()))
}

fn associated_data(header: &[u8], place: Place<'_>) -> Vec<u8> {
    let mut data = Vec::with_capacity(DOMAIN.len() + HEADER + 16 + 4 + place.name.len());
    data.extend(DOMAIN);
    data.extend(header);
    data.extend(place.session.as_bytes());
    // A name has at most 255 characters of 4 bytes.
    data.extend((place.name.len() as u32).to_be_bytes());
    data.extend(place.name.as_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [0x42; 32];

    fn ring(text: &str) -> Keyring {
        match Keyring::parse(text.as_bytes()) {
            Ok(ring) => ring,
            Err(fault) => unreachable!("{fault}"),
        }
    }

    fn one_key() -> Keyring {
        ring(&format!("7:{}", hex::encode(KEY)))
    }

    fn place(name: &str) -> Place<'_> {
        Place { session: Uuid::from_bytes([9; 16]), name }
    }

    #[test]
    fn the_vector_of_the_security_page_is_what_is_sealed() -> Result<()> {
        let ring = one_key();
        let sealed = seal_with(ring.primary(), place("card"), br#""secret""#, &[0x24; 24])?;
        assert_eq!(hex::encode(&sealed[..HEADER + NONCE]), format!("010100000007{}", "24".repeat(24)));
        assert_eq!(sealed.len(), 8 + OVERHEAD);
        let page = include_str!("../../SECURITY.md");
        assert!(page.contains(&hex::encode(&sealed)), "{}", hex::encode(&sealed));
        assert_eq!(open(&ring, place("card"), &sealed)?.as_slice(), br#""secret""#);
        Ok(())
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() -> Result<()> {
        let ring = one_key();
        let sealed = seal(ring.primary(), place("n"), b"{\"a\": 1}")?;
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            let failure = open(&ring, place("n"), &flipped).map(|_| ()).map_err(|e| e.sqlstate());
            let expected = if (2..6).contains(&at) { "55000" } else { "XX001" };
            assert_eq!(failure, Err(expected), "byte {at}");
            assert!(open(&ring, place("n"), &sealed[..at]).is_err(), "cut at {at}");
        }
        Ok(())
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_under_its_key_id() -> Result<()> {
        let both = ring(&format!("7:{0}\n8:{0}", hex::encode(KEY)));
        let sealed = seal(both.primary(), place("n"), b"1")?;
        let elsewhere = Place { session: Uuid::from_bytes([8; 16]), name: "n" };
        assert_eq!(open(&both, place("m"), &sealed).map(|_| ()), Err(Error::SealBroken));
        assert_eq!(open(&both, elsewhere, &sealed).map(|_| ()), Err(Error::SealBroken));
        let mut renamed = sealed.clone();
        renamed[5] = 8;
        assert_eq!(open(&both, place("n"), &renamed).map(|_| ()), Err(Error::SealBroken));
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(text in proptest::collection::vec(any::<u8>(), 0..500), name in "\\PC{1,40}") {
            let ring = one_key();
            let sealed = seal(ring.primary(), place(&name), &text).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(sealed.len(), text.len() + OVERHEAD);
            let opened = open(&ring, place(&name), &sealed).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(opened.as_slice(), text.as_slice());
        }

        #[test]
        fn any_bytes_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(open(&one_key(), place("n"), &bytes).is_err());
        }
    }
}
