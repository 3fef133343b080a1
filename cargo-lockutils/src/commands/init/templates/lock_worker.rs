//! The worker of the lock `@NAME@`: `cargo lockutils stress` and `explore` start several of these, and tell them when to take the lock and
//! when to give it back. Make it take the lock in the very way in which your program does.

use std::error::Error;

use lockutils_harness::protocol::Capability;
use lockutils_harness::protocol::serve::{Slot, serve};
use oslo_concurrency::lockutils::{self, Guard, LockOptions};

/// The same name as in `#[synchronized("@NAME@", external)]`, and so the same lock.
fn lock() -> LockOptions<'static> {
    lockutils::lock("@NAME@").external(true)
}

/// What one thread does with the lock; the guard is kept between two commands.
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
