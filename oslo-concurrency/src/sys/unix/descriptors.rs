//! The table of lock descriptors, which a forked child can read without taking a lock.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::time::Instant;

use super::fork_barrier::{self, DELAYED_FOR_LONG};
use crate::fork;

const FREE: RawFd = -1;
const SLOTS: usize = 62;

struct Chunk {
    slots: [AtomicI32; SLOTS],
    next: AtomicPtr<Chunk>,
}

impl Chunk {
    const fn new() -> Self {
        Chunk {
            slots: [const { AtomicI32::new(FREE) }; SLOTS],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn next(&self) -> Option<&'static Chunk> {
        // SAFETY: `next` is null or a chunk that was leaked on purpose: chunks are never freed.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }
}

static TABLE: Chunk = Chunk::new();

fn chunks() -> impl Iterator<Item = &'static Chunk> {
    std::iter::successors(Some(&TABLE), |chunk| chunk.next())
}

fn slots() -> impl Iterator<Item = &'static AtomicI32> {
    chunks().flat_map(|chunk| &chunk.slots)
}

fn claim_slot(fd: RawFd) -> &'static AtomicI32 {
    loop {
        let claimed = slots().find(|slot| {
            slot.compare_exchange(FREE, fd, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
        });
        match claimed {
            Some(slot) => return slot,
            None => grow(),
        }
    }
}

fn grow() {
    let fresh = Box::into_raw(Box::new(Chunk::new()));
    let last = chunks().last().unwrap_or(&TABLE);
    if last
        .next
        .compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Relaxed)
        .is_err()
    {
        // SAFETY: the exchange failed, so no other thread has seen `fresh`.
        drop(unsafe { Box::from_raw(fresh) });
    }
}

/// Closes the copies that a forked child has inherited. Async-signal-safe.
pub(super) fn close_in_child() {
    for slot in slots() {
        let fd = slot.swap(FREE, Ordering::SeqCst);
        if fd != FREE {
            // SAFETY: the slot says that this descriptor is a copy of a lock file's. The object
            // that owns it belongs to the parent's generation, so nothing else closes it.
            unsafe { libc::close(fd) };
        }
    }
}

/// A descriptor that a forked child does not keep: its copy is closed before `fork` returns there.
#[derive(Debug)]
pub(crate) struct ProcessFd {
    fd: RawFd,
    slot: &'static AtomicI32,
    generation: u64,
}

impl ProcessFd {
    /// Opens a descriptor with `open` and enters it into the table.
    ///
    /// If another thread forks in between, the child may have a copy that it does not know of. The
    /// descriptor is then closed and opened again.
    pub(crate) fn open(mut open: impl FnMut() -> io::Result<OwnedFd>) -> io::Result<Self> {
        let began = Instant::now();
        let mut delayed = None;
        loop {
            if delayed.is_none() && began.elapsed() > DELAYED_FOR_LONG {
                delayed = Some(fork_barrier::delayed());
            }
            let Some((opener, forks)) = fork_barrier::between_forks() else {
                continue;
            };
            let fd = above_standard_streams(open()?)?.into_raw_fd();
            let opened = ProcessFd {
                fd,
                slot: claim_slot(fd),
                generation: fork::generation(),
            };
            drop(opener);
            if fork_barrier::forks_started() == forks {
                return Ok(opened);
            }
        }
    }
}

/// Moves a descriptor away from 0, 1 and 2. A program that has closed those writes there all the
/// same, and a lock file is never written to.
fn above_standard_streams(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let lowest = libc::STDERR_FILENO + 1;
    let moved = nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: the call has just made this descriptor, and no other code knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

impl AsFd for ProcessFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        debug_assert_eq!(
            self.generation,
            fork::generation(),
            "a lock descriptor of the parent process was used"
        );
        // SAFETY: in its own generation the descriptor stays open until `self` is dropped.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl AsRawFd for ProcessFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

impl Drop for ProcessFd {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            return;
        }
        // A fork between the last two lines would leave the child a descriptor that it does not
        // know of. After a while that is accepted: no file that still has its name is locked
        // through this descriptor.
        let began = Instant::now();
        let _closing = loop {
            let opener = fork_barrier::between_forks();
            if opener.is_some() || began.elapsed() > DELAYED_FOR_LONG {
                break opener;
            }
        };
        self.slot.store(FREE, Ordering::SeqCst);
        // SAFETY: `self` owns the descriptor, and the slot no longer names it, so no child closes
        // it as well.
        unsafe { libc::close(self.fd) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn slots_are_claimed_once_and_found_again() {
        let opened: Vec<ProcessFd> = (0..SLOTS * 2)
            .map(|_| {
                ProcessFd::open(|| UnixStream::pair().map(|(one, _)| OwnedFd::from(one))).unwrap()
            })
            .collect();
        for fd in &opened {
            assert_eq!(
                slots()
                    .filter(|slot| slot.load(Ordering::SeqCst) == fd.as_raw_fd())
                    .count(),
                1
            );
        }
        let numbers: Vec<RawFd> = opened.iter().map(AsRawFd::as_raw_fd).collect();
        let table = opened[0].slot as *const _;
        drop(opened);
        assert!(
            slots().any(|slot| ptr::eq(slot, table)),
            "slots are never freed"
        );
        assert!(!numbers.is_empty());
    }
}
