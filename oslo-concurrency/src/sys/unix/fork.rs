//! Handlers that keep a forked child from inheriting locks.
//!
//! A copied descriptor shares the parent's open file description: it would keep the parent's lock
//! alive after the parent's death, and unlocking it would free the parent's lock. Handlers
//! installed with `pthread_atfork(3)` therefore close the child's copies and begin a new generation
//! there.
//!
//! `posix_spawn` and `vfork` need none of this: the descriptors are close-on-exec. A child made by
//! a bare `clone(2)` system call that never execs runs no handlers and is not supported.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{descriptors, fork_barrier, system, thread_number};
use crate::fork;

/// Set while a process with several threads forks.
static FORKER_HAS_THREADS: AtomicBool = AtomicBool::new(false);

/// Installs the handlers when the program is loaded. A fork that is under way does not run handlers
/// that are installed meanwhile, and its child would keep a lock file that is opened before the
/// fork has happened.
#[used]
// SAFETY: the section holds pointers to functions that are called once, before `main`, with
// arguments that this one ignores.
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static AT_START: extern "C" fn() = install_handlers;

/// Installs the handlers, unless that has been done.
///
/// Every item of the seam that a fork concerns calls this too, so that a linker that drops
/// [`AT_START`] does no harm. Installing them twice does no harm either, so this takes no lock that
/// a fork could catch in a locked state.
pub(crate) extern "C" fn install_handlers() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the three handlers are plain functions that only touch atomics and thread-local
    // variables without destructors, and make system calls that are async-signal-safe.
    unsafe {
        libc::pthread_atfork(
            Some(before_fork),
            Some(after_fork_in_parent),
            Some(after_fork_in_child),
        )
    };
    INSTALLED.store(true, Ordering::Release);
}

extern "C" fn before_fork() {
    fork_barrier::begin_fork();
    FORKER_HAS_THREADS.store(!system::has_one_thread(), Ordering::Relaxed);
}

extern "C" fn after_fork_in_parent() {
    fork_barrier::end_fork();
}

extern "C" fn after_fork_in_child() {
    fork::begin_generation(FORKER_HAS_THREADS.load(Ordering::Relaxed));
    thread_number::forget();
    fork_barrier::reset_in_child();
    descriptors::close_in_child();
}

#[cfg(test)]
mod tests {
    use super::descriptors::ProcessFd;
    use super::*;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    /// Threads that fork continuously, so that a fork is under way at almost any moment.
    #[test]
    fn a_descriptor_is_opened_while_other_threads_fork_without_a_pause() {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        before_fork();
                        // As long as the fork of a large process takes.
                        std::thread::sleep(Duration::from_millis(2));
                        after_fork_in_parent();
                    }
                });
            }
            let (send, opened) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let pair = || UnixStream::pair().map(|(one, _)| OwnedFd::from(one));
                    let _ = send.send(ProcessFd::open(pair).is_ok());
                }
            });
            let all = (0..20).all(|_| opened.recv_timeout(Duration::from_secs(10)) == Ok(true));
            over.store(true, Ordering::SeqCst);
            assert!(all, "an opener waits forever");
        });
    }
}
