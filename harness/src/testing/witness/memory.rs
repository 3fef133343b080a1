//! Memory shared with forked processes and with those that inherit its descriptor.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const WORD: usize = size_of::<AtomicU64>();

/// Words in shared memory, initially 0.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    start: NonNull<AtomicU64>,
    words: usize,
    /// `None` once the descriptor is left to others.
    file: Option<File>,
}

// SAFETY: the memory consists of atomics, and stays mapped as long as the value lives.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Maps this many words. Executed programs inherit the descriptor.
    pub(crate) fn new(words: usize) -> io::Result<Self> {
        let file = File::from(memfd_create(c"lockutils-witness", MFdFlags::empty())?);
        file.set_len((words * WORD) as u64)?;
        Self::map(file)
    }

    /// Maps the memory behind an inherited descriptor.
    pub(crate) fn inherited(fd: RawFd) -> io::Result<Self> {
        // SAFETY: the parent left this descriptor open for this process, and nothing else uses it.
        Self::map(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Maps the same memory a second time.
    pub(crate) fn map_again(&self) -> io::Result<Self> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Self::map(file.try_clone()?)
    }

    /// The descriptor, or -1 once it is left to others.
    pub(crate) fn fd(&self) -> RawFd {
        self.file.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Unmaps the memory and leaves the descriptor open.
    pub(crate) fn keep_open(mut self) {
        std::mem::forget(self.file.take());
    }

    fn map(file: File) -> io::Result<Self> {
        let bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let length = NonZeroUsize::new(bytes).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping of a file that is never shortened.
        let start = unsafe {
            mmap(
                None,
                length,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                &file,
                0,
            )
        }?;
        Ok(SharedMemory {
            start: start.cast(),
            words: bytes / WORD,
            file: Some(file),
        })
    }

    /// The words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is that long, page-aligned and lives until drop; all bits are valid.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: our own mapping, no longer borrowed.
        let _ = unsafe { munmap(self.start.cast(), self.words * WORD) };
    }
}
