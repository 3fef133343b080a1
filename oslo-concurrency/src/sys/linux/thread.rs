//! Threads of our own.

use std::io;
use std::thread::Builder;

use nix::sys::signal::SigSet;

/// Enough for a subscriber; std's own default.
const STACK: usize = 2 << 20;

/// Starts a thread that takes none of the process's signals: their handlers run where the program expects them.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A stack of a given size: to find the default one, std reads the environment under a lock, which a forked child
    // may have inherited locked.
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK);
    builder.spawn(move || {
        let _ = SigSet::all().thread_block(); // cannot fail for a valid set
        run();
    })?;
    Ok(())
}
