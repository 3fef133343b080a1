//! One lock file as all threads of this process share it.
//!
//! A thread first takes its *turn* among the threads of the process, then the kernel's lock on the file, and then
//! looks whether the path still names that file. When threads of the process wait for their turn, the kernel's lock is
//! passed on among them instead of being freed and taken again, for [`BURST`] at most, so that other processes are not
//! starved.
//!
//! A kernel lock that is passed on belongs to nobody for a moment. It is only ever left to a thread that is awake and
//! certain to take the turn, or to find that another has taken it; whoever takes the turn, in whatever way, finds the
//! kernel's lock with it and must release both by [`ProcessLock::release`] or [`ProcessLock::give_back`]. So the
//! kernel's lock is free whenever nobody holds the lock or is acquiring it.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock_file::{FileIdentity, LockFile, identity_at};
use crate::sync::{Instant, Mutex, MutexGuard, lock, sleep};
use crate::sys::Mode;
use crate::threads::QueueLock;
use crate::wait::{Missed, Patience, Wait};

/// For how long the threads of one process may pass the lock on among themselves while other processes wait.
const BURST: Duration = Duration::from_millis(1);
/// After a burst the process stays away for so long: a waiter in another process needs it to wake up and lock.
const COURTESY: Duration = Duration::from_micros(50);
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

/// Tells whether the caller holds a file in another way; `None` if it holds none, so that no path need be looked at.
pub(crate) type HeldHere<'a> = Option<&'a dyn Fn(FileIdentity) -> bool>;

/// A lock file and the turn-taking of this process's threads before it.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    path: PathBuf,
    /// The path as the kernel takes it; `None` if it has a NUL in it, which opening it will say.
    kernel_path: Option<CString>,
    turn: QueueLock,
    /// Touched only by the thread whose turn it is.
    file: Mutex<State>,
    /// The file that is open, for threads whose turn it is not.
    identity: Mutex<Option<FileIdentity>>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<LockFile>,
    turnstile: Option<LockFile>,
    /// The kernel's lock is held, though the turn may be nobody's for a moment.
    locked: bool,
    /// Since when the kernel's lock has been passed on among the threads of this process.
    burst_began: Option<Instant>,
    /// The last burst was ended for the sake of other processes.
    courtesy: bool,
}

impl ProcessLock {
    pub(crate) fn new(path: &Path) -> Self {
        ProcessLock {
            path: path.to_owned(),
            kernel_path: CString::new(path.as_os_str().as_bytes()).ok(),
            turn: QueueLock::default(),
            file: Mutex::default(),
            identity: Mutex::default(),
        }
    }

    pub(crate) fn is_held_by_current_thread(&self) -> bool {
        self.turn.is_held_by_current_thread()
    }

    /// The identity of the file that is open, if one is.
    pub(crate) fn identity(&self) -> Option<FileIdentity> {
        *lock(&self.identity)
    }

    /// Returns `true` if the calling thread holds the file, here or as `held_here` says.
    pub(crate) fn would_wait_for_itself(&self, held_here: HeldHere<'_>) -> bool {
        self.turn.is_held_by_current_thread() || held_here.is_some_and(|is| self.leads_to(is))
    }

    /// Returns `true` if `is` is true of the file that is locked here, or of the one that would be.
    pub(crate) fn leads_to(&self, is: impl Fn(FileIdentity) -> bool) -> bool {
        self.identity().is_some_and(&is) || identity_at(&self.path).is_some_and(&is)
    }

    /// The number of the thread or task whose turn it is, 0 when none is known.
    pub(crate) fn holder(&self) -> u64 {
        self.turn.holder()
    }

    /// The lock file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The turn-taking of the threads and tasks of this process.
    ///
    /// Whoever has acquired it must go on with [`lock`](Self::lock), and end its turn by [`release`](Self::release) or
    /// [`give_back`](Self::give_back), never by releasing the turn alone.
    pub(crate) fn turn(&self) -> &QueueLock {
        &self.turn
    }

    /// Takes this thread's turn.
    ///
    /// `held_here` tells whether the calling thread holds a file, by another path or as another kind of lock. It is
    /// asked before the thread queues behind others: the one whose turn it is may be waiting for that very file.
    pub(crate) fn take_turn(
        &self,
        wait: Wait,
        held_here: HeldHere<'_>,
        patience: &mut Patience<'_>,
    ) -> Result<(), Missed> {
        match self.turn.acquire(Wait::Never) {
            Err(Missed::Busy) if wait != Wait::Never => {}
            outcome => return outcome,
        }
        if self.would_wait_for_itself(held_here) {
            return Err(Missed::HeldBySelf);
        }
        self.turn.acquire_patiently(wait, patience)
    }

    /// Returns `true` if this process has to let others go first, so that the one whose turn it is must wait. Only that
    /// one may ask.
    #[cfg(feature = "tokio")]
    pub(crate) fn owes_courtesy(&self) -> bool {
        self.state().courtesy
    }

    /// Takes the kernel's lock on the file that the path names. The caller has the turn, and keeps it when this fails.
    ///
    /// `held_here` is asked as in [`take_turn`](Self::take_turn), before this thread goes to sleep.
    pub(crate) fn lock(
        &self,
        wait: Wait,
        fair: bool,
        held_here: HeldHere<'_>,
        patience: &mut Patience<'_>,
    ) -> Result<(), Failure> {
        let mut state = self.state();
        for _ in 0..REPLACED_TOO_OFTEN {
            if !state.locked {
                self.lock_in_kernel(&mut state, wait, fair, held_here, patience)?;
            }
            // After every acquisition, also of a kernel lock that was passed on: the file may have been removed
            // and made anew during the section before.
            if let Some(file) = state.open.as_ref().filter(|_| state.locked) {
                if self.names(file).map_err(|source| self.io(source))? {
                    return Ok(());
                }
            }
            self.unlock(&mut state);
            self.set_open(&mut state, None);
        }
        Err(self.io(io::Error::other(
            "its inode number changes whenever we look; put the lock path on a file system with stable inode numbers",
        )))
    }

