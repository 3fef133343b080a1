//! Named locks as a program uses them: between threads, on files, with removal, and under the
//! fixtures of tests.

mod between_threads;
mod fixtures;
mod lock_path;
mod on_files;
mod removal;
mod with_python;

use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;

use lockutils_tests::conversation::Conversation;
use lockutils_tests::holder;
use lockutils_tests::until::{deadline, until};
use nix::unistd::{Pid, gettid};
use oslo_concurrency::lockutils::Error;

/// A fresh lock path, removed when the test is over.
fn lock_path() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory for the lock files")
}

/// A process that acquires locks on command.
fn process(lock_path: impl AsRef<Path>) -> Conversation {
    holder::start(env!("CARGO_BIN_EXE_lock-holder"), lock_path.as_ref())
}

fn is_busy<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::NotAcquired { .. }))
}

fn in_another_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

/// Returns `true` if a thread of this process waits until another wakes it.
fn sleeps(thread: Pid) -> bool {
    let futex = format!("{} ", nix::libc::SYS_futex);
    std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall"))
        .is_ok_and(|call| call.starts_with(&futex))
}

/// Runs `function` in two threads that want its lock at once: `first` is in its section when the
/// second requests the lock, and leaves when the second sleeps or has answered. Returns the result
/// of the second.
fn one_behind_the_other<T: Send>(function: impl Fn(&'static str, &dyn Fn()) -> T + Sync) -> (T, T) {
    let function = &function;
    let (is_in, first_is_in) = channel();
    let (leave, may_leave) = channel();
    thread::scope(|scope| {
        let first = scope.spawn(move || {
            function("first", &|| {
                is_in.send(()).expect("the test waits");
                may_leave
                    .recv_timeout(deadline())
                    .expect("the second has answered or sleeps");
            })
        });
        first_is_in
            .recv_timeout(deadline())
            .expect("the first comes in");
        let (id, second_id) = channel();
        let second = scope.spawn(move || {
            id.send(gettid()).expect("the test waits");
            function("second", &|| ())
        });
        let second_id = second_id.recv().expect("the second runs");
        until("the second sleeps or has answered", || {
            (second.is_finished() || sleeps(second_id)).then_some(())
        });
        leave.send(()).expect("the first waits");
        let first = first.join().expect("no panic");
        (first, second.join().expect("no panic"))
    })
}
