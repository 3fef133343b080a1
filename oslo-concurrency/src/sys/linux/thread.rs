//! Threads: their numbers, names and start.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Builder;

use nix::sys::signal::SigSet;

use super::{fork, thread_number};
use crate::sys::types::ThreadInfo;

/// Enough for a subscriber; the default of std.
const STACK: usize = 2 << 20;
/// The lower bits of a number are the kernel's thread id (at most 2^22, proc_sys_kernel(5)), which
/// messages show.
const TID_BITS: u32 = 22;
const HIGHEST: u64 = (1 << 63) - 1;

#[inline]
pub(crate) fn current_thread() -> u64 {
    match thread_number::get() {
        0 => new_number(),
        number => number,
    }
}

#[cold]
fn new_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    fork::install_handlers();
    let number = (NEXT.fetch_add(1, Ordering::Relaxed) << TID_BITS) & HIGHEST | u64::from(tid());
    thread_number::set(number);
    number
}

fn tid() -> u32 {
    // SAFETY: gettid(2) takes no arguments and cannot fail.
    unsafe { libc::gettid() }.unsigned_abs()
}

pub(crate) fn thread_info(number: u64) -> ThreadInfo {
    let id = number & ((1 << TID_BITS) - 1);
    let name = fs::read_to_string(format!("/proc/self/task/{id}/comm"));
    ThreadInfo {
        id,
        name: name.ok().map(|name| name.trim_end().to_owned()),
    }
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
        assert_eq!(thread_info(current_thread()).id, u64::from(tid()));
        let other = std::thread::spawn(current_thread).join().unwrap();
        assert_ne!(other, current_thread());
        assert!(thread_info(current_thread()).name.is_some());
        thread_number::forget();
        assert_ne!(current_thread(), 0);
    }
}
