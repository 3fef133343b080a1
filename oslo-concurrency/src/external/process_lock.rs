//! One lock file as all threads of this process share it.
//!
//! A thread first takes its *turn* among the threads of the process, then the kernel's lock on the file. When threads
//! of the process wait for their turn, the kernel's lock is passed on among them instead of being freed and taken again,
//! for [`BURST`] at most, so that other processes are not starved.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::kernel::Mode;
use super::lock_file::{FileIdentity, LockFile};
use crate::internal::QueueLock;
use crate::wait::{Missed, Patience, Wait};

/// For how long the threads of one process may pass the lock on among themselves while other processes wait.
const BURST: Duration = Duration::from_millis(1);
/// After a burst the process stays away for so long: a waiter in another process needs it to wake up and lock.
const COURTESY: Duration = Duration::from_micros(50);
/// How long the path of a lock that is passed on counts as looked at: less than any section takes that removes or renames the file
/// (unlink(2) alone takes 1.4 µs at least, on tmpfs), so that whoever comes after such a section looks.
const LOOK_AGAIN: Duration = Duration::from_nanos(500);
/// A lock file found replaced this often in one acquire is not replaced by anybody: its file system has no stable inodes.
const REPLACED_TOO_OFTEN: usize = 10_000;

/// Why an external lock was not acquired.
#[derive(Debug)]
pub(crate) enum Failure {
    Missed(Missed),
    Io { path: PathBuf, source: io::Error },
}

impl From<Missed> for Failure {
    fn from(missed: Missed) -> Self {
        Failure::Missed(missed)
    }
}

/// A lock file and the turn-taking of this process's threads before it.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    path: PathBuf,
    /// The path as the kernel takes it; `None` if it has a NUL in it, which opening it will say.
    kernel_path: Option<CString>,
    turn: QueueLock,
    /// Touched only by the thread whose turn it is, and by threads that ask for the file's identity.
    file: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<LockFile>,
    turnstile: Option<LockFile>,
    /// The kernel's lock is held, though the turn may be nobody's at the moment.
    locked: bool,
    burst: Option<Burst>,
    /// The last burst was ended for the sake of other processes.
    courtesy: bool,
}

/// The kernel's lock is being passed on among the threads of this process.
#[derive(Debug)]
struct Burst {
    began: Instant,
    /// When the path was last seen to name the locked file.
    looked: Instant,
    /// Whether the next thread need not look.
    fresh: bool,
}

impl ProcessLock {
    pub(crate) fn new(path: &Path) -> Self {
        ProcessLock {
            path: path.to_owned(),
            kernel_path: CString::new(path.as_os_str().as_bytes()).ok(),
            turn: QueueLock::default(),
            file: Mutex::default(),
        }
    }

    pub(crate) fn is_held_by_current_thread(&self) -> bool {
        self.turn.is_held_by_current_thread()
    }

    /// The identity of the file that is open, if one is.
    pub(crate) fn identity(&self) -> Option<FileIdentity> {
        self.state().open.as_ref().map(LockFile::identity)
    }

    /// Takes this thread's turn; [`lock`](Self::lock) and, in the end, [`release`](Self::release) must follow.
    pub(crate) fn take_turn(
        &self,
        wait: Wait,
        fair: bool,
        patience: &mut Patience<'_>,
    ) -> Result<(), Missed> {
        self.turn(fair).acquire_patiently(wait, patience)
    }

    /// The turn-taking of the threads and tasks of this process.
    pub(crate) fn turn(&self, fair: bool) -> &QueueLock {
        if fair {
            self.turn.make_fair();
        }
        &self.turn
    }

    /// The number of the thread or task whose turn it is, 0 when none is known.
    pub(crate) fn holder(&self) -> u64 {
        self.turn.holder()
    }

    /// The lock file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process has to let others go first, so that the one whose turn it is must wait in the kernel. Only that one may ask.
    #[cfg(feature = "tokio")]
    pub(crate) fn owes_courtesy(&self) -> bool {
        self.state().courtesy
    }

    /// Frees a kernel lock that was passed on with the turn, since its new holder has to wait for something else first.
    pub(crate) fn return_to_kernel(&self) {
        self.state().unlock();
    }

    /// Takes the kernel's lock on the file that the path names. The caller has the turn, and keeps it when this fails.
    ///
    /// `held_elsewhere` is asked, before this thread goes to sleep, whether it holds the same file by another path.
    pub(crate) fn lock(
        &self,
        wait: Wait,
        fair: bool,
        held_elsewhere: &dyn Fn(FileIdentity) -> bool,
        patience: &mut Patience<'_>,
    ) -> Result<(), Failure> {
        let mut state = self.state();
        for _ in 0..REPLACED_TOO_OFTEN {
            if !state.locked {
                self.lock_in_kernel(&mut state, wait, fair, held_elsewhere, patience)?;
            }
            if state.was_just_looked_at() {
                return Ok(());
            }
            if let Some(file) = &state.open
                && self.names(file).map_err(|source| self.io(source))?
            {
                state.looked();
                return Ok(());
            }
            state.unlock();
            state.open = None;
        }
        Err(self.io(io::Error::other(
            "its inode number changes whenever we look; put the lock path on a file system with stable inode numbers",
        )))
    }

