//! Defects that our own locks once had, each with the program that shows it.
//!
//! `oslo-concurrency/tests/model` checks the protocols behind them in every interleaving; these
//! tests use real threads, files and forks.

mod deadlocks;
mod forks;
mod leases;
mod long_names;
mod orphans;
mod replaced;
mod subscribers;
mod wakers;

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use lockutils_tests::until::deadline;
use nix::unistd::{Pid, gettid};

/// A fresh lock path, removed when the test is over.
fn lock_path() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory for the lock files")
}

/// Runs a function in a thread of its own and returns its result. A thread that hangs fails the
/// test and is left behind.
fn within_the_deadline<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (send, result) = channel();
    thread::spawn(move || {
        let _ = send.send(work());
    });
    receive(what, &result)
}

fn receive<T>(what: &str, result: &Receiver<T>) -> T {
    match result.recv_timeout(deadline()) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("hangs: {what}"),
        Err(RecvTimeoutError::Disconnected) => panic!("panicked: {what}"),
    }
}

/// Runs `work` in a thread of its own. Returns the thread's number and the receiver of its result.
fn in_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (Pid, Receiver<T>) {
    let (send_id, id) = channel();
    let (send, result) = channel();
    thread::spawn(move || {
        let _ = send_id.send(gettid());
        let _ = send.send(work());
    });
    (receive("the thread starts", &id), result)
}

/// Returns `true` if a stranger gets the kernel's lock on the file at once.
fn is_free_for_a_stranger(file: &Path) -> bool {
    stranger_tries(file).is_some()
}

/// Makes a stranger hold the kernel's lock on the file until the result is dropped.
fn stranger_locks(file: &Path) -> std::fs::File {
    stranger_tries(file).expect("no other process uses the file")
}

/// Locks through a descriptor of its own, which to the kernel is the same as another process.
fn stranger_tries(file: &Path) -> Option<std::fs::File> {
    use nix::fcntl::{FcntlArg, fcntl};
    let mut options = std::fs::File::options();
    options.read(true).write(true).create(true).truncate(false);
    let open = options.open(file).expect("the lock file");
    let request = nix::libc::flock {
        l_type: nix::libc::F_WRLCK as i16,
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&open, FcntlArg::F_OFD_SETLK(&request)).ok()?;
    Some(open)
}
