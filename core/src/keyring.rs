//! The keyring: one key a line, `id:64 hex digits`, `#` comments, the first key primary.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// A 256-bit key and the number that sealed values name it by. The bytes stay in one place, however
/// the key is moved, so that wiping that place leaves no copy.
pub struct Key {
    id: u32,
    bytes: Box<Zeroizing<[u8; 32]>>,
    check_value: [u8; 16],
}

impl Key {
    fn new(id: u32, bytes: Box<Zeroizing<[u8; 32]>>) -> Key {
        let mut hash = Sha256::new();
        hash.update(b"sso_attr key check v1");
        hash.update(bytes.as_slice());
        let digest = hash.finalize();
        let mut check_value = [0u8; 16];
        check_value.copy_from_slice(&digest[..16]);
        Key { id, bytes, check_value }
    }

    /// The number that sealed values carry.
    pub fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// A value that tells this key from another under the same id without revealing it: the first
    /// 16 bytes of SHA-256 over a domain string and the key. The key has full entropy, so a plain
    /// hash gives nothing to guess from.
    pub fn check_value(&self) -> [u8; 16] {
        self.check_value
    }
}

/// One or more keys with distinct ids.
pub struct Keyring {
    primary: Key,
    others: Vec<Key>,
}

/// Why a text is not a keyring, told without any of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Empty,
    NotKey { line: usize },
    Repeated { line: usize, id: u32 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => write!(f, "It holds no key"),
            Fault::NotKey { line } => write!(f, "Line {line} is not \"id:64 hex digits\""),
            Fault::Repeated { line, id } => write!(f, "Line {line} repeats key id {id}"),
        }
    }
}

impl Keyring {
    /// Reads the whole of a keyring's text.
    pub fn parse(text: &[u8]) -> Result<Keyring, Fault> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let key = parse_line(line).ok_or(Fault::NotKey { line: number })?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(Fault::Repeated { line: number, id: key.id });
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let primary = keys.next().ok_or(Fault::Empty)?;
        Ok(Keyring { primary, others: keys.collect() })
    }

    /// The key that seals.
    pub fn primary(&self) -> &Key {
        &self.primary
    }

    /// The key that a sealed value names.
    pub fn get(&self, id: u32) -> Option<&Key> {
        self.keys().find(|key| key.id == id)
    }

    /// All keys, the primary one first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.primary).chain(&self.others)
    }
}

fn parse_line(line: &[u8]) -> Option<Key> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (id, digits) = (&line[..colon], &line[colon + 1..]);
    if id.is_empty() || !id.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let id = std::str::from_utf8(id).ok()?.parse().ok()?;
    let mut bytes = Box::new(Zeroizing::new([0u8; 32]));
    hex::decode_to_slice(digits, bytes.as_mut_slice()).ok()?;
    Some(Key::new(id, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const B: &str = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";

    fn fault(text: &str) -> Option<Fault> {
        Keyring::parse(text.as_bytes()).err()
    }

    #[test]
    fn the_first_key_is_primary() -> Result<(), Fault> {
        let ring = Keyring::parse(format!("# comment\r\n\n 7:{A} \n1:{B}").as_bytes())?;
        assert_eq!(ring.primary().id(), 7);
        assert_eq!(ring.get(1).map(Key::id), Some(1));
        assert!(ring.get(2).is_none());
        assert_eq!(ring.keys().count(), 2);
        Ok(())
    }

    #[test]
    fn what_is_malformed_is_named_by_line_and_shows_no_bytes() {
        assert_eq!(fault(""), Some(Fault::Empty));
        assert_eq!(fault("# only a comment"), Some(Fault::Empty));
        for line in [
            "1",
            "x:00",
            "1:00",
            "-1:",
            &format!("+1:{A}"),
            &format!("1:{A}00"),
            &format!("4294967296:{A}"),
            &format!("1 :{A}"),
            &format!(":{A}"),
        ] {
            assert_eq!(fault(&format!("#\n{line}")), Some(Fault::NotKey { line: 2 }), "{line}");
        }
        assert_eq!(fault(&format!("1:{A}\n01:{B}")), Some(Fault::Repeated { line: 2, id: 1 }));
    }

    #[test]
    fn check_values_tell_keys_apart() -> Result<(), Fault> {
        let ring = Keyring::parse(format!("1:{A}\n2:{B}").as_bytes())?;
        let again = Keyring::parse(format!("1:{A}").as_bytes())?;
        assert_eq!(ring.primary().check_value(), again.primary().check_value());
        assert_ne!(ring.get(2).map(Key::check_value), Some(again.primary().check_value()));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_do_not_but_never_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Keyring::parse(&text);
        }

        #[test]
        fn what_is_written_is_read(keys in proptest::collection::btree_map(any::<u32>(), any::<[u8; 32]>(), 1..8)) {
            let text: String = keys.iter().map(|(id, key)| format!("{id}:{}\n", hex::encode(key))).collect();
            let ring = Keyring::parse(text.as_bytes()).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
            for (id, bytes) in &keys {
                prop_assert_eq!(ring.get(*id).map(|key| *key.bytes()), Some(*bytes));
            }
        }
    }
}
