//! Memory shared with forked processes and with those executed for a run of the same test.

use std::io;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};

use crate::sys::SharedFile;
#[cfg(unix)]
use crate::sys::SharedHandle;

const WORD: usize = size_of::<AtomicU64>();

/// Words in shared memory, initially 0.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    map: MmapRaw,
    words: usize,
    /// `None` once the file is left to others.
    file: Option<SharedFile>,
}

impl SharedMemory {
    /// Maps so many words. Programs executed for a run find them again.
    pub(crate) fn new(words: usize) -> io::Result<Self> {
        Self::map(SharedFile::create((words * WORD) as u64)?)
    }

    /// Maps the memory behind a handle of the process that executed this one.
    #[cfg(unix)]
    pub(crate) fn inherited(handle: SharedHandle) -> io::Result<Self> {
        Self::map(SharedFile::open(handle)?)
    }

    /// Maps the same memory a second time.
    pub(crate) fn map_again(&self) -> io::Result<Self> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Self::map(file.try_clone()?)
    }

    /// The handle by which programs executed for a run find the memory; -1 once it is left to
    /// others.
    #[cfg(unix)]
    pub(crate) fn handle(&self) -> SharedHandle {
        self.file.as_ref().map_or(-1, SharedFile::handle)
    }

    /// Unmaps the memory and keeps it for others.
    pub(crate) fn keep_open(mut self) {
        if let Some(file) = self.file.take() {
            file.keep_open();
        }
    }

    fn map(file: SharedFile) -> io::Result<Self> {
        let map = MmapOptions::new().map_raw(file.as_file())?;
        Ok(SharedMemory {
            words: map.len() / WORD,
            map,
            file: Some(file),
        })
    }

    /// The words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is that long, page-aligned and lives as long as this value; the file
        // is never shortened; all bits are valid, and every process uses atomics.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.words) }
    }
}
