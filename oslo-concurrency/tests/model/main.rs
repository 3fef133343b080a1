//! The locks below the public API under a scheduler that chooses the interleaving: [shuttle].
//!
//! The modules are those of the crate, compiled once more with shuttle's mutexes, condition variables and atomics
//! (`sync.rs`), a clock that moves when a timed wait is scheduled, and a model of the kernel's file locks and of the
//! path that leads to the file (`kernel.rs`). Shuttle reports a deadlock when every thread waits; what else must hold
//! at the end of each run is in `checks.rs`.
//!
//! Shuttle runs atomics sequentially consistent: it finds wrong protocols, not wrong memory orderings.

#[path = "alarms.rs"]
mod alarm_checks;
#[expect(dead_code, reason = "the crate uses all of it")]
#[path = "../../src/alarms.rs"]
mod alarms;
mod checks;
mod composed;
#[path = "../../src/contained.rs"]
mod contained;
mod file;
mod kernel;
mod queue;
mod reader_writer;
mod registry;
mod sync;
mod tasks;

/// Nobody forks here.
mod fork {
    use std::sync::OnceLock;

    pub fn generation() -> u64 {
        0
    }

    #[derive(Debug)]
    pub struct PerProcess<T>(OnceLock<T>);

    impl<T> PerProcess<T> {
        pub const fn new() -> Self {
            PerProcess(OnceLock::new())
        }

        pub fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
            self.0.get_or_init(make)
        }
    }
}

#[expect(dead_code, reason = "the crate uses all of it")]
#[path = "."]
mod threads {
    #[path = "../../src/threads/polling.rs"]
    pub mod polling;
    #[path = "../../src/threads/queue.rs"]
    pub mod queue;
    #[path = "../../src/threads/registry.rs"]
    pub mod registry;
    pub mod thread_id {
        pub fn current() -> u64 {
            // 0 means nobody, and shuttle's first thread has the number 0.
            1 + usize::from(shuttle::thread::current().id()) as u64
        }

        /// The number of a task, apart from those of the threads.
        pub fn task(number: u64) -> u64 {
            1 << 63 | number
        }

        #[derive(PartialEq)]
        pub enum Who {
            Thread,
            Task,
        }

        pub fn who(id: u64) -> Who {
            if id >> 63 == 0 {
                Who::Thread
            } else {
                Who::Task
            }
        }
    }
    /// Tasks of the model run no sections.
    pub mod section {
        pub fn is_inside(_owner: u64) -> bool {
            false
        }
    }
    #[path = "../../src/threads/waiter.rs"]
    pub mod waiter;

    pub(crate) use queue::QueueLock;
    pub use thread_id::current as current_thread;
}

#[expect(dead_code, reason = "the crate uses all of it")]
#[path = "."]
mod files {
    pub use crate::kernel::{Cancel, FileIdentity};
    pub mod lock_file {
        pub use crate::kernel::{FileIdentity, LockFile, identity_at};
    }
    #[path = "../../src/files/process_lock.rs"]
    mod process_lock;
    pub(crate) use process_lock::{Failure, HeldHere, ProcessLock};
}

#[path = "."]
mod asynchronous {
    #[path = "../../src/asynchronous/acquire.rs"]
    pub mod acquire;
    #[path = "../../src/asynchronous/kernel_wait.rs"]
    mod kernel_wait;
    pub(crate) use kernel_wait::Turn;
}

mod sys {
    pub use crate::kernel::Mode;
    use std::io;

    pub fn spawn(_name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        shuttle::thread::spawn(run);
        Ok(())
    }
}

#[expect(dead_code, reason = "the crate uses all of it")]
#[path = "."]
mod lockutils {
    #[path = "../../src/lockutils/reader_writer.rs"]
    pub mod reader_writer;

    pub use error::Error;

    mod error {
        use crate::wait::Missed;

        #[derive(Debug)]
        pub enum Error {
            Missed(Missed),
            UpgradeRefused { name: String },
        }

        impl Error {
            pub fn missed(_name: &str, missed: Missed) -> Self {
                Error::Missed(missed)
            }
        }
    }
}

#[path = "."]
mod named {
    #[path = "../../src/named/acquire.rs"]
    pub mod acquire;

    pub mod lock_table {
        use crate::files::{FileIdentity, ProcessLock};
        use crate::threads::QueueLock;

        pub(crate) type InternalEntry = QueueLock;
        pub(crate) type ExternalEntry = ProcessLock;

        pub fn this_section_holds(_file: FileIdentity) -> bool {
            false
        }
    }
}

#[path = "../../src/wait.rs"]
mod wait;
