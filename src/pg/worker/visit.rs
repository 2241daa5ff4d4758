//! What launcher and visitor tell each other about one visit to one database, in shared memory.

use pgrx::shmem::PGRXSharedMemory;
use pgrx::{PgLwLock, pg_shmem_init};
use sso_attr_core::name::MAX_CHARS;
use uuid::Uuid;

use crate::pg::tables::Tables;

/// A visit, of which there is only one at a time.
#[derive(Clone, Copy, Default)]
pub struct Visit {
    /// Distinguishes this visit from one that an earlier launcher started.
    pub ticket: u32,
    /// Whether the visitor got into the database. If it did not, the server has logged why.
    pub connected: bool,
    /// Whether there is more to do.
    pub unfinished: bool,
    /// Whether the visit before failed, or may have.
    pub failed_before: bool,
    /// When the sweep began, which can take several visits; 0 if none is under way.
    pub started_at: i64,
    pub attributes: u64,
    pub sessions: u64,
    /// The time until which nothing need be looked for unless something is written; 0 for none.
    pub rest_until: i64,
    /// Values encrypted anew under the primary key.
    pub resealed: u64,
    /// Where the rekey pass has come to; `None` if none is under way.
    pub rekeying: Option<RekeyCursor>,
    /// When a rekey pass last found nothing to do since the launcher started; 0 for never.
    pub rekeyed_at: i64,
    pub failure: BoundedText<500>,
}

impl Visit {
    /// Rows that the sweep has removed so far.
    pub fn removed(&self) -> u64 {
        self.attributes + self.sessions
    }
}

// SAFETY: plain numbers and bytes, no pointers: valid in every process.
unsafe impl PGRXSharedMemory for Visit {}

/// The cursor of a rekey pass, in a form that fits into shared memory.
#[derive(Clone, Copy)]
pub struct RekeyCursor {
    pub tables: Tables,
    pub session: Uuid,
    pub name: BoundedText<{ 4 * MAX_CHARS }>,
}

/// A text of at most `N` bytes; a longer one is cut off.
#[derive(Clone, Copy)]
pub struct BoundedText<const N: usize> {
    length: usize,
    bytes: [u8; N],
}

impl<const N: usize> Default for BoundedText<N> {
    fn default() -> Self {
        BoundedText { length: 0, bytes: [0; N] }
    }
}

impl<const N: usize> From<&str> for BoundedText<N> {
    fn from(text: &str) -> Self {
        let mut bounded = BoundedText::default();
        let length = text.floor_char_boundary(N);
        bounded.bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        bounded.length = length;
        bounded
    }
}

impl<const N: usize> BoundedText<N> {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

// SAFETY: no other lock of this library has that name.
static VISIT: PgLwLock<Visit> = unsafe { PgLwLock::new(c"sso_attr_visit") };

/// Reserves the shared memory. To be called while preloading only.
#[allow(unexpected_cfgs, reason = "the macro asks for releases of PostgreSQL that are not supported here")]
pub(super) fn reserve_memory() {
    pg_shmem_init!(VISIT);
}

/// Replaces the last visit, which is over, by the next one.
pub fn publish_visit(visit: Visit) {
    *VISIT.exclusive() = visit;
}

/// The visit as it stands.
pub fn current_visit() -> Visit {
    *VISIT.share()
}

/// Changes the visit, unless the launcher has gone on to another one.
pub fn update_visit(ticket: u32, change: impl FnOnce(&mut Visit)) {
    let mut visit = VISIT.exclusive();
    if visit.ticket == ticket {
        change(&mut visit);
    }
}
