//! The text of a keyring while it is read, from a file or a command.

use zeroize::Zeroizing;

/// Far more than any sensible keyring takes at 70 bytes a key: what is longer is a wrong file or a
/// program that does not stop.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// An empty buffer with room for all of it: growing would leave copies of the keys behind.
pub fn buffer() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1))
}
