//! The signals that may end a wait: real-time signals that the program does not use.
//!
//! A program uses a signal by handling it, by ignoring it, or by blocking it in all its threads and
//! accepting it with sigtimedwait(2) or signalfd(2). It can start and stop at any moment, so a
//! signal is checked whenever it is to be sent, and is free as soon as its action is the default.
//! What remains is the time between that check and tgkill(2), less than a microsecond.
//!
//! A signal that is not blocked in a thread is not accepted with sigtimedwait(2). In a thread that
//! blocks all of them, some are *unblocked* for the wait. If one of these arrives from another
//! sender, it is queued again for the code that waits for it. A signal that one thread of the
//! process sends to another by pthread_kill(3) cannot be distinguished from the alarm's.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Signals unblocked at once: a second one, in case the program begins to use the first.
const UNBLOCKED_AT_ONCE: u32 = 2;

/// Signals that arrived from another sender while they were unblocked. They are never unblocked
/// again.
static USED_BY_PROGRAM: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The signals that are unblocked in this thread for the wait.
    static UNBLOCKED: Cell<Signals> = const { Cell::new(Signals(0)) };
    /// The location from which the sender reads them.
    static CHOICE: Cell<*const Choice> = const { Cell::new(ptr::null()) };
}

/// The signals that reach a waiting thread at this moment.
#[derive(Debug, Default)]
pub(super) struct Choice(AtomicU64);

impl Choice {
    pub(super) fn get(&self) -> Signals {
        Signals(self.0.load(Ordering::SeqCst))
    }

    fn set(&self, signals: Signals) {
        self.0.store(signals.0, Ordering::SeqCst);
    }
}

/// A set of signals, a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signals(u64);

impl Signals {
    fn only(signal: libc::c_int) -> Self {
        Signals(1 << (signal - 1))
    }

    fn has(self, signal: libc::c_int) -> bool {
        self.0 & Signals::only(signal).0 != 0
    }

    fn and(self, other: Signals) -> Self {
        Signals(self.0 | other.0)
    }

    fn without(self, other: Signals) -> Self {
        Signals(self.0 & !other.0)
    }
}

/// From the top, since programs count upwards from SIGRTMIN. The last one is left to valgrind.
fn candidates() -> impl Iterator<Item = libc::c_int> {
    (libc::SIGRTMIN()..libc::SIGRTMAX()).rev()
}

/// Chooses the signals that can interrupt the calling thread. If it blocks all of them, some are
/// unblocked until the returned value is dropped. Returns `None` if the program uses all signals.
pub(super) fn for_this_thread(choice: Arc<Choice>) -> Option<Option<Unblocked>> {
    let blocked = blocked();
    let mut open = Signals(0);
    for signal in candidates().filter(|signal| !is_in(&blocked, *signal)) {
        open = open.and(Signals::only(signal));
    }
    if usable(open).is_some() {
        choice.set(open);
        return Some(None);
    }
    Unblocked::some_of(blocked, choice).map(Some)
}

/// One of `signals` whose handler does nothing but interrupt.
pub(super) fn usable(signals: Signals) -> Option<libc::c_int> {
    let signals = signals.without(Signals(USED_BY_PROGRAM.load(Ordering::SeqCst)));
    candidates().find(|signal| signals.has(*signal) && is_ours_or_free(*signal))
}

/// Signals that this thread blocks otherwise, unblocked until this is dropped.
#[derive(Debug)]
pub(super) struct Unblocked {
    _choice: Arc<Choice>,
    mask_before: libc::sigset_t,
}

impl Unblocked {
    fn some_of(mask_before: libc::sigset_t, choice: Arc<Choice>) -> Option<Self> {
        let mut signals = Signals(0);
        let mut opened = empty();
        while signals.0.count_ones() < UNBLOCKED_AT_ONCE {
            let Some(signal) = another(signals) else {
                break;
            };
            signals = signals.and(Signals::only(signal));
            // SAFETY: the set is initialised and local.
            unsafe { libc::sigaddset(&mut opened, signal) };
        }
        if signals == Signals(0) {
            return None;
        }
        // Before a signal can arrive.
        UNBLOCKED.set(signals);
        CHOICE.set(Arc::as_ptr(&choice));
        choice.set(signals);
        // SAFETY: the set is initialised, and all of its signals have the handler `wake`.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &opened, ptr::null_mut()) };
        Some(Unblocked {
            _choice: choice,
            mask_before,
        })
    }
}

