//! Writes to a pipe without a reader, in a program that SIGPIPE would end.
//!
//! Rust's runtime ignores the signal, but a program can restore it, and a library inside a program
//! in another language cannot rely on any setting.

use std::mem::MaybeUninit;
use std::ptr;

/// Blocks SIGPIPE in this thread until it is dropped, and then discards the pending signal.
pub(super) struct SigpipeHeldBack {
    before: libc::sigset_t,
    was_pending: bool,
}

fn only_sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set before any other use.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

fn is_pending() -> bool {
    let mut pending = MaybeUninit::uninit();
    // SAFETY: sigpending initialises the set, which is read only if the call succeeded.
    unsafe {
        libc::sigpending(pending.as_mut_ptr()) == 0
            && libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
    }
}

impl SigpipeHeldBack {
    pub(super) fn new() -> Self {
        let was_pending = is_pending();
        let mut before = only_sigpipe();
        // SAFETY: both sets are initialised and local.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &only_sigpipe(), &mut before) };
        SigpipeHeldBack {
            before,
            was_pending,
        }
    }
}

impl Drop for SigpipeHeldBack {
    fn drop(&mut self) {
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the sets are initialised and local, and no signal information is requested. The
        // mask is the one that `new` found.
        unsafe {
            if !self.was_pending && is_pending() {
                libc::sigtimedwait(&only_sigpipe(), ptr::null_mut(), &at_once);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut());
        }
    }
}
