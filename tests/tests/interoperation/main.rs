//! Rust and Python's oslo.concurrency on the same external locks.

mod exclusive;
mod readers_writers;
mod removal;

use std::path::Path;

use lockutils_tests::conversation::Conversation;
use lockutils_tests::{holder, python};

fn rust(lock_path: &Path) -> Conversation {
    holder::start(env!("CARGO_BIN_EXE_lock-holder"), lock_path)
}

fn pair(lock_path: &Path) -> (Conversation, Conversation) {
    (rust(lock_path), python::oslo_worker(lock_path))
}

/// Runs the test with Rust first and Python second, and the other way round, each in a lock path of
/// its own.
fn each_way(test: impl Fn(Conversation, Conversation)) {
    for python_first in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (rust, python) = pair(directory.path());
        if python_first {
            test(python, rust);
        } else {
            test(rust, python);
        }
    }
}
