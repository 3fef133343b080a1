//! One lock file, shared by all threads of this process.
//!
//! A thread first acquires its *turn* among the threads of the process, then the kernel's lock on
//! the file, and then checks whether the path still names that file. While threads of the process
//! wait for their turn, the kernel's lock is passed on among them instead of being released and
//! acquired again, for [`BURST`] at most, so that other processes do not starve.
//!
//! A kernel lock that is passed on has no owner for a moment. It is only left to a thread that is
//! awake and certain to acquire the turn, or to find that another has acquired it. A thread or task
//! that acquires the turn, in any way, gets the kernel's lock with it and must release both with
//! [`ProcessLock::release`] or [`ProcessLock::give_back`]. So the kernel's lock is free whenever
//! the lock has no holder and no acquire is under way.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileLockError, LockFile, turnstile_path};
use crate::sync::{Instant, Mutex, MutexGuard, lock, sleep};
use crate::sys::{self, FileIdentity, Mode, NativePath};
use crate::threads::QueueLock;
use crate::wait::{AcquireFailure, Wait, WaitLimit};

/// Time for which the threads of one process may pass the lock on among themselves while other
/// processes wait.
const BURST: Duration = Duration::from_millis(1);
/// Pause of the process after a burst, in which a waiter in another process can wake up and acquire
/// the lock.
const PAUSE_AFTER_BURST: Duration = Duration::from_micros(50);
/// A lock file that seems to be replaced this often in one acquire is not: its file system has no
/// stable inode numbers.
const REPLACED_TOO_OFTEN: usize = 10_000;

/// Returns `true` if the caller holds a file in another way. `None` if it holds no file, so that no
/// path has to be checked.
pub(crate) type HeldHere<'a> = Option<&'a dyn Fn(FileIdentity) -> bool>;

/// A lock file and the queue of this process's threads for it.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    path: PathBuf,
    native_path: NativePath,
    turn: QueueLock,
    /// Used only by the thread whose turn it is.
    file: Mutex<State>,
    /// The open file, for threads whose turn it is not.
    identity: Mutex<Option<FileIdentity>>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<LockFile>,
    turnstile: Option<LockFile>,
    /// Set while the kernel's lock is held, even if the turn has no owner for a moment.
    locked: bool,
    /// The time when threads of this process began to pass the kernel's lock on among themselves.
    burst_began: Option<Instant>,
    /// Set if the last burst ended because it had lasted too long.
    must_pause: bool,
}

impl ProcessLock {
    pub(crate) fn new(path: &Path) -> Self {
        ProcessLock {
            path: path.to_owned(),
            native_path: NativePath::new(path),
            turn: QueueLock::default(),
            file: Mutex::default(),
            identity: Mutex::default(),
        }
    }

    pub(crate) fn is_held_by_current_thread(&self) -> bool {
        self.turn.is_held_by_current_thread()
    }

    /// The identity of the open file, if there is one.
    pub(crate) fn identity(&self) -> Option<FileIdentity> {
        *lock(&self.identity)
    }

    /// Returns `true` if the calling thread holds the file, here or as `held_here` says.
    pub(crate) fn would_wait_for_itself(&self, held_here: HeldHere<'_>) -> bool {
        self.turn.is_held_by_current_thread() || held_here.is_some_and(|is| self.leads_to(is))
    }

    /// Returns `true` if `is` returns `true` for the file that is open here, or for the one that
    /// the path names.
    pub(crate) fn leads_to(&self, is: impl Fn(FileIdentity) -> bool) -> bool {
        self.identity().is_some_and(&is)
            || sys::identity_at(&self.path).is_ok_and(|file| file.is_some_and(&is))
    }

    /// The number of the thread or task whose turn it is, 0 if none is known.
    pub(crate) fn holder(&self) -> u64 {
        self.turn.holder()
    }

    /// The lock file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The turn among the threads and tasks of this process.
    ///
    /// After acquiring it, a caller must go on with [`lock`](Self::lock), and end the turn with
    /// [`release`](Self::release) or [`give_back`](Self::give_back), never by releasing the turn
    /// alone.
    pub(crate) fn turn(&self) -> &QueueLock {
        &self.turn
    }

    /// Acquires the turn for the calling thread.
    ///
    /// `held_here` returns `true` if the calling thread holds a file, by another path or as another
    /// kind of lock. It is called before the thread queues behind others: the one whose turn it is
    /// may be waiting for that very file.
    pub(crate) fn take_turn(
        &self,
        wait: Wait,
        held_here: HeldHere<'_>,
        limit: &mut WaitLimit<'_>,
    ) -> Result<(), AcquireFailure> {
        match self.turn.acquire(Wait::Never) {
            Err(AcquireFailure::Busy) if wait != Wait::Never => {}
            outcome => return outcome,
        }
        if self.would_wait_for_itself(held_here) {
            return Err(AcquireFailure::HeldBySelf);
        }
        self.turn.acquire_with_limit(wait, limit)
    }

    /// Returns `true` if this process has to pause for other processes. Only the owner of the turn
    /// may call this.
    #[cfg(feature = "tokio")]
    pub(crate) fn must_pause(&self) -> bool {
        self.state().must_pause
    }

