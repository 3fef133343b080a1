//! The worker of our own external locks.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lockutils_harness::protocol::Verb;
use lockutils_harness::protocol::serve::Slot;
use oslo_concurrency::lockutils::{self, Guard, LockOptions};

use super::kernel::in_child;

/// The lock of one slot.
pub struct Oslo {
    directory: PathBuf,
    name: String,
    fair: bool,
    guard: Option<Guard>,
}

impl Oslo {
    pub fn new(directory: &Path, name: &str, fair: bool) -> Self {
        Oslo {
            directory: directory.to_owned(),
            name: name.to_owned(),
            fair,
            guard: None,
        }
    }

    fn lock(&self) -> LockOptions<'_> {
        lockutils::lock(&self.name)
            .external(true)
            .fair(self.fair)
            .lock_path(&self.directory)
    }
}

impl Slot for Oslo {
    fn acquire(&mut self) -> Result<(), Box<dyn Error>> {
        self.guard = Some(self.lock().acquire()?);
        Ok(())
    }

    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>> {
        match self.lock().blocking(false).acquire() {
            Ok(guard) => self.guard = Some(guard),
            Err(lockutils::Error::NotAcquired { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.guard.is_some())
    }

    fn acquire_timeout(&mut self, time: Duration) -> Result<bool, Box<dyn Error>> {
        match self.lock().timeout(time).acquire() {
            Ok(guard) => self.guard = Some(guard),
            Err(lockutils::Error::Timeout { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.guard.is_some())
    }

    fn release(&mut self) -> Result<(), Box<dyn Error>> {
        drop(self.guard.take().ok_or("nothing is held")?);
        Ok(())
    }

    fn other(&mut self, verb: Verb) -> Option<Result<(), Box<dyn Error>>> {
        match verb {
            Verb::Remove => Some(
                lockutils::remove_external_lock_file(&self.name, Some(&self.directory))
                    .map_err(Into::into),
            ),
            Verb::ForkRelease => Some(in_child(|| drop(self.guard.take()))),
            Verb::ForkExit => Some(in_child(|| std::process::exit(0))),
            Verb::Reopen => {
                let file = File::open(self.directory.join(&self.name));
                Some(file.map(drop).map_err(Into::into))
            }
            _ => None,
        }
    }
}
