//! The state that the processes of a round share: the progress of each slot, and whether it is
//! outside.

use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::ensure;
use nix::libc;

/// Threads and tasks of all processes of a round.
pub const SLOTS: usize = 32;
const STRIDE: usize = 8;
const WORDS: usize = (SLOTS + 1) * STRIDE;

/// Shared memory, inherited by fork.
#[derive(Debug)]
pub struct Board(NonNull<AtomicU64>);

// SAFETY: the memory consists of atomics, and stays mapped as long as the value lives.
unsafe impl Send for Board {}
// SAFETY: as above.
unsafe impl Sync for Board {}

impl Board {
    pub fn new() -> anyhow::Result<Self> {
        // SAFETY: a new mapping, which no other code knows.
        let memory = unsafe {
            libc::mmap(
                null_mut(),
                WORDS * size_of::<AtomicU64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        ensure!(memory != libc::MAP_FAILED, "no shared memory");
        Ok(Board(NonNull::new(memory.cast()).expect("not at 0")))
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is that long and lives until drop; any bits are valid.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), WORDS) }
    }

    /// Asks the workers to come to rest.
    pub fn stop(&self) {
        self.words()[0].store(1, Ordering::SeqCst);
    }

    pub fn stops(&self) -> bool {
        self.words()[0].load(Ordering::Relaxed) > 0
    }

    /// Lets the processes leave.
    pub fn dismiss(&self) {
        self.words()[1].store(1, Ordering::SeqCst);
    }

    pub fn is_dismissed(&self) -> bool {
        self.words()[1].load(Ordering::SeqCst) > 0
    }

    /// Records that `slot` has returned from a call.
    pub fn goes_on(&self, slot: usize) {
        self.words()[(slot + 1) * STRIDE].fetch_add(1, Ordering::Relaxed);
    }

    /// Records that `slot` is outside for the rest of the round.
    pub fn is_outside(&self, slot: usize) {
        self.words()[(slot + 1) * STRIDE + 1].store(1, Ordering::SeqCst);
    }

    pub fn outside(&self) -> usize {
        let word = |slot: usize| self.words()[(slot + 1) * STRIDE + 1].load(Ordering::SeqCst);
        (0..SLOTS).filter(|slot| word(*slot) > 0).count()
    }

    pub fn progress(&self) -> u64 {
        let word = |slot: usize| self.words()[(slot + 1) * STRIDE].load(Ordering::Relaxed);
        (0..SLOTS).map(word).sum::<u64>() + self.outside() as u64
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which is no longer borrowed.
        unsafe { libc::munmap(self.0.as_ptr().cast(), WORDS * size_of::<AtomicU64>()) };
    }
}
