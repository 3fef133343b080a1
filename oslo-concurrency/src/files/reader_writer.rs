//! A reader-writer lock on one file, between processes and between threads.

#[cfg(test)]
use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::shared_holds::{Held, held};
use super::{FileLockError, LockFile};
use crate::fork::{self, PerProcess};
use crate::sys::{FileIdentity, Mode};
use crate::threads::current_thread;
use crate::wait::{AcquireFailure, Wait, WaitLimit};

/// A lock file that seems to be replaced this often in one acquire is not: its file system has no
/// stable inode numbers.
const REPLACED_TOO_OFTEN: usize = 10_000;
/// Files that stay open between two holds. Threads that read at the same time need one each, but
/// only then.
pub(crate) const IDLE_AT_MOST: usize = 2;

/// A lock with many readers or one writer. The kernel excludes both processes and threads.
#[derive(Debug)]
pub(crate) struct FileReaderWriter {
    path: Arc<Path>,
    /// Open and not locked. Each hold has an open file of its own, so that the kernel keeps threads
    /// apart too.
    idle: PerProcess<Mutex<Vec<LockFile>>>,
}

/// The reason why the lock was not acquired.
#[derive(Debug)]
pub(crate) enum FileReaderWriterError {
    File(FileLockError),
    /// The calling thread is a reader and cannot become a writer.
    UpgradeRefused,
}

impl From<FileLockError> for FileReaderWriterError {
    fn from(error: FileLockError) -> Self {
        FileReaderWriterError::File(error)
    }
}

impl From<AcquireFailure> for FileReaderWriterError {
    fn from(failure: AcquireFailure) -> Self {
        FileReaderWriterError::File(failure.into())
    }
}

/// Returns `true` if the calling thread holds the file as another kind of lock.
pub(crate) type HeldOtherwise<'a> = &'a dyn Fn(FileIdentity) -> bool;

impl FileReaderWriter {
    pub(crate) fn new(path: Arc<Path>) -> Self {
        FileReaderWriter {
            path,
            idle: PerProcess::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Acquires the lock for the calling thread.
    pub(crate) fn acquire(
        &self,
        mode: Mode,
        wait: Wait,
        held_otherwise: HeldOtherwise<'_>,
    ) -> Result<FileHold<'_>, FileReaderWriterError> {
        let thread = current_thread();
        self.refuse_a_wait_for_itself(thread, mode, wait, None, held_otherwise)?;
        for _ in 0..REPLACED_TOO_OFTEN {
            let idle = self.idle().pop();
            let file = match idle {
                Some(file) => file,
                None => LockFile::open(&self.path, wait, &mut WaitLimit::silent())?,
            };
            match self.lock(&file, thread, mode, wait, held_otherwise) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    self.keep(file);
                    return Err(error);
                }
            }
            // A file that was removed or replaced meanwhile excludes no other process. Closing it
            // releases the lock.
            if self.names(&file)? {
                let what = Held {
                    path: Arc::clone(&self.path),
                    file: file.identity(),
                    thread,
                    mode,
                };
                held().push(what.clone());
                return Ok(FileHold {
                    lock: self,
                    file: Some(file),
                    what,
                    generation: fork::generation(),
                });
            }
        }
        Err(self.io(io::Error::other(
            "its inode number changes at every check; put the lock path on a file system with \
             stable inode numbers",
        )))
    }

    fn names(&self, file: &LockFile) -> Result<bool, FileReaderWriterError> {
        #[cfg(test)]
        if INODES_ARE_UNSTABLE.get() {
            return Ok(false);
        }
        file.is_at(&self.path).map_err(|source| self.io(source))
    }

    /// Keeps a file open for the next hold, unless enough are kept.
    fn keep(&self, file: LockFile) {
        let mut idle = self.idle();
        let one_too_many = if idle.len() < IDLE_AT_MOST {
            idle.push(file);
            None
        } else {
            Some(file)
        };
        drop(idle);
        drop(one_too_many); // closes it: not under the mutex
    }

    /// Returns `false` if the path names another file than this one, which the thread holds under
    /// another name.
    fn lock(
        &self,
        file: &LockFile,
        thread: u64,
        mode: Mode,
        wait: Wait,
        held_otherwise: HeldOtherwise<'_>,
    ) -> Result<bool, FileReaderWriterError> {
        if file.try_lock(mode, &self.path)? {
            return Ok(true);
        }
        let identity = Some(file.identity());
        let refused = self.refuse_a_wait_for_itself(thread, mode, wait, identity, held_otherwise);
        if refused.is_err() && !self.names(file)? {
            return Ok(false);
        }
        refused?;
        match wait {
            Wait::Never => Err(AcquireFailure::Busy.into()),
            wait => {
                file.lock(mode, wait, &self.path, &mut WaitLimit::silent())?;
                Ok(true)
            }
        }
    }

    /// Fails if the calling thread itself is in the way. `file` is the file that was found locked,
    /// perhaps by this thread under another path or as another kind of lock.
    fn refuse_a_wait_for_itself(
        &self,
        thread: u64,
        mode: Mode,
        wait: Wait,
        file: Option<FileIdentity>,
        held_otherwise: HeldOtherwise<'_>,
    ) -> Result<(), FileReaderWriterError> {
        let holds_otherwise = file.is_some_and(held_otherwise);
        let held = held();
        let holds = |mode| {
            held.iter().any(|held| {
                held.thread == thread
                    && held.mode == mode
                    && (held.path == self.path || Some(held.file) == file)
            })
        };
        if holds(Mode::Exclusive) || holds_otherwise {
            return Err(match wait {
                Wait::Never => AcquireFailure::Busy.into(),
                _ => AcquireFailure::HeldBySelf.into(),
            });
        }
        if mode == Mode::Exclusive && holds(Mode::Shared) {
            return Err(FileReaderWriterError::UpgradeRefused);
        }
        Ok(())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<LockFile>> {
        self.idle
            .get_or_make(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn io(&self, source: io::Error) -> FileReaderWriterError {
        FileReaderWriterError::File(FileLockError::Io {
            path: self.path.to_path_buf(),
            source,
        })
    }
}

/// A hold of the thread that acquired it. Dropping it releases the lock; in a forked child,
/// dropping it does nothing.
#[derive(Debug)]
pub(crate) struct FileHold<'a> {
    lock: &'a FileReaderWriter,
    file: Option<LockFile>,
    what: Held,
    generation: u64,
}

impl Drop for FileHold<'_> {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if self.generation != fork::generation() {
            return; // the fork has closed the child's copy of the file
        }
        file.unlock();
        let mut held = held();
        if let Some(hold) = held.iter().position(|held| *held == self.what) {
            held.swap_remove(hold);
        }
        drop(held);
        self.lock.keep(file);
    }
}

#[cfg(test)]
thread_local! {
    /// Makes every file seem replaced, for tests of this thread.
    pub(crate) static INODES_ARE_UNSTABLE: Cell<bool> = const { Cell::new(false) };
}
