//! An open lock file and its lock.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::{filesystem, kernel_lock};
use crate::sys::types::{Mode, WaitError};
use crate::sys::unix::{FileIdentity, OpenFile};

/// The longest sleep of a waiter on a file system that may not wake it. Python's fasteners asks
/// again as often at the end of its backoff.
const ASK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct LockFile {
    file: OpenFile,
    /// The longest time in which the kernel is trusted to wake a waiter; `None` for any time.
    trusted_for: Option<Duration>,
}

impl LockFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenFile::open(path)?;
        let trusted_for = filesystem::may_miss_wake_ups(file.fd()).then_some(ASK_AGAIN);
        Ok(LockFile { file, trusted_for })
    }

    #[inline]
    pub(crate) fn identity(&self) -> FileIdentity {
        self.file.identity()
    }

    #[inline]
    pub(crate) fn try_lock(&self, mode: Mode) -> io::Result<bool> {
        kernel_lock::try_lock(self.file.fd(), mode)
    }

    pub(crate) fn lock(
        &self,
        mode: Mode,
        until: Option<Instant>,
        cancel: Option<&Cancel>,
    ) -> Result<bool, WaitError> {
        if let Some(time) = self.trusted_for {
            let next = Instant::now() + time;
            let first = until.map_or(next, |until| until.min(next));
            match kernel_lock::wait(self.file.fd(), mode, Some(first), cancel) {
                // Nobody asked for a limit: trust the kernel.
                Err(WaitError::NoTimer(_)) if until.is_none() && cancel.is_none() => {}
                outcome => return outcome,
            }
        }
        kernel_lock::wait(self.file.fd(), mode, until, cancel)
    }

    #[inline]
    pub(crate) fn unlock(&self) {
        kernel_lock::unlock(self.file.fd());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_wake_up_may_be_missed_a_wait_ends_to_ask_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let holder = LockFile::open(&path).unwrap();
        assert_eq!(holder.trusted_for, None, "on a local file system");
        let waiter = LockFile {
            trusted_for: Some(Duration::from_millis(20)),
            ..LockFile::open(&path).unwrap()
        };
        assert!(holder.try_lock(Mode::Exclusive).unwrap());
        for until in [None, Some(Instant::now() + Duration::from_secs(3600))] {
            assert!(!waiter.lock(Mode::Exclusive, until, None).unwrap());
        }
        holder.unlock();
        assert!(waiter.lock(Mode::Exclusive, None, None).unwrap());
    }
}
