//! The locks below the public API under a scheduler that chooses the interleaving: [shuttle].
//!
//! The modules are those of the crate, compiled once more with shuttle's mutexes, condition
//! variables and atomics and a clock that advances when a timed wait is scheduled (`sync.rs`), and
//! with a model of the operating system (`sys.rs`). Shuttle reports a deadlock when every thread
//! waits; `checks.rs` has the other conditions at the end of each run.
//!
//! Two small modules are replaced as well: the table of names, whose static value would outlive a
//! run, and the asynchronous sections, which are kept by operating system thread.
//!
//! Shuttle runs atomics sequentially consistent: it finds wrong protocols, not wrong memory
//! orderings.

#![cfg(target_os = "linux")] // the models are the same on every system

#[path = "alarms.rs"]
mod alarm_checks;
#[path = "../../src/alarms.rs"]
mod alarms;
mod checks;
mod composed;
#[path = "../../src/contained.rs"]
mod contained;
mod file;
#[expect(dead_code, reason = "the crate uses all of it")]
#[path = "../../src/fork.rs"]
mod fork;
#[path = "../../src/once.rs"]
mod once;
mod queue;
mod reader_writer;
mod registry;
mod sync;
mod sys;
mod tasks;
#[path = "../../src/wait.rs"]
mod wait;

#[expect(dead_code, reason = "the crate uses all of it")]
#[path = "."]
mod threads {
    #[path = "../../src/threads/owner.rs"]
    mod owner;
    #[path = "../../src/threads/polling.rs"]
    pub mod polling;
    #[path = "../../src/threads/queue.rs"]
    pub mod queue;
    #[path = "../../src/threads/reader_writer.rs"]
    pub mod reader_writer;
    #[path = "../../src/threads/registry.rs"]
    pub mod registry;
    #[path = "../../src/threads/waiter.rs"]
    pub mod waiter;

    /// Tasks of the model run no sections.
    pub mod section {
        pub fn is_inside(_owner: u64) -> bool {
            false
        }
    }

    pub(crate) use owner::{current as current_thread, new_task};
    pub(crate) use queue::QueueLock;
}

#[expect(dead_code, reason = "the crate uses all of it")]
#[path = "."]
mod files {
    #[path = "../../src/files/error.rs"]
    mod error;
    #[path = "../../src/files/lock_file.rs"]
    mod lock_file;
    #[path = "../../src/files/process_lock.rs"]
    mod process_lock;
    #[path = "../../src/files/turnstile.rs"]
    mod turnstile;

    pub(crate) use error::FileLockError;
    pub(crate) use lock_file::LockFile;
    pub(crate) use process_lock::{HeldHere, ProcessLock};
    pub(crate) use turnstile::turnstile_path;
}

#[path = "."]
mod named {
    #[path = "../../src/named/acquire.rs"]
    pub mod acquire;

    pub mod lock_table {
        use crate::files::ProcessLock;
        use crate::sys::FileIdentity;
        use crate::threads::QueueLock;

        pub(crate) type InternalEntry = QueueLock;
        pub(crate) type ExternalEntry = ProcessLock;

        pub fn this_section_holds(_file: FileIdentity) -> bool {
            false
        }
    }
}

#[path = "."]
mod asynchronous {
    #[path = "../../src/asynchronous/acquire.rs"]
    pub mod acquire;
    #[path = "../../src/asynchronous/kernel_wait.rs"]
    mod kernel_wait;
    pub(crate) use kernel_wait::Turn;
}
