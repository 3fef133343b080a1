//! Keeps forks and the opening of descriptors apart.
//!
//! A descriptor that is open but not yet in the table of [`descriptors`](super::descriptors) would
//! stay open in a child that is forked at that moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static FORKS_STARTED: AtomicU64 = AtomicU64::new(0);
static FORKS_FINISHED: AtomicU64 = AtomicU64::new(0);
/// Threads between the opening of a descriptor and its entry in the table.
static OPENERS: AtomicU64 = AtomicU64::new(0);
/// Maximum time that a fork waits for openers. A longer wait could deadlock: an opener may need a
/// lock of the forking thread.
const LET_OPENERS_FINISH: Duration = Duration::from_millis(10);
/// Openers that forks have delayed for [`DELAYED_FOR_LONG`]. A fork lets them go first: otherwise
/// threads that fork all the time would keep others from opening anything.
static DELAYED: AtomicU64 = AtomicU64::new(0);
/// Delay after which an opener goes before the next fork.
pub(super) const DELAYED_FOR_LONG: Duration = Duration::from_millis(5);
/// Maximum time that a fork waits for delayed openers. While no other fork is under way, the
/// maximum is [`LET_OPENERS_FINISH`].
const LET_DELAYED_GO_FIRST: Duration = Duration::from_secs(1);

/// Stops new openers and waits for those that are under way. Called by the thread that forks.
pub(super) fn begin_fork() {
    let_delayed_openers_go_first();
    FORKS_STARTED.fetch_add(1, Ordering::SeqCst);
    let began = Instant::now();
    while OPENERS.load(Ordering::SeqCst) != 0 && began.elapsed() < LET_OPENERS_FINISH {
        std::thread::yield_now();
    }
}

fn let_delayed_openers_go_first() {
    let began = Instant::now();
    let mut alone_since = began;
    while DELAYED.load(Ordering::SeqCst) != 0
        && alone_since.elapsed() < LET_OPENERS_FINISH
        && began.elapsed() < LET_DELAYED_GO_FIRST
    {
        std::thread::yield_now();
        if FORKS_STARTED.load(Ordering::SeqCst) != FORKS_FINISHED.load(Ordering::SeqCst) {
            alone_since = Instant::now();
        }
    }
}

/// Lets openers continue. Called in the parent when the fork has happened.
pub(super) fn end_fork() {
    FORKS_FINISHED.fetch_add(1, Ordering::SeqCst);
}

/// Forgets the threads of the parent. Called in the child; async-signal-safe.
pub(super) fn reset_in_child() {
    OPENERS.store(0, Ordering::SeqCst);
    DELAYED.store(0, Ordering::SeqCst);
    FORKS_FINISHED.store(FORKS_STARTED.load(Ordering::SeqCst), Ordering::SeqCst);
}

/// The number of forks that have begun in this process and its ancestors.
pub(super) fn forks_started() -> u64 {
    FORKS_STARTED.load(Ordering::SeqCst)
}

/// Registers the calling thread as an opener, for which a fork waits, and returns the number of
/// forks so far.
///
/// Returns `None`, after a moment, if a fork is under way that may not have seen the registration.
pub(super) fn between_forks() -> Option<(Counted, u64)> {
    let forks = FORKS_STARTED.load(Ordering::SeqCst);
    let opener = Counted::add_to(&OPENERS);
    if FORKS_STARTED.load(Ordering::SeqCst) == forks
        && FORKS_FINISHED.load(Ordering::SeqCst) == forks
    {
        return Some((opener, forks));
    }
    drop(opener);
    std::thread::yield_now();
    None
}

/// Registers the calling thread as an opener that the next fork lets go first.
pub(super) fn delayed() -> Counted {
    Counted::add_to(&DELAYED)
}

/// One in a count of threads, until this is dropped.
pub(super) struct Counted(&'static AtomicU64);

impl Counted {
    fn add_to(count: &'static AtomicU64) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Counted(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
