//! The worker of the lock `@NAME@`. `cargo lockutils stress` and `explore` start several of these
//! and tell each when to acquire and release the lock. Acquire it here exactly as your program
//! does.

use std::error::Error;

use lockutils_harness::protocol::Capability;
use lockutils_harness::protocol::serve::{Slot, serve};
use oslo_concurrency::lockutils::{self, Guard, LockOptions};

/// The name in `#[synchronized("@NAME@", external)]`, and so the same lock.
fn lock() -> LockOptions<'static> {
    lockutils::lock("@NAME@").external(true)
}

/// The lock of one thread; the guard lives from one command to the next.
struct Worker(Option<Guard>);

impl Slot for Worker {
    fn acquire(&mut self) -> Result<(), Box<dyn Error>> {
        self.0 = Some(lock().acquire()?);
        Ok(())
    }

    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>> {
        match lock().blocking(false).acquire() {
            Ok(guard) => self.0 = Some(guard),
            Err(lockutils::Error::NotAcquired { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.0.is_some())
    }

    fn release(&mut self) -> Result<(), Box<dyn Error>> {
        drop(self.0.take().ok_or("nothing is held")?);
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    // OSLO_LOCK_PATH is set to a fresh directory.
    serve(&[Capability::Threads], |_slot| Worker(None))
}
