//! An open lock file and its lock.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::cancel::Cancel;
#[cfg(target_os = "freebsd")]
use super::freebsd as kernel_lock;
#[cfg(target_os = "macos")]
use super::macos as kernel_lock;
use crate::fork;
use crate::sys::types::{Mode, WaitError};
use crate::sys::unix::{FileIdentity, OpenFile};

#[derive(Debug)]
pub(crate) struct LockFile(OpenFile);

impl LockFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenFile::open(path).map(LockFile)
    }

    #[inline]
    pub(crate) fn identity(&self) -> FileIdentity {
        self.0.identity()
    }

    #[inline]
    pub(crate) fn try_lock(&self, mode: Mode) -> io::Result<bool> {
        kernel_lock::try_lock(self.0.fd(), mode)
    }

    pub(crate) fn lock(
        &self,
        mode: Mode,
        until: Option<Instant>,
        cancel: Option<&Cancel>,
    ) -> Result<bool, WaitError> {
        kernel_lock::wait(self.0.fd(), mode, until, cancel).map_err(WaitError::Refused)
    }

    /// An error means that the program has closed the descriptor, and the lock with it.
    #[inline]
    pub(crate) fn unlock(&self) {
        if let Err(error) = kernel_lock::unlock(self.0.fd()) {
            if fork::may_log() {
                tracing::warn!(%error, "the lock could not be freed");
            }
        }
    }
}
