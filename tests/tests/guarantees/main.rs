//! The nine guarantees of an external lock, each tested with real processes;
//! docs/explanation/locks.md has their numbers.

mod guarantee_1_exclusion;
mod guarantee_2_death;
mod guarantee_3_reopening;
mod guarantee_4_forking;
mod guarantee_5_removal;
mod guarantee_6_waiting;
mod guarantee_7_signals_and_panics;
mod guarantee_8_fairness;
mod guarantee_9_refusal;

use std::path::Path;

use lockutils_tests::conversation::Conversation;
use lockutils_tests::holder;

/// A fresh lock path, removed when the test is over.
fn lock_path() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory for the lock files")
}

/// A process that acquires locks on command.
fn holder(lock_path: impl AsRef<Path>) -> Conversation {
    holder::start(env!("CARGO_BIN_EXE_lock-holder"), lock_path.as_ref())
}
