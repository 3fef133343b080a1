//! The external lock of `oslo-concurrency`.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use oslo_concurrency::lockutils;

use crate::testing::lock::{Answer, Guarantee, Lock, WaitLimit};

/// The lock `lockutils::lock(name).external(true)` of `oslo-concurrency` in a directory.
#[derive(Clone, Debug)]
pub struct Oslo {
    directory: PathBuf,
    /// One name per directory: locks between threads depend on the name alone, and other tests of
    /// the process have locks of their own.
    name: String,
    fair: bool,
}

impl Oslo {
    /// The lock in `directory`.
    pub fn new(directory: &Path) -> Self {
        let mut hash = DefaultHasher::new();
        directory.hash(&mut hash);
        Oslo {
            directory: directory.to_owned(),
            name: format!("lock-{:x}", hash.finish()),
            fair: false,
        }
    }

    /// The same lock with `fair(true)`: first come, first served between the threads of a process.
    pub fn fair(directory: &Path) -> Self {
        Oslo {
            fair: true,
            ..Oslo::new(directory)
        }
    }
}

impl Lock for Oslo {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let lock = lockutils::lock(&self.name)
            .external(true)
            .fair(self.fair)
            .lock_path(&self.directory);
        let lock = match limit {
            WaitLimit::Forever => lock,
            WaitLimit::NoWait => lock.blocking(false),
            WaitLimit::AtMost(time) => lock.timeout(time),
        };
        match lock.run(section) {
            Ok(()) => Ok(Answer::Ran),
            Err(lockutils::Error::NotAcquired { .. }) => Ok(Answer::Busy),
            Err(lockutils::Error::Timeout { .. }) => Ok(Answer::TimedOut),
            Err(error) => Err(error.into()),
        }
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        guarantee != Guarantee::Fairness || self.fair
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.directory.join(&self.name))
    }
}