    /// Whether the path still leads to this file.
    fn names(&self, file: &LockFile) -> io::Result<bool> {
        match &self.kernel_path {
            Some(path) => file.is_at(path.as_c_str()),
            None => file.is_at(&self.path),
        }
    }

    fn lock_in_kernel(
        &self,
        state: &mut State,
        wait: Wait,
        fair: bool,
        held_elsewhere: &dyn Fn(FileIdentity) -> bool,
        patience: &mut Patience<'_>,
    ) -> Result<(), Failure> {
        if state.open.is_none() {
            state.open = Some(LockFile::open(&self.path).map_err(|source| self.io(source))?);
        }
        if fair && state.gate_is_missing() {
            let path = turnstile_path(&self.path);
            state.turnstile = Some(LockFile::open(&path).map_err(|source| Failure::Io {
                path: path.clone(),
                source,
            })?);
        }
        if std::mem::take(&mut state.courtesy) && wait != Wait::Never {
            thread::sleep(COURTESY);
        }
        let State {
            open: Some(file),
            turnstile,
            locked,
            ..
        } = state
        else {
            unreachable!("opened above")
        };
        let mut blocked = |file: &LockFile| -> Result<(), Failure> {
            if file
                .try_lock(Mode::Exclusive, &self.path)
                .map_err(|source| self.io(source))?
            {
                return Ok(());
            }
            if wait == Wait::Never {
                return Err(Missed::Busy.into());
            }
            if held_elsewhere(file.identity()) {
                return Err(Missed::HeldBySelf.into());
            }
            Ok(file
                .lock_patiently(Mode::Exclusive, wait, &self.path, patience)
                .map_err(|source| self.io(source))??)
        };
        // If somebody has moved the gate over the lock, whoever held it as the gate would wait for itself.
        let gate = |gate: &&LockFile| fair && gate.identity() != file.identity();
        match turnstile.as_ref().filter(gate) {
            None => blocked(file)?,
            Some(turnstile) => {
                blocked(turnstile)?;
                let outcome = blocked(file);
                turnstile.unlock();
                outcome?;
            }
        }
        *locked = true;
        Ok(())
    }

    /// Ends the turn, with or without the kernel's lock.
    pub(crate) fn release(&self, fair: bool) {
        if !fair && self.turn.has_waiters() {
            let pass_on = self.state().may_pass_on();
            if pass_on && self.turn.release_to_waiter() {
                return;
            }
        }
        self.state().unlock();
        self.turn.release();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn io(&self, source: io::Error) -> Failure {
        Failure::Io {
            path: self.path.clone(),
            source,
        }
    }
}

impl State {
    /// The gate is not open, or has become the lock itself.
    fn gate_is_missing(&self) -> bool {
        let lock = self.open.as_ref().map(LockFile::identity);
        let gate = self.turnstile.as_ref().map(LockFile::identity);
        gate.is_none() || gate == lock
    }

    fn unlock(&mut self) {
        if self.locked {
            self.locked = false;
            self.burst = None;
            if let Some(file) = &self.open {
                file.unlock();
            }
        }
    }

    fn may_pass_on(&mut self) -> bool {
        if !self.locked {
            return false;
        }
        let now = Instant::now();
        match &mut self.burst {
            None => {
                self.burst = Some(Burst {
                    began: now,
                    looked: now,
                    fresh: false,
                });
                true
            }
            Some(burst) => {
                burst.fresh = now - burst.looked < LOOK_AGAIN;
                self.courtesy = now - burst.began >= BURST;
                !self.courtesy
            }
        }
    }

    fn was_just_looked_at(&mut self) -> bool {
        self.burst
            .as_mut()
            .is_some_and(|burst| std::mem::take(&mut burst.fresh))
    }

    fn looked(&mut self) {
        if let Some(burst) = &mut self.burst {
            burst.looked = Instant::now();
        }
    }
}

/// The gate in front of a fair lock: a second file, because a lock on another byte of the first one would make the whole-file
/// locks of Python's fasteners fail.
pub(crate) fn turnstile_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(TURNSTILE_SUFFIX);
    path.with_file_name(name)
}

/// What the name of a turnstile's file ends in.
pub(crate) const TURNSTILE_SUFFIX: &str = ".turnstile";