    /// Returns `true` if the path leads to this file.
    fn names(&self, file: &LockFile) -> io::Result<bool> {
        match &self.kernel_path {
            Some(path) => file.is_at(path.as_c_str()),
            None => file.is_at(&self.path),
        }
    }

    /// Takes the kernel's lock, or returns without it if the path has to be looked up anew.
    fn lock_in_kernel(
        &self,
        state: &mut State,
        wait: Wait,
        fair: bool,
        held_here: HeldHere<'_>,
        patience: &mut Patience<'_>,
    ) -> Result<(), Failure> {
        if state.open.is_none() {
            let file = self.open(&self.path, wait, patience)?;
            self.set_open(state, Some(file));
        }
        if fair && state.gate_is_missing() {
            state.turnstile = Some(self.open(&turnstile_path(&self.path), wait, patience)?);
        }
        if std::mem::take(&mut state.courtesy) && wait != Wait::Never {
            sleep(COURTESY);
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
        // `false` if the path does not lead to the file any more, and the file cannot be waited for.
        let mut blocked = |file: &LockFile, path: &Path| -> Result<bool, Failure> {
            if file
                .try_lock(Mode::Exclusive, &self.path)
                .map_err(|source| self.io(source))?
            {
                return Ok(true);
            }
            let held_here = held_here.is_some_and(|is| is(file.identity()));
            // It was moved since it was opened, and this thread holds it under its new name. Whatever is held of the
            // old name is another file.
            if held_here && !file.is_at(path).map_err(|source| self.io(source))? {
                return Ok(false);
            }
            if wait == Wait::Never {
                return Err(Missed::Busy.into());
            }
            if held_here {
                return Err(Missed::HeldBySelf.into());
            }
            file.lock_patiently(Mode::Exclusive, wait, &self.path, patience)
                .map_err(|source| self.io(source))??;
            Ok(true)
        };
        // If somebody has moved the gate over the lock, whoever held it as the gate would wait for itself.
        let gate = |gate: &&LockFile| fair && gate.identity() != file.identity();
        *locked = match turnstile.as_ref().filter(gate) {
            None => blocked(file, &self.path)?,
            Some(gate) => {
                let path = turnstile_path(&self.path);
                let in_front = blocked(gate, &path)?;
                // A gate that was removed is not where the others queue.
                if !in_front || !matches!(gate.is_at(&*path), Ok(true)) {
                    *turnstile = None;
                    return Ok(());
                }
                let outcome = blocked(file, &self.path);
                gate.unlock();
                outcome?
            }
        };
        Ok(())
    }

    fn open(
        &self,
        path: &Path,
        wait: Wait,
        patience: &mut Patience<'_>,
    ) -> Result<LockFile, Failure> {
        let opened = LockFile::open(path, wait, patience).map_err(|source| Failure::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(opened?)
    }

    /// Ends the turn. The kernel's lock is passed on to a thread of this process that waits, or freed.
    pub(crate) fn release(&self, fair: bool) {
        if !fair && self.turn.has_waiters() {
            let may_pass_on = self.state().may_pass_on();
            if may_pass_on && self.turn.release_to_thread() {
                return;
            }
        }
        self.give_back();
    }

    /// Frees the kernel's lock, if it is held, and ends the turn.
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

    /// Returns `true` if nobody holds the lock, nobody is acquiring it, and the kernel's lock is free.
    #[cfg(test)]
    #[allow(
        dead_code,
        reason = "for the model tests, which compile this file on their own"
    )]
    pub(crate) fn is_idle(&self) -> bool {
        self.turn.is_idle() && !self.state().locked
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.file)
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

    fn may_pass_on(&mut self) -> bool {
        if !self.locked {
            return false;
        }
        let now = Instant::now();
        let began = *self.burst_began.get_or_insert(now);
        self.courtesy = now.saturating_duration_since(began) >= BURST;
        !self.courtesy
    }
}

/// The gate in front of a fair lock: a second file, because a lock on another byte of the first one would make the
/// whole-file locks of Python's fasteners fail.
///
/// It is named `.NAME.turnstile`. A name too long for that is cut, and told apart by a hash of the whole.
pub(crate) fn turnstile_path(path: &Path) -> PathBuf {
    const LONGEST: usize = 255 - 1 - TURNSTILE_SUFFIX.len();
    const HASH: usize = 1 + 16;
    let name = path.file_name().unwrap_or_default();
    let mut gate = std::ffi::OsString::from(".");
    if name.len() <= LONGEST {
        gate.push(name);
    } else {
        let start = &name.as_bytes()[..LONGEST - HASH];
        gate.push(std::ffi::OsStr::from_bytes(start));
        gate.push(format!("-{:016x}", fnv_1a(name.as_bytes())));
    }
    gate.push(TURNSTILE_SUFFIX);
    path.with_file_name(gate)
}

/// The 64-bit FNV-1a hash (RFC 9923): the same in every process and every release.
pub(super) fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What the name of a turnstile's file ends in.
pub(crate) const TURNSTILE_SUFFIX: &str = ".turnstile";
