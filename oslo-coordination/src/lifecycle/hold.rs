//! The state of a hold, as its owner sees it: held, then released or lost.

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::task::{Poll, Waker};

use crate::clock::BootTime;
use crate::lock_name::LockName;
use crate::rt;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// The deadline of a hold that is lost.
const LOST: u64 = 0;
/// The deadline of a hold without a lease.
const NEVER: u64 = u64::MAX;

/// A lock that this process holds, or has lost. The guards dereference to it.
///
/// A hold knows its own deadline: the end of the lease, counted on a clock that includes suspension
/// (`CLOCK_BOOTTIME` on Linux) from before the request that acquired or renewed it, less a margin
/// for clocks that run at different speeds. From then on it is lost, even if no message arrives.
/// Once lost, it stays lost.
pub struct Hold {
    name: LockName,
    token: Option<u64>,
    /// In nanoseconds of [`BootTime`], or `LOST`, or `NEVER`.
    deadline: AtomicU64,
    process: u32,
    watchers: Mutex<Watchers>,
}

#[derive(Default)]
struct Watchers {
    /// Set when the watchers were told.
    told: bool,
    wakers: Vec<Waker>,
    functions: Vec<Box<dyn FnOnce() + Send>>,
}

impl Hold {
    pub(crate) fn new(name: LockName, token: Option<u64>, until: Option<BootTime>) -> Self {
        Hold {
            name,
            token,
            deadline: AtomicU64::new(until.map_or(NEVER, BootTime::nanos)),
            process: std::process::id(),
            watchers: Mutex::default(),
        }
    }

    /// The fencing token: higher with each later holder of the lock. `None` if the engine has none.
    ///
    /// Pass it with every write, and let the storage refuse a write whose token is lower than one
    /// that it has seen. Only this protects against a holder that is stopped between
    /// [`check`](Self::check) and its write.
    pub fn token(&self) -> Option<u64> {
        self.token
    }

    /// Returns `true` if the lock may have another holder by now. It never waits, and asks no
    /// server.
    ///
    /// In a forked child it is always `true`.
    pub fn lost(&self) -> bool {
        if self.is_inherited() {
            return true;
        }
        loop {
            let deadline = self.deadline.load(Ordering::SeqCst);
            if deadline == LOST {
                return true;
            }
            if deadline == NEVER || BootTime::now().nanos() < deadline {
                return false;
            }
            // From now on no renewal counts: an answer of `true` is final.
            let expired =
                self.deadline
                    .compare_exchange(deadline, LOST, Ordering::SeqCst, Ordering::SeqCst);
            if expired.is_ok() {
                return true;
            }
        }
    }

    /// Waits until the hold is lost. On any executor.
    pub fn until_lost(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| {
            {
                let mut watchers = lock(&self.watchers);
                if !watchers.told {
                    let known = watchers.wakers.iter();
                    if !known
                        .into_iter()
                        .any(|waker| waker.will_wake(context.waker()))
                    {
                        watchers.wakers.push(context.waker().clone());
                    }
                }
            }
            if self.lost() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }

    /// Calls `function` once if the hold is lost before the guard is dropped, on a thread where it
    /// may block. If the hold is lost already, it is called now.
    pub fn on_lost(&self, function: impl FnOnce() + Send + 'static) {
        let mut watchers = lock(&self.watchers);
        watchers.functions.push(Box::new(function));
        if watchers.told {
            let functions = mem::take(&mut watchers.functions);
            drop(watchers);
            rt::call(functions);
        }
    }

    /// The name of the lock, with its prefix.
    pub fn name(&self) -> &[u8] {
        self.name.bytes()
    }

    pub(crate) fn lock_name(&self) -> &LockName {
        &self.name
    }

    /// Returns `true` in a forked child.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// The end of the lease; `None` if there is no lease, or the hold is lost.
    pub(crate) fn deadline(&self) -> Option<BootTime> {
        match self.deadline.load(Ordering::SeqCst) {
            LOST | NEVER => None,
            nanos => Some(BootTime::from_nanos(nanos)),
        }
    }

    /// The time at which the watchers are to be told of the loss; `None` if they were, or if there
    /// is no lease. It is past if somebody else saw the loss first.
    pub(crate) fn tell_at(&self) -> Option<BootTime> {
        match self.deadline.load(Ordering::SeqCst) {
            NEVER => None,
            LOST => (!lock(&self.watchers).told).then(|| BootTime::from_nanos(LOST)),
            nanos => Some(BootTime::from_nanos(nanos)),
        }
    }

    /// Extends the lease to `until`. Returns `false` if the hold is lost: an answer that arrives
    /// after the deadline does not bring it back.
    pub(crate) fn extend(&self, until: BootTime) -> bool {
        loop {
            if self.lost() {
                return false;
            }
            let deadline = self.deadline.load(Ordering::SeqCst);
            if deadline != LOST && deadline >= until.nanos() {
                return true;
            }
            let extended = deadline != LOST
                && self
                    .deadline
                    .compare_exchange(deadline, until.nanos(), Ordering::SeqCst, Ordering::SeqCst)
                    .is_ok();
            if extended {
                return true;
            }
        }
    }

    /// Marks the hold as lost and tells its watchers. Returns `false` if they were told before.
    pub(crate) fn lose(&self) -> bool {
        self.deadline.store(LOST, Ordering::SeqCst);
        let mut watchers = lock(&self.watchers);
        if mem::replace(&mut watchers.told, true) {
            return false;
        }
        let wakers = mem::take(&mut watchers.wakers);
        let functions = mem::take(&mut watchers.functions);
        drop(watchers);
        wakers.into_iter().for_each(Waker::wake);
        rt::call(functions);
        true
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("name", &self.name)
            .field("token", &self.token)
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}
