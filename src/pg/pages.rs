//! Memory straight from the operating system, to which it goes back at once: an allocator would keep
//! a large piece for the life of the backend.

use std::ffi::c_void;
use std::slice;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use sso_attr_core::password::Block;
use sso_attr_core::{Error, Result};
use zeroize::Zeroize;

/// Blocks to hash a password in, wiped and given back when dropped.
pub struct Blocks {
    start: *mut c_void,
    count: usize,
}

impl Blocks {
    pub fn new(count: usize) -> Result<Blocks> {
        let bytes = count.checked_mul(size_of::<Block>()).ok_or(Error::OutOfMemory)?;
        // SAFETY: a new mapping at an address that the system chooses touches nothing that is there.
        let start = unsafe {
            mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        Ok(Blocks { start: start.map_err(|_| Error::OutOfMemory)?, count })
    }

    pub fn as_mut_slice(&mut self) -> &mut [Block] {
        // SAFETY: the mapping is ours alone, of that length, aligned to a page, and zero bytes are a
        // block of numbers.
        unsafe { slice::from_raw_parts_mut(self.start.cast(), self.count) }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.as_mut_slice().iter_mut().for_each(Zeroize::zeroize);
        // SAFETY: this is the mapping that `new` made, and nothing borrows from it any more. Should it
        // fail to be removed, it is left behind, nothing worse.
        let _ = unsafe { munmap(self.start, self.count * size_of::<Block>()) };
    }
}
