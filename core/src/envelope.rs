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

use crate::keyring::{Key, Keyring};
use crate::token::fill;
use crate::{Error, Result};

const DOMAIN: &[u8] = b"sso_attr value v1";
const VERSION: u8 = 1;
const XCHACHA20_POLY1305: u8 = 1;
const HEADER: usize = 6;
const NONCE: usize = 24;
const TAG: usize = 16;

/// Bytes of an envelope before the ciphertext.
pub const BEFORE: usize = HEADER + NONCE;
/// Bytes of an envelope behind the ciphertext.
pub const BEHIND: usize = TAG;
/// Bytes that sealing adds.
pub const OVERHEAD: usize = BEFORE + BEHIND;

/// The row that a sealed value belongs to.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub session: Uuid,
    pub name: &'a str,
}

/// Seals a plaintext where it stands: it has [`BEFORE`] bytes before it and [`BEHIND`] behind it,
/// which are filled.
pub fn seal(key: &Key, place: Place<'_>, envelope: &mut [u8]) -> Result<()> {
    let mut nonce = [0u8; NONCE];
    fill(&mut nonce)?;
    seal_with(key, place, envelope, &nonce)
}

fn seal_with(key: &Key, place: Place<'_>, envelope: &mut [u8], nonce: &[u8; NONCE]) -> Result<()> {
    let Parts { header, nonce: stored_nonce, body, tag } = parts(envelope)?;
    header[..2].copy_from_slice(&[VERSION, XCHACHA20_POLY1305]);
    header[2..].copy_from_slice(&key.id().to_be_bytes());
    *stored_nonce = *nonce;
    let computed = cipher(key)
        .encrypt_inout_detached(&XNonce::from(*nonce), &associated_data(header, place), body.into())
        .map_err(|_| Error::SealBroken)?;
    tag.copy_from_slice(&computed);
    Ok(())
}

/// The key id that a sealed value names.
pub fn key_id(envelope: &[u8]) -> Result<u32> {
    match *envelope {
        [VERSION, XCHACHA20_POLY1305, a, b, c, d, ..] => Ok(u32::from_be_bytes([a, b, c, d])),
        [version, algorithm, ..] => Err(Error::UnknownFormat { version, algorithm }),
        _ => Err(Error::SealBroken),
    }
}

/// Opens a sealed value where it stands and returns its plaintext. If that fails, nothing is
/// changed.
pub fn open<'e>(ring: &Keyring, place: Place<'_>, envelope: &'e mut [u8]) -> Result<&'e mut [u8]> {
    let id = key_id(envelope)?;
    let key = ring.get(id).ok_or(Error::KeyUnknown(id))?;
    let Parts { header, nonce, body, tag } = parts(envelope)?;
    cipher(key)
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            &associated_data(header, place),
            (&mut *body).into(),
            &Tag::from(*tag),
        )
        .map_err(|_| Error::SealBroken)?;
    Ok(body)
}

struct Parts<'e> {
    header: &'e mut [u8; HEADER],
    nonce: &'e mut [u8; NONCE],
    body: &'e mut [u8],
    tag: &'e mut [u8; TAG],
}

fn parts(envelope: &mut [u8]) -> Result<Parts<'_>> {
    let (header, rest) = envelope.split_first_chunk_mut().ok_or(Error::SealBroken)?;
    let (nonce, rest) = rest.split_first_chunk_mut().ok_or(Error::SealBroken)?;
    let (body, tag) = rest.split_last_chunk_mut().ok_or(Error::SealBroken)?;
    Ok(Parts { header, nonce, body, tag })
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

    fn sealed(key: &Key, place: Place<'_>, text: &[u8]) -> Result<Vec<u8>> {
        let mut envelope = [&[0; BEFORE], text, &[0; BEHIND]].concat();
        seal(key, place, &mut envelope)?;
        Ok(envelope)
    }

    fn opened(ring: &Keyring, place: Place<'_>, envelope: &[u8]) -> Result<Vec<u8>> {
        open(ring, place, &mut envelope.to_vec()).map(|text| text.to_vec())
    }

    #[test]
    fn the_vector_of_the_security_page_is_what_is_sealed() -> Result<()> {
        let ring = one_key();
        let mut envelope = [&[0; BEFORE][..], br#""secret""#, &[0; BEHIND]].concat();
        seal_with(ring.primary(), place("card"), &mut envelope, &[0x24; 24])?;
        assert_eq!(hex::encode(&envelope[..BEFORE]), format!("010100000007{}", "24".repeat(24)));
        let page = include_str!("../../SECURITY.md");
        assert!(page.contains(&hex::encode(&envelope)), "{}", hex::encode(&envelope));
        assert_eq!(opened(&ring, place("card"), &envelope)?, br#""secret""#);
        Ok(())
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() -> Result<()> {
        let ring = one_key();
        let sealed = sealed(ring.primary(), place("n"), b"{\"a\": 1}")?;
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            let failure = opened(&ring, place("n"), &flipped).map_err(|error| error.sqlstate());
            let expected = if (2..6).contains(&at) { "55000" } else { "XX001" };
            assert_eq!(failure, Err(expected), "byte {at}");
            assert!(opened(&ring, place("n"), &sealed[..at]).is_err(), "cut at {at}");
        }
        Ok(())
    }

    #[test]
    fn a_format_of_a_later_version_is_told_from_damage() {
        for (version, algorithm) in [(2, 1), (1, 2)] {
            let mut envelope = vec![0; 60];
            envelope[..2].copy_from_slice(&[version, algorithm]);
            assert_eq!(
                opened(&one_key(), place("n"), &envelope),
                Err(Error::UnknownFormat { version, algorithm })
            );
        }
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_under_its_key_id() -> Result<()> {
        let both = ring(&format!("7:{0}\n8:{0}", hex::encode(KEY)));
        let sealed = sealed(both.primary(), place("n"), b"1")?;
        let elsewhere = Place { session: Uuid::from_bytes([8; 16]), name: "n" };
        assert_eq!(opened(&both, place("m"), &sealed), Err(Error::SealBroken));
        assert_eq!(opened(&both, elsewhere, &sealed), Err(Error::SealBroken));
        let mut renamed = sealed.clone();
        renamed[5] = 8;
        assert_eq!(opened(&both, place("n"), &renamed), Err(Error::SealBroken));
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(text in proptest::collection::vec(any::<u8>(), 0..500), name in "\\PC{1,40}") {
            let ring = one_key();
            let fail = |error: Error| TestCaseError::fail(error.to_string());
            let sealed = sealed(ring.primary(), place(&name), &text).map_err(fail)?;
            prop_assert_eq!(sealed.len(), text.len() + OVERHEAD);
            prop_assert_eq!(opened(&ring, place(&name), &sealed).map_err(fail)?, text);
        }

        #[test]
        fn any_bytes_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(opened(&one_key(), place("n"), &bytes).is_err());
        }
    }
}