impl Drop for Unblocked {
    fn drop(&mut self) {
        // SAFETY: the mask is the one that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask_before, ptr::null_mut()) };
        // After the last signal that can arrive.
        UNBLOCKED.set(Signals(0));
        CHOICE.set(ptr::null());
    }
}

/// A signal to unblock: not in use, not pending, and not one of `others`. Async-signal-safe.
fn another(others: Signals) -> Option<libc::c_int> {
    let mut pending = empty();
    // SAFETY: the set is initialised and local.
    unsafe { libc::sigpending(&mut pending) };
    candidates().find(|signal| {
        !others.has(*signal)
            && !is_in(&pending, *signal)
            && usable(Signals::only(*signal)).is_some()
    })
}

/// Does nothing but interrupt, unless the signal is unblocked for a wait and comes from another
/// sender.
extern "C" fn wake(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // A thread-local variable without a destructor is plain memory.
    let unblocked = UNBLOCKED.get();
    if !unblocked.has(signal) {
        return;
    }
    // SAFETY: while the signal is unblocked, only the kernel calls this, with all three arguments
    // (`SA_SIGINFO`). The calls are async-signal-safe; errno is restored.
    unsafe {
        if (*info).si_code == libc::SI_TKILL && (*info).si_pid() == libc::getpid() {
            return;
        }
        let errno = *libc::__errno_location();
        // When this handler returns, the thread blocks the signal again and unblocks another one:
        // it may not have begun to wait yet, and would not notice that no signal reaches it.
        USED_BY_PROGRAM.fetch_or(Signals::only(signal).0, Ordering::SeqCst);
        let mask = &mut (*context.cast::<libc::ucontext_t>()).uc_sigmask;
        libc::sigaddset(mask, signal);
        let mut signals = unblocked.without(Signals::only(signal));
        if let Some(other) = another(signals) {
            signals = signals.and(Signals::only(other));
            libc::sigdelset(mask, other);
        }
        UNBLOCKED.set(signals);
        if let Some(choice) = CHOICE.get().as_ref() {
            choice.set(signals);
        }
        libc::syscall(libc::SYS_rt_sigqueueinfo, libc::getpid(), signal, info);
        *libc::__errno_location() = errno;
    }
}

/// Returns `true` if the handler is [`wake`], or was free and now is.
fn is_ours_or_free(signal: libc::c_int) -> bool {
    let Some(now) = exchange(signal, None) else {
        return false;
    };
    if is_ours(&now) && interrupts(&now) {
        return true;
    }
    if !is_ours(&now) && now.sa_sigaction != libc::SIG_DFL {
        return false;
    }
    match exchange(signal, Some(&ours())) {
        // Another thread has begun to use it since: its action is restored.
        Some(before) if !is_ours(&before) && before.sa_sigaction != libc::SIG_DFL => {
            exchange(signal, Some(&before));
            false
        }
        outcome => outcome.is_some(),
    }
}

fn ours() -> libc::sigaction {
    // SAFETY: all zeroes is a valid sigaction.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = wake as *const () as libc::sighandler_t;
    action.sa_flags = libc::SA_ONSTACK | libc::SA_SIGINFO;
    // Two of these handlers do not interrupt each other: the outer one would unblock the signal of
    // the inner one again. SAFETY: the set is local.
    unsafe { libc::sigfillset(&mut action.sa_mask) };
    action
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == wake as *const () as libc::sighandler_t
}

/// Returns `false` after a call of siginterrupt(3).
fn interrupts(action: &libc::sigaction) -> bool {
    action.sa_flags & (libc::SA_RESTART | libc::SA_SIGINFO) == libc::SA_SIGINFO
}

/// Sets the action of `signal`, if there is a new one, and returns the one before.
fn exchange(signal: libc::c_int, new: Option<&libc::sigaction>) -> Option<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the new action is null, that of `ours`, or one that was in force before; the other is
    // only written.
    unsafe {
        let new = new.map_or(ptr::null(), ptr::from_ref);
        (libc::sigaction(signal, new, before.as_mut_ptr()) == 0).then(|| before.assume_init())
    }
}

fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the call initialises the set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn is_in(set: &libc::sigset_t, signal: libc::c_int) -> bool {
    // SAFETY: the set is initialised.
    unsafe { libc::sigismember(set, signal) == 1 }
}

fn blocked() -> libc::sigset_t {
    let mut blocked = empty();
    // SAFETY: with no new set the call only writes the current mask.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut blocked) };
    blocked
}
