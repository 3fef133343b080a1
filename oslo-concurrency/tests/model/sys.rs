//! The items of `src/sys`, with a model of the operating system: the kernel's locks on files, the
//! paths that name files, and threads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::sync::{Arc, AtomicBool, Condvar, Instant, Mutex, Ordering, TICK, lock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Exclusive,
}

/// The number of a file, which is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity(usize);

#[derive(Debug, Default)]
pub struct Kernel {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    paths: HashMap<PathBuf, FileIdentity>,
    /// The open file description that has locked each file.
    locked: HashMap<FileIdentity, usize>,
    files: usize,
    descriptions: usize,
    looks: usize,
}

thread_local!(static KERNEL: RefCell<Arc<Kernel>> = RefCell::default());

/// Starts a new kernel without files, for the run that begins.
pub fn boot() {
    KERNEL.set(Arc::default());
}

fn kernel() -> Arc<Kernel> {
    KERNEL.with_borrow(Arc::clone)
}

/// Returns `true` if no file is locked.
pub fn nothing_is_locked() -> bool {
    lock(&kernel().state).locked.is_empty()
}

/// The number of checks of the path that a lock has made after locking.
pub fn looks() -> usize {
    lock(&kernel().state).looks
}

/// Removes the file without locking it.
pub fn unlink(path: &Path) {
    lock(&kernel().state).paths.remove(path);
}

/// Makes `other` name the same file as `path`.
pub fn link(path: &Path, other: &Path) {
    let file = identity_at(path).unwrap().expect("a file to link to");
    lock(&kernel().state).paths.insert(other.to_owned(), file);
}

pub fn identity_at(path: &Path) -> io::Result<Option<FileIdentity>> {
    Ok(lock(&kernel().state).paths.get(path).copied())
}

#[derive(Debug)]
pub struct NativePath {
    kernel: Arc<Kernel>,
    path: PathBuf,
}

impl NativePath {
    pub fn new(path: &Path) -> Self {
        NativePath {
            kernel: kernel(),
            path: path.to_owned(),
        }
    }

    pub fn identity(&self) -> io::Result<Option<FileIdentity>> {
        let mut state = lock(&self.kernel.state);
        state.looks += 1;
        Ok(state.paths.get(&self.path).copied())
    }
}

#[derive(Debug)]
pub struct RawLockFile {
    kernel: Arc<Kernel>,
    description: usize,
    identity: FileIdentity,
}

/// Waits never fail in the model.
#[derive(Debug)]
#[expect(dead_code, reason = "the real system may fail")]
pub enum WaitError {
    NoTimer(String),
    Refused(io::Error),
}

impl RawLockFile {
    pub fn open(path: &Path) -> io::Result<Self> {
        let kernel = kernel();
        let mut state = lock(&kernel.state);
        state.files += 1;
        state.descriptions += 1;
        let (fresh, description) = (FileIdentity(state.files), state.descriptions);
        let identity = *state.paths.entry(path.to_owned()).or_insert(fresh);
        drop(state);
        Ok(RawLockFile {
            kernel,
            description,
            identity,
        })
    }

    pub fn identity(&self) -> FileIdentity {
        self.identity
    }

    pub fn try_lock(&self, _: Mode) -> io::Result<bool> {
        let mut state = lock(&self.kernel.state);
        let holder = *state
            .locked
            .entry(self.identity)
            .or_insert(self.description);
        Ok(holder == self.description)
    }

    pub fn lock(
        &self,
        _: Mode,
        until: Option<Instant>,
        cancel: Option<&Cancel>,
    ) -> Result<bool, WaitError> {
        let mut state = lock(&self.kernel.state);
        loop {
            let holder = *state
                .locked
                .entry(self.identity)
                .or_insert(self.description);
            if holder == self.description {
                return Ok(true);
            }
            if cancel.is_some_and(Cancel::is_cancelled) {
                return Ok(false);
            }
            let changed = &self.kernel.changed;
            state = match until {
                None => changed.wait(state).expect("not poisoned"),
                Some(until) if Instant::now() >= until => return Ok(false),
                Some(_) => changed.wait_timeout(state, TICK).expect("not poisoned").0,
            };
        }
    }

    pub fn unlock(&self) {
        let mut state = lock(&self.kernel.state);
        if state.locked.get(&self.identity) == Some(&self.description) {
            state.locked.remove(&self.identity);
        }
        drop(state);
        self.kernel.changed.notify_all();
    }
}

/// Closing the only descriptor of a description releases its lock.
impl Drop for RawLockFile {
    fn drop(&mut self) {
        self.unlock();
    }
}

#[derive(Debug)]
pub struct Cancel {
    cancelled: AtomicBool,
    kernel: Arc<Kernel>,
}

impl Default for Cancel {
    fn default() -> Self {
        Cancel {
            cancelled: AtomicBool::new(false),
            kernel: kernel(),
        }
    }
}

impl Cancel {
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        // Like the signal of the real timer, which is repeated: it cannot be lost between a check
        // and a sleep.
        drop(lock(&self.kernel.state));
        self.kernel.changed.notify_all();
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}

pub fn advice_on_open(_: &io::Error) -> Option<&'static str> {
    None
}

pub fn file_system_of(_: &Path) -> Option<String> {
    None
}

pub const LONGEST_FILE_NAME: usize = 255;

pub fn start_of_file_name(name: &OsStr, length: usize) -> OsString {
    name.to_str().expect("a name of the model")[..length].into()
}

pub fn current_thread() -> u64 {
    // 0 means no thread, and shuttle's first thread has the number 0.
    1 + usize::from(shuttle::thread::current().id()) as u64
}

pub fn spawn(_name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    shuttle::thread::spawn(run);
    Ok(())
}
