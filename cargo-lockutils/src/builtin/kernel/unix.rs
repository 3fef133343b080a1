//! flock(2) and fcntl(2).

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use lockutils_harness::protocol::serve::Slot;
use lockutils_harness::protocol::{Capability, Verb};
use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

use crate::sys::lock_whole_file;

/// Capabilities of their worker.
pub const CAPABILITIES: &[Capability] =
    &[Capability::Threads, Capability::Fork, Capability::Reopen];
/// There is fork(2).
pub const FORKS: bool = true;

/// The system call that takes the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Flock,
    Posix,
    #[cfg(not(target_os = "freebsd"))]
    Ofd,
}

/// The state to bring the lock on the file to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Exclusive,
    Unlocked,
}

/// The lock of one slot.
pub struct Raw {
    path: PathBuf,
    call: Call,
    file: Option<File>,
}

impl Raw {
    pub fn new(path: &Path, call: Call) -> Self {
        Raw {
            path: path.to_owned(),
            call,
            file: None,
        }
    }

    fn lock(&mut self, wait: bool) -> Result<bool, Box<dyn Error>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        if self.apply(&file, Kind::Exclusive, wait)? {
            self.file = Some(file);
        }
        Ok(self.file.is_some())
    }

    /// Returns `true` if the kernel granted the lock.
    fn apply(&self, file: &File, kind: Kind, wait: bool) -> Result<bool, Box<dyn Error>> {
        if self.call == Call::Flock {
            return match (kind == Kind::Unlocked, wait) {
                (true, _) => Ok(file.unlock().map(|()| true)?),
                (false, true) => Ok(file.lock().map(|()| true)?),
                (false, false) => match file.try_lock() {
                    Ok(()) => Ok(true),
                    Err(std::fs::TryLockError::WouldBlock) => Ok(false),
                    Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
                },
            };
        }
        let command = match (self.call, wait) {
            #[cfg(not(target_os = "freebsd"))]
            (Call::Ofd, true) => libc::F_OFD_SETLKW,
            #[cfg(not(target_os = "freebsd"))]
            (Call::Ofd, false) => libc::F_OFD_SETLK,
            (_, true) => libc::F_SETLKW,
            (_, false) => libc::F_SETLK,
        };
        let kind = match kind {
            Kind::Exclusive => libc::F_WRLCK,
            Kind::Unlocked => libc::F_UNLCK,
        };
        Ok(lock_whole_file(file, command, kind as libc::c_short)?)
    }

    fn unlock(&self) -> Result<(), Box<dyn Error>> {
        let file = self.file.as_ref().ok_or("nothing is held")?;
        self.apply(file, Kind::Unlocked, false).map(drop)
    }
}

impl Slot for Raw {
    fn acquire(&mut self) -> Result<(), Box<dyn Error>> {
        self.lock(true).map(drop)
    }

    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>> {
        self.lock(false)
    }

    fn release(&mut self) -> Result<(), Box<dyn Error>> {
        let released = self.unlock();
        self.file = None;
        released
    }

    fn other(&mut self, verb: Verb) -> Option<Result<(), Box<dyn Error>>> {
        match verb {
            Verb::ForkRelease => Some(in_child(|| drop(self.unlock()))),
            Verb::ForkExit => Some(in_child(|| ())),
            Verb::Reopen => Some(File::open(&self.path).map(drop).map_err(Into::into)),
            _ => None,
        }
    }
}

pub fn in_child(act: impl FnOnce()) -> Result<(), Box<dyn Error>> {
    // SAFETY: in the scenario `fork`, a worker has one slot and so one thread. Even with several
    // threads, glibc keeps malloc usable in the child, and `act` needs nothing else beyond system
    // calls.
    match unsafe { fork() }? {
        ForkResult::Child => {
            act();
            std::process::exit(0)
        }
        ForkResult::Parent { child } => Ok(waitpid(child, None).map(drop)?),
    }
}