    /// Acquires the kernel's lock on the file that the path names. The caller has the turn, and
    /// keeps it if this fails.
    ///
    /// `held_here` is as in [`take_turn`](Self::take_turn), and is called before this thread goes
    /// to sleep.
    pub(crate) fn lock(
        &self,
        wait: Wait,
        fair: bool,
        held_here: HeldHere<'_>,
        limit: &mut WaitLimit<'_>,
    ) -> Result<(), FileLockError> {
        let mut state = self.state();
        for _ in 0..REPLACED_TOO_OFTEN {
            if !state.locked {
                self.lock_in_kernel(&mut state, wait, fair, held_here, limit)?;
            }
            // After every acquisition, also of a kernel lock that was passed on: the file may have
            // been removed and created again during the critical section before.
            if let Some(file) = state.open.as_ref().filter(|_| state.locked) {
                if file
                    .is_at_native(&self.native_path)
                    .map_err(|source| self.io(source))?
                {
                    return Ok(());
                }
            }
            self.unlock(&mut state);
            self.set_open(&mut state, None);
        }
        Err(self.io(io::Error::other(
            "its inode number changes at every check; put the lock path on a file system with \
             stable inode numbers",
        )))
    }

    /// Acquires the kernel's lock, or returns without it if the path has to be opened again.
    fn lock_in_kernel(
        &self,
        state: &mut State,
        wait: Wait,
        fair: bool,
        held_here: HeldHere<'_>,
        limit: &mut WaitLimit<'_>,
    ) -> Result<(), FileLockError> {
        if state.open.is_none() {
            let file = LockFile::open(&self.path, wait, limit)?;
            self.set_open(state, Some(file));
        }
        if fair && state.turnstile_is_missing() {
            state.turnstile = Some(LockFile::open(&turnstile_path(&self.path), wait, limit)?);
        }
        if std::mem::take(&mut state.must_pause) && wait != Wait::Never {
            sleep(PAUSE_AFTER_BURST);
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
        // Returns `false` if the path no longer names the file, and waiting for the file would
        // never end.
        let mut acquire = |file: &LockFile, path: &Path| -> Result<bool, FileLockError> {
            if file.try_lock(Mode::Exclusive, &self.path)? {
                return Ok(true);
            }
            let held_here = held_here.is_some_and(|is| is(file.identity()));
            // The file was moved since it was opened, and this thread holds it under its new name.
            // The old name belongs to another file.
            if held_here && !file.is_at(path).map_err(|source| self.io(source))? {
                return Ok(false);
            }
            if wait == Wait::Never {
                return Err(AcquireFailure::Busy.into());
            }
            if held_here {
                return Err(AcquireFailure::HeldBySelf.into());
            }
            file.lock(Mode::Exclusive, wait, &self.path, limit)?;
            Ok(true)
        };
        // If the turnstile was moved over the lock file, a thread that held it as turnstile would
        // wait for itself.
        let usable = |turnstile: &&LockFile| fair && turnstile.identity() != file.identity();
        *locked = match turnstile.as_ref().filter(usable) {
            None => acquire(file, &self.path)?,
            Some(turnstile_file) => {
                let path = turnstile_path(&self.path);
                let in_front = acquire(turnstile_file, &path)?;
                // Other processes do not queue at a turnstile that was removed.
                if !in_front || !matches!(turnstile_file.is_at(&path), Ok(true)) {
                    *turnstile = None;
                    return Ok(());
                }
                let outcome = acquire(file, &self.path);
                turnstile_file.unlock();
                outcome?
            }
        };
        Ok(())
    }

    /// Ends the turn. Passes the kernel's lock on to a waiting thread of this process, or releases
    /// it.
    pub(crate) fn release(&self, fair: bool) {
        if !fair && self.turn.has_waiters() {
            let may_pass_on = self.state().may_pass_on();
            if may_pass_on && self.turn.release_to_thread() {
                return;
            }
        }
        self.give_back();
    }

    /// Releases the kernel's lock, if it is held, and ends the turn.
    pub(crate) fn give_back(&self) {
        self.unlock(&mut self.state());
        self.turn.release();
    }

    fn unlock(&self, state: &mut State) {
        state.burst_began = None;
        if std::mem::take(&mut state.locked) {
            if let Some(file) = &state.open {
                file.unlock();
            }
        }
    }

    fn set_open(&self, state: &mut State, file: Option<LockFile>) {
        *lock(&self.identity) = file.as_ref().map(LockFile::identity);
        state.open = file;
    }

    /// Returns `true` if the lock has no holder, no acquire is under way, and the kernel's lock is
    /// free.
    #[cfg(test)]
    #[allow(dead_code, reason = "for the model tests, which compile this file too")]
    pub(crate) fn is_idle(&self) -> bool {
        self.turn.is_idle() && !self.state().locked
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.file)
    }

    fn io(&self, source: io::Error) -> FileLockError {
        FileLockError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

impl State {
    /// Returns `true` if the turnstile is not open, or was moved over the lock file.
    fn turnstile_is_missing(&self) -> bool {
        let lock = self.open.as_ref().map(LockFile::identity);
        let turnstile = self.turnstile.as_ref().map(LockFile::identity);
        turnstile.is_none() || turnstile == lock
    }

    fn may_pass_on(&mut self) -> bool {
        if !self.locked {
            return false;
        }
        let now = Instant::now();
        let began = *self.burst_began.get_or_insert(now);
        self.must_pause = now.saturating_duration_since(began) >= BURST;
        !self.must_pause
    }
}
