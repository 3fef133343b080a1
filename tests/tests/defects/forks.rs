//! A forked child can lock, whatever the other threads of its parent were doing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use lockutils_tests::until::{StopOnDrop, deadline};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use oslo_concurrency::lockutils;

use crate::lock_path;

/// A subscriber that is inside a mutex of its own most of the time, like one that writes to
/// standard output. It must be asked about each event, like one with a reloadable filter, and takes
/// the mutex for that as well.
struct Busy(std::sync::Mutex<u64>);

impl Busy {
    fn work(&self) {
        let mut events = self.0.lock().unwrap();
        for _ in 0..200 {
            *std::hint::black_box(&mut *events) += 1;
        }
    }
}

impl tracing::Subscriber for Busy {
    fn register_callsite(
        &self,
        _: &'static tracing::Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        self.work();
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.work();
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// The only test of this file, because it sets the subscriber of the process.
#[test]
fn a_child_locks_while_the_parent_configures_locks_and_logs() {
    const FORKS: usize = 300;
    let directory = lock_path();
    let path = directory.path();
    let _logs = tracing::subscriber::set_global_default(Busy(std::sync::Mutex::default()));
    let over = AtomicBool::new(false);
    let until_over = |work: &dyn Fn()| {
        while !over.load(Ordering::Relaxed) {
            work();
        }
    };
    let until_over = &until_over;
    thread::scope(|scope| {
        let _stop = StopOnDrop(&over);
        scope.spawn(move || until_over(&|| lockutils::set_defaults(path)));
        scope.spawn(move || until_over(&|| drop(lockutils::get_lock_path())));
        scope.spawn(move || {
            until_over(&|| {
                let lock = lockutils::lock("parent").external(true).lock_path(path);
                drop(lock.acquire().unwrap());
            });
        });
        for number in 0..FORKS {
            // SAFETY: the child only locks, which our locks permit, and leaves by _exit.
            match unsafe { fork() }.unwrap() {
                ForkResult::Child => {
                    lockutils::set_defaults(path);
                    let found = lockutils::get_lock_path().as_deref() == Some(path);
                    let name = lockutils::lock("parent").acquire();
                    let file = lockutils::lock("child").external(true).acquire();
                    let failed = !found || name.is_err() || file.is_err();
                    // SAFETY: ends the child at once.
                    unsafe { nix::libc::_exit(failed.into()) }
                }
                ForkResult::Parent { child } => {
                    let end = Instant::now() + deadline();
                    let status = loop {
                        match waitpid(child, Some(WaitPidFlag::WNOHANG)).unwrap() {
                            WaitStatus::StillAlive if Instant::now() < end => thread::yield_now(),
                            status => break status,
                        }
                    };
                    if status == WaitStatus::StillAlive {
                        let _ = kill(child, Signal::SIGKILL);
                        let _ = waitpid(child, None);
                    }
                    assert_eq!(status, WaitStatus::Exited(child, 0), "fork {number}");
                }
            }
        }
    });
}
