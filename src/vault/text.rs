//! The text of a keyring while it is read, from a file or a command.

use zeroize::Zeroizing;

/// Far more than any sensible keyring takes at 70 bytes a key: what is longer is a wrong file or a
/// program that does not stop.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// An empty buffer with room for all of it: growing would leave copies of the keys behind.
pub fn buffer(bytes: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut buffer = Vec::new();
    match buffer.try_reserve_exact(bytes as usize + 1) {
        Ok(()) => Ok(Zeroizing::new(buffer)),
        Err(_) => Err("There is no memory to read the keyring into.".into()),
    }
}
