//! Writing to a pipe that nobody reads any more, in a program that dies of SIGPIPE.
//!
//! Rust's runtime ignores the signal, but a program can restore it, and a library in a program of
//! another language finds whatever is set.

use std::mem::MaybeUninit;
use std::ptr;

/// Holds back the SIGPIPE of this thread's writes until it is dropped, and then discards it.
pub(super) struct SigpipeHeldBack {
    before: libc::sigset_t,
    was_pending: bool,
}

fn only_sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset makes the set whole before sigaddset and the caller see it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

fn is_pending() -> bool {
    let mut pending = MaybeUninit::uninit();
    // SAFETY: sigpending fills the set, which is read only if it did.
    unsafe {
        libc::sigpending(pending.as_mut_ptr()) == 0
            && libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
    }
}

impl SigpipeHeldBack {
    pub(super) fn new() -> Self {
        let was_pending = is_pending();
        let mut before = only_sigpipe();
        // SAFETY: both sets are whole and ours.
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
        // SAFETY: the sets are whole and ours, and no signal information is asked for. The mask is
        // that which `new` found.
        unsafe {
            if !self.was_pending && is_pending() {
                libc::sigtimedwait(&only_sigpipe(), ptr::null_mut(), &at_once);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut());
        }
    }
}
