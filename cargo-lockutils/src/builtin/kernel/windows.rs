//! LockFileEx, as std's `File::lock` calls it: on the whole file.

use std::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use lockutils_harness::protocol::serve::Slot;
use lockutils_harness::protocol::{Capability, Verb};

/// Capabilities of its worker.
pub const CAPABILITIES: &[Capability] = &[Capability::Threads, Capability::Reopen];
/// Windows has no fork(2).
pub const FORKS: bool = false;

/// The call that locks; there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    LockFileEx,
}

/// The lock of one slot.
pub struct Raw {
    path: PathBuf,
    file: Option<File>,
}

impl Raw {
    pub fn new(path: &Path, _: Call) -> Self {
        Raw {
            path: path.to_owned(),
            file: None,
        }
    }

    fn open(&self) -> Result<File, Box<dyn Error>> {
        Ok(OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?)
    }
}

impl Slot for Raw {
    fn acquire(&mut self) -> Result<(), Box<dyn Error>> {
        let file = self.open()?;
        file.lock()?;
        self.file = Some(file);
        Ok(())
    }

    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>> {
        let file = self.open()?;
        match file.try_lock() {
            Ok(()) => self.file = Some(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        Ok(self.file.is_some())
    }

    fn release(&mut self) -> Result<(), Box<dyn Error>> {
        let file = self.file.take().ok_or("nothing is held")?;
        Ok(file.unlock()?)
    }

    fn other(&mut self, verb: Verb) -> Option<Result<(), Box<dyn Error>>> {
        match verb {
            Verb::Reopen => Some(File::open(&self.path).map(drop).map_err(Into::into)),
            _ => None,
        }
    }
}

pub fn in_child(_: impl FnOnce()) -> Result<(), Box<dyn Error>> {
    Err("Windows has no fork(2)".into())
}
