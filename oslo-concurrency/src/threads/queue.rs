//! The lock between threads on which all others are built: one word, and a queue while threads or
//! tasks wait.
//!
//! It has what the named locks need and a stock mutex lacks: waits with a deadline, fairness on
//! demand, the holder's identity (a second acquire by the same thread is an error, not a deadlock),
//! a guard that borrows nothing, and no table for the whole process, which a fork could catch in a
//! locked state.
//!
//! `tests/model` checks this module under a scheduler that chooses every interleaving. Its
//! invariants:
//!
//! 1. at most one thread or task holds the lock;
//! 2. while the queue's mutex is free, `QUEUED` is set exactly if the queue is not empty;
//! 3. a free lock with a queue has a waiter that was called, or a thread that is arriving: no
//!    waiter sleeps beside a free lock;
//! 4. without a holder, and without an acquire under way, the state word is 0.

use std::collections::VecDeque;
use std::time::Duration;

use super::owner;
#[cfg(feature = "tokio")]
use super::owner::Owner;
use super::waiter::{Call, Kind, Waiter};
#[cfg(feature = "tokio")]
use crate::contained::contained;
use crate::sync::{
    Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, SPINS, lock, spin_loop,
};
use crate::wait::{AcquireFailure, Wait, WaitLimit};

// The state word is the sum of three flags and a count:
//
// | CALLED | QUEUED | HELD | meaning                                                     |
// |--------|--------|------|-------------------------------------------------------------|
// |   0    |   0    |  0   | free                                                        |
// |   0    |   0    |  1   | held, the queue is empty                                    |
// |   0    |   1    |  1   | held, the queue is not empty; the release calls its first   |
// |   1    |   1    |  0   | free, the first was called and competes for it              |
// |   1    |   1    |  1   | held by a thread that was quicker; the first finds it taken |
//
// Above them is the number of threads that are arriving: they have seen the lock held, and have
// neither acquired it nor queued yet. The exchange with which a thread acquires the lock or queues
// behind a holder also takes the thread out of that number. So a release that still counts an
// arriving thread may rely on it.
//
// QUEUED and CALLED change only under the queue's mutex.
const HELD: u32 = 1;
const QUEUED: u32 = 2;
const CALLED: u32 = 4;
const ARRIVING: u32 = 8;

/// Time after which a waiter that others have overtaken gets the lock handed over.
const OVERTAKEN_AT_MOST: Duration = Duration::from_micros(500);

#[derive(Debug, Default)]
pub(crate) struct QueueLock {
    state: AtomicU32,
    fair: AtomicBool,
    /// The thread or task that holds the lock, 0 when none is known. Only the owning thread ever
    /// stores its own id here, so a match means that the caller holds the lock.
    holder: AtomicU64,
    pub(super) queue: Mutex<Queue>,
}

pub(super) type Queue = VecDeque<Arc<Waiter>>;

impl QueueLock {
    /// Acquires the lock for the calling thread.
    #[inline]
    pub(crate) fn acquire(&self, wait: Wait) -> Result<(), AcquireFailure> {
        self.acquire_with_limit(wait, &mut WaitLimit::silent())
    }

    /// [`acquire`](Self::acquire) with interruptions as `limit` says.
    #[inline]
    pub(crate) fn acquire_with_limit(
        &self,
        wait: Wait,
        limit: &mut WaitLimit<'_>,
    ) -> Result<(), AcquireFailure> {
        if self
            .state
            .compare_exchange(0, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.acquire_contended(wait, limit)?;
        }
        self.held_by(owner::current());
        Ok(())
    }

    pub(super) fn held_by(&self, holder: u64) {
        self.holder.store(holder, Ordering::Relaxed);
    }

    /// Makes the lock first come, first served, from now on and for all its users.
    pub(crate) fn make_fair(&self) {
        if !self.fair.load(Ordering::Relaxed) {
            self.fair.store(true, Ordering::Relaxed);
        }
    }

    /// Returns `true` if the lock is held by the calling thread, or by the asynchronous section
    /// that it is running.
    pub(crate) fn is_held_by_current_thread(&self) -> bool {
        let holder = self.holder();
        holder == owner::current() || is_of_current_section(holder)
    }

    /// The number of the thread or task that holds the lock, 0 when none is known.
    pub(crate) fn holder(&self) -> u64 {
        self.holder.load(Ordering::Relaxed)
    }

