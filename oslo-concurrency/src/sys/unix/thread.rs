//! Threads: their numbers, names and start.

use std::io;
use std::thread::Builder;

use nix::sys::signal::SigSet;

use super::{fork, system, thread_number};
use crate::sys::types::ThreadInfo;

/// Enough for a subscriber; the default of std.
const STACK: usize = 2 << 20;

#[inline]
pub(crate) fn current_thread() -> u64 {
    match thread_number::get() {
        0 => new_number(),
        number => number,
    }
}

#[cold]
fn new_number() -> u64 {
    fork::install_handlers();
    let number = system::new_thread_number();
    thread_number::set(number);
    number
}

pub(crate) fn thread_info(number: u64) -> ThreadInfo {
    system::thread_info(number)
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    fork::install_handlers();
    // A stack of a given size: to find the default one, std reads the environment under a lock,
    // which a forked child may have inherited locked.
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK);
    builder.spawn(move || {
        let _ = SigSet::all().thread_block(); // cannot fail for a valid set
        run();
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_belongs_to_one_thread() {
        let other = std::thread::spawn(current_thread).join().unwrap();
        assert_ne!(other, current_thread());
        let number = current_thread();
        thread_number::forget();
        assert_ne!(current_thread(), 0);
        if cfg!(not(target_os = "macos")) {
            assert_ne!(current_thread(), number, "as in a forked child");
        }
    }
}
