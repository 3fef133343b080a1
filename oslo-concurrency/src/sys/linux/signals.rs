//! The signals that may end a wait: real-time signals that the program does not use.
//!
//! A program uses a signal by handling it, by ignoring it, or by blocking it in all its threads and taking it with sigtimedwait(2) or
//! signalfd(2). Each of these can begin at any moment, so a signal is looked at whenever it is to be sent, and again nobody's as
//! soon as its action is the default. What remains is the moment between that look and tgkill(2), less than a microsecond.
//!
//! A thread that lets a signal through shows that nobody takes it with sigtimedwait(2). In a thread that blocks them all, some have to be
//! let through during the wait: they are *lent*, and one that somebody else has sent is put back for those it was meant for.
//! A signal that one thread of the process sends to another by pthread_kill(3) cannot be told from ours.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many signals are lent at once: another one, should the program begin to use the first.
const LENT_AT_ONCE: u32 = 2;

/// Those that turned out to be meant for somebody else while they were lent. They are never lent again.
static WAITED_FOR: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The signals that are lent to this thread, and where those who send look for them.
    static LENT: Cell<Signals> = const { Cell::new(Signals(0)) };
    static CHOICE: Cell<*const Choice> = const { Cell::new(ptr::null()) };
}

/// The signals that reach a thread at the moment.
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

/// From the top, as programs count upwards from SIGRTMIN; the very last is left to valgrind.
fn candidates() -> impl Iterator<Item = libc::c_int> {
    (libc::SIGRTMIN()..libc::SIGRTMAX()).rev()
}

/// Chooses the signals that can interrupt the calling thread. Those that have to be lent for the purpose are so until the answer is
/// dropped. `None` if the program uses all signals.
pub(super) fn for_this_thread(choice: Arc<Choice>) -> Option<Option<Lent>> {
    let blocked = blocked();
    let mut open = Signals(0);
    for signal in candidates().filter(|signal| !is_in(&blocked, *signal)) {
        open = open.and(Signals::only(signal));
    }
    if usable(open).is_some() {
        choice.set(open);
        return Some(None);
    }
    Lent::some_of(blocked, choice).map(Some)
}

/// One of `signals` that does nothing but interrupt.
pub(super) fn usable(signals: Signals) -> Option<libc::c_int> {
    let signals = signals.without(Signals(WAITED_FOR.load(Ordering::SeqCst)));
    candidates().find(|signal| signals.has(*signal) && is_ours_or_free(*signal))
}

/// Signals that this thread blocks, let through until this is dropped.
#[derive(Debug)]
pub(super) struct Lent {
    _choice: Arc<Choice>,
    mask_before: libc::sigset_t,
}

impl Lent {
    fn some_of(mask_before: libc::sigset_t, choice: Arc<Choice>) -> Option<Self> {
        let mut signals = Signals(0);
        let mut opened = empty();
        while signals.0.count_ones() < LENT_AT_ONCE {
            let Some(signal) = another(signals) else {
                break;
            };
            signals = signals.and(Signals::only(signal));
            // SAFETY: the set is whole and ours.
            unsafe { libc::sigaddset(&mut opened, signal) };
        }
        if signals == Signals(0) {
            return None;
        }
        // Before one can come.
        LENT.set(signals);
        CHOICE.set(Arc::as_ptr(&choice));
        choice.set(signals);
        // SAFETY: the set is whole, and all of its signals have our handler.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &opened, ptr::null_mut()) };
        Some(Lent {
            _choice: choice,
            mask_before,
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: the mask is the one that was found.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask_before, ptr::null_mut()) };
        // After the last that can come.
        LENT.set(Signals(0));
        CHOICE.set(ptr::null());
    }
}

/// A signal to lend: nobody uses it, none is pending, and it is not one of `others`. Async-signal-safe.
fn another(others: Signals) -> Option<libc::c_int> {
    let mut pending = empty();
    // SAFETY: the set is whole and ours.
    unsafe { libc::sigpending(&mut pending) };
    candidates().find(|signal| {
        !others.has(*signal)
            && !is_in(&pending, *signal)
            && usable(Signals::only(*signal)).is_some()
    })
}

/// Interrupts, and that is all, unless the signal is lent and was sent by another.
extern "C" fn wake(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // A thread-local variable without a destructor is plain memory.
    let lent = LENT.get();
    if !lent.has(signal) {
        return;
    }
    // SAFETY: while the signal is lent the kernel alone calls this, with all three arguments (`SA_SIGINFO`). The calls are
    // async-signal-safe; errno is left as it was.
    unsafe {
        if (*info).si_code == libc::SI_TKILL && (*info).si_pid() == libc::getpid() {
            return;
        }
        let errno = *libc::__errno_location();
        // From the end of this handler on, this thread blocks it again, and lets another one through: perhaps it has not begun to
        // wait yet, and would not notice that nothing reaches it any more.
        WAITED_FOR.fetch_or(Signals::only(signal).0, Ordering::SeqCst);
        let mask = &mut (*context.cast::<libc::ucontext_t>()).uc_sigmask;
        libc::sigaddset(mask, signal);
        let mut signals = lent.without(Signals::only(signal));
        if let Some(other) = another(signals) {
            signals = signals.and(Signals::only(other));
            libc::sigdelset(mask, other);
        }
        LENT.set(signals);
        if let Some(choice) = CHOICE.get().as_ref() {
            choice.set(signals);
        }
        libc::syscall(libc::SYS_rt_sigqueueinfo, libc::getpid(), signal, info);
        *libc::__errno_location() = errno;
    }
}

/// Our handler is there, or was put there because nobody used the signal.
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
        // Another thread has begun to use it since: it is given back.
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
    // Two of these handlers do not interrupt each other: the outer one would let the signal of the inner one through again.
    // SAFETY: the set is ours.
    unsafe { libc::sigfillset(&mut action.sa_mask) };
    action
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == wake as *const () as libc::sighandler_t
}

/// Not if somebody has called siginterrupt(3).
fn interrupts(action: &libc::sigaction) -> bool {
    action.sa_flags & (libc::SA_RESTART | libc::SA_SIGINFO) == libc::SA_SIGINFO
}

/// The action of before.
fn exchange(signal: libc::c_int, new: Option<&libc::sigaction>) -> Option<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the new action is null, one of ours, or one that was there before; the other is only written.
    unsafe {
        let new = new.map_or(ptr::null(), ptr::from_ref);
        (libc::sigaction(signal, new, before.as_mut_ptr()) == 0).then(|| before.assume_init())
    }
}

fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the call makes the set whole.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn is_in(set: &libc::sigset_t, signal: libc::c_int) -> bool {
    // SAFETY: the set is whole.
    unsafe { libc::sigismember(set, signal) == 1 }
}

fn blocked() -> libc::sigset_t {
    let mut blocked = empty();
    // SAFETY: with no new set the call only writes the present mask.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut blocked) };
    blocked
}