    /// Returns `true` if another thread or task waits for the lock or is about to.
    pub(crate) fn has_waiters(&self) -> bool {
        self.state.load(Ordering::Relaxed) & !HELD != 0
    }

    /// Returns `true` if the lock has no holder, and no acquire is under way.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.state.load(Ordering::SeqCst) == 0 && lock(&self.queue).is_empty()
    }

    /// Releases the lock. Only its holder may call this.
    #[inline]
    pub(crate) fn release(&self) {
        self.holder.store(0, Ordering::Relaxed);
        if self
            .state
            .compare_exchange(HELD, 0, Ordering::Release, Ordering::Relaxed)
            .is_err()
        {
            self.release_contended();
        }
    }

    #[cold]
    fn release_contended(&self) {
        loop {
            let state = self.state.load(Ordering::Relaxed);
            let must_call = state & QUEUED != 0 && state & CALLED == 0;
            if must_call {
                // The queued waiter may have left meanwhile: then there is none to call.
                if self.call_first(lock(&self.queue)) {
                    return;
                }
            } else if self.free(state) {
                return;
            }
        }
    }

    /// Releases the lock if a thread waits for it. That thread is certain to acquire it, or to find
    /// it acquired by another. Otherwise returns `false`, and the caller still holds the lock.
    ///
    /// Tasks do not count: an executor may poll one again at any time or never.
    pub(crate) fn release_to_thread(&self) -> bool {
        let holder = self.holder.swap(0, Ordering::Relaxed);
        let released = self.hand_to_thread();
        if !released {
            self.held_by(holder);
        }
        released
    }

    fn hand_to_thread(&self) -> bool {
        loop {
            let state = self.state.load(Ordering::Relaxed);
            if state & QUEUED == 0 {
                if state < ARRIVING {
                    return false;
                }
                if self.free(state) {
                    return true;
                }
                continue;
            }
            let queue = lock(&self.queue);
            let Some(first) = queue.front() else {
                continue;
            };
            if first.kind() == Kind::Task {
                return false;
            }
            if self.state.load(Ordering::Relaxed) & CALLED == 0 {
                return self.call_first(queue);
            }
            // The first is awake already, and cannot leave while this thread has the mutex.
            self.state.fetch_and(!HELD, Ordering::Release);
            return true;
        }
    }

    /// Frees the lock if its state is still `state`, in which it is held.
    fn free(&self, state: u32) -> bool {
        self.state
            .compare_exchange(state, state & !HELD, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Hands the lock over to the first in the queue, or frees it and calls the first to compete.
    /// If the queue is empty, returns `false`, and the lock is still held.
    fn call_first(&self, mut queue: MutexGuard<'_, Queue>) -> bool {
        let Some(first) = queue.front().cloned() else {
            return false;
        };
        let _task = if self.fair.load(Ordering::Relaxed) || first.must_not_be_overtaken() {
            self.leave(&mut queue, &first);
            // Under the mutex: a waiter that gives up must find either its place in the queue or
            // the grant.
            let task = first.call(Call::Granted);
            drop(queue);
            task
        } else {
            // The caller has set HELD, and CALLED is clear, so this sets the one and clears the
            // other.
            self.state.fetch_add(CALLED - HELD, Ordering::Release);
            drop(queue);
            first.call(Call::Compete)
        };
        #[cfg(feature = "tokio")]
        if let Some(task) = _task {
            // A panic of another task's executor must not unwind into the caller, which may have
            // more to release.
            contained(|| task.wake());
        }
        true
    }

    #[cold]
    fn acquire_contended(
        &self,
        wait: Wait,
        limit: &mut WaitLimit<'_>,
    ) -> Result<(), AcquireFailure> {
        if self.try_take() {
            return Ok(());
        }
        match wait {
            Wait::Never => return Err(AcquireFailure::Busy),
            _ if self.is_held_by_current_thread() => return Err(AcquireFailure::HeldBySelf),
            _ => {}
        }
        self.state.fetch_add(ARRIVING, Ordering::Relaxed);
        if self.spin(ARRIVING) {
            return Ok(());
        }
        let waiter = Arc::new(Waiter::new(Kind::Thread));
        if self.take_or_queue(&waiter, ARRIVING) {
            return Ok(());
        }
        self.wait_in_queue(&waiter, wait, limit)
    }

    /// Acquires the lock if it becomes free soon. `arriving` is the caller's part of the state
    /// word.
    fn spin(&self, arriving: u32) -> bool {
        !self.fair.load(Ordering::Relaxed)
            && (0..SPINS).any(|_| {
                spin_loop();
                self.take_as(arriving)
            })
    }

    /// Acquires the lock, even before others that wait, or queues behind its holder. `arriving` is
    /// the caller's part of the state word.
    pub(super) fn take_or_queue(&self, waiter: &Arc<Waiter>, arriving: u32) -> bool {
        let mut queue = lock(&self.queue);
        loop {
            if self.take_as(arriving) {
                return true;
            }
            let state = self.state.load(Ordering::Relaxed);
            let queued = (state | QUEUED) - arriving;
            if state & HELD != 0
                && self
                    .state
                    .compare_exchange(state, queued, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                queue.push_back(Arc::clone(waiter));
                return false;
            }
        }
    }

    /// Acquires the lock if it is free, even before others that wait.
    pub(super) fn try_take(&self) -> bool {
        self.take_as(0)
    }

    fn take_as(&self, arriving: u32) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & HELD == 0 {
            let taken = (state | HELD) - arriving;
            match self
                .state
                .compare_exchange(state, taken, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    fn wait_in_queue(
        &self,
        waiter: &Arc<Waiter>,
        wait: Wait,
        limit: &mut WaitLimit<'_>,
    ) -> Result<(), AcquireFailure> {
        loop {
            match waiter.sleep(limit.next_look(wait)) {
                Call::Granted => return Ok(()),
                Call::Compete => {
                    let taken = self.spin(0);
                    if self.answer_call(waiter, taken) {
                        return Ok(());
                    }
                }
                Call::None if limit.is_over(wait) => return self.give_up(waiter),
                Call::None => {}
            }
        }
    }

    /// Answers a call to compete for the first in the queue. Returns `true` if it has the lock;
    /// otherwise it will be called again.
    pub(super) fn answer_call(&self, waiter: &Arc<Waiter>, taken: bool) -> bool {
        let mut queue = lock(&self.queue);
        let taken = taken || self.take_or_wait_for_call();
        if taken {
            self.leave(&mut queue, waiter);
        } else {
            waiter.overtaken(OVERTAKEN_AT_MOST);
        }
        taken
    }

    /// Acquires the lock for the first in the queue, or makes the next release call again.
    fn take_or_wait_for_call(&self) -> bool {
        loop {
            if self.try_take() {
                return true;
            }
            // A release in between has seen CALLED and called no waiter: try again.
            if self.state.fetch_and(!CALLED, Ordering::Relaxed) & HELD != 0 {
                return false;
            }
        }
    }

    /// Leaves the queue after the deadline. A lock that is free at this moment is acquired all the
    /// same: the waiter may be the only one that was called.
    pub(super) fn give_up(&self, waiter: &Arc<Waiter>) -> Result<(), AcquireFailure> {
        let mut queue = lock(&self.queue);
        if waiter.is_granted() {
            return Ok(());
        }
        let taken = if is_first(&queue, waiter) {
            self.take_or_wait_for_call()
        } else {
            self.try_take()
        };
        self.leave(&mut queue, waiter);
        if taken {
            Ok(())
        } else {
            Err(AcquireFailure::TimedOut)
        }
    }

    /// Removes a waiter. If it was the first, no waiter counts as called any more.
    fn leave(&self, queue: &mut Queue, waiter: &Arc<Waiter>) {
        let mut gone = 0;
        if is_first(queue, waiter) {
            gone |= CALLED;
        }
        queue.retain(|other| !Arc::ptr_eq(other, waiter));
        if queue.is_empty() {
            gone |= QUEUED;
        }
        if gone != 0 {
            self.state.fetch_and(!gone, Ordering::Relaxed);
        }
    }
}

fn is_first(queue: &Queue, waiter: &Arc<Waiter>) -> bool {
    queue
        .front()
        .is_some_and(|first| Arc::ptr_eq(first, waiter))
}

#[cfg(feature = "tokio")]
fn is_of_current_section(holder: u64) -> bool {
    Owner::of(holder) == Owner::Task && super::section::is_inside(holder)
}

#[cfg(not(feature = "tokio"))]
fn is_of_current_section(_holder: u64) -> bool {
    false
}
