//! Threads of our own.

use std::io;
use std::thread::Builder;

use nix::sys::signal::SigSet;

/// Starts a thread that takes none of the process's signals: their handlers run where the program expects them.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.to_owned()).spawn(move || {
        let _ = SigSet::all().thread_block(); // cannot fail for a valid set
        run();
    })?;
    Ok(())
}
