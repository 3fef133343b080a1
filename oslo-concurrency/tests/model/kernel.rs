//! A model of the kernel's open-file-description locks and of the paths that lead to files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::sync::{Arc, AtomicBool, Condvar, Mutex, Ordering, lock};
use crate::wait::{Missed, Patience, Wait};

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
    /// The open file description that has locked a file.
    locked: HashMap<FileIdentity, usize>,
    files: usize,
    descriptions: usize,
    looks: usize,
}

thread_local!(static KERNEL: RefCell<Arc<Kernel>> = RefCell::default());

/// A new kernel, without files, for the run that begins.
pub fn boot() {
    KERNEL.set(Arc::default());
}

fn kernel() -> Arc<Kernel> {
    KERNEL.with_borrow(Arc::clone)
}

/// Whether no file is locked.
pub fn nothing_is_locked() -> bool {
    lock(&kernel().state).locked.is_empty()
}

/// How often it was looked whether a path still names a file.
pub fn looks() -> usize {
    lock(&kernel().state).looks
}

/// Somebody removes the file, without asking anybody.
pub fn unlink(path: &Path) {
    lock(&kernel().state).paths.remove(path);
}

/// From now on `other` leads to the file as well.
pub fn link(path: &Path, other: &Path) {
    let file = identity_at(path).expect("a file to link to");
    lock(&kernel().state).paths.insert(other.to_owned(), file);
}

pub fn identity_at(path: &Path) -> Option<FileIdentity> {
    lock(&kernel().state).paths.get(path).copied()
}

#[derive(Debug)]
pub struct LockFile {
    kernel: Arc<Kernel>,
    description: usize,
    identity: FileIdentity,
}

impl LockFile {
    pub fn open(path: &Path, _: Wait, _: &mut Patience<'_>) -> io::Result<Result<Self, Missed>> {
        let kernel = kernel();
        let mut state = lock(&kernel.state);
        state.files += 1;
        state.descriptions += 1;
        let (fresh, description) = (FileIdentity(state.files), state.descriptions);
        let identity = *state.paths.entry(path.to_owned()).or_insert(fresh);
        drop(state);
        Ok(Ok(LockFile {
            kernel,
            description,
            identity,
        }))
    }

    pub fn identity(&self) -> FileIdentity {
        self.identity
    }

    pub fn is_at<P: AsPath + ?Sized>(&self, path: &P) -> io::Result<bool> {
        let mut state = lock(&self.kernel.state);
        state.looks += 1;
        Ok(state.paths.get(&path.as_path()) == Some(&self.identity))
    }

    pub fn try_lock(&self, _: Mode, _: &Path) -> io::Result<bool> {
        let mut state = lock(&self.kernel.state);
        let holder = *state
            .locked
            .entry(self.identity)
            .or_insert(self.description);
        Ok(holder == self.description)
    }

    pub fn lock_patiently(
        &self,
        _: Mode,
        wait: Wait,
        _: &Path,
        patience: &mut Patience<'_>,
    ) -> io::Result<Result<(), Missed>> {
        let mut state = lock(&self.kernel.state);
        loop {
            let holder = *state
                .locked
                .entry(self.identity)
                .or_insert(self.description);
            if holder == self.description {
                return Ok(Ok(()));
            }
            if patience.cancel().is_some_and(Cancel::is_cancelled) {
                return Ok(Err(Missed::TimedOut));
            }
            let changed = &self.kernel.changed;
            state = match patience.limit(wait) {
                Wait::Forever => changed.wait(state).expect("not poisoned"),
                Wait::Until(_) if patience.is_over(wait) => return Ok(Err(Missed::TimedOut)),
                _ => {
                    changed
                        .wait_timeout(state, crate::sync::TICK)
                        .expect("not poisoned")
                        .0
                }
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

/// Closing the only descriptor of a description frees its lock.
impl Drop for LockFile {
    fn drop(&mut self) {
        self.unlock();
    }
}

pub trait AsPath {
    fn as_path(&self) -> PathBuf;
}

impl AsPath for Path {
    fn as_path(&self) -> PathBuf {
        self.to_owned()
    }
}

impl AsPath for PathBuf {
    fn as_path(&self) -> PathBuf {
        self.clone()
    }
}

impl AsPath for std::ffi::CStr {
    fn as_path(&self) -> PathBuf {
        self.to_str().expect("the paths of the model").into()
    }
}

/// Ends a wait in the kernel.
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
        // As the timer's signal, which comes again and again: it cannot fall between a look and a sleep.
        drop(lock(&self.kernel.state));
        self.kernel.changed.notify_all();
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}
