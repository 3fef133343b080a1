//! The lock between threads that everything else is built on: one word when nobody waits, a queue when somebody does.
//!
//! It differs from a stock mutex in what the named locks need: a wait with a deadline, first come first served on
//! demand, the holder's identity (a second acquire by the same thread is an error, not a deadlock), a guard that borrows
//! nothing, and no table shared by the whole process, which a fork could catch in a locked state.
//!
//! `tests/model` checks this module under a scheduler that chooses every interleaving. Its invariants:
//!
//! 1. at most one thread or task holds the lock;
//! 2. `QUEUED` is set exactly if the queue is not empty, whenever nobody has the queue's mutex;
//! 3. a free lock with a queue has a waiter that was called, or a thread that is arriving: no waiter sleeps beside a
//!    free lock;
//! 4. with nobody inside and nobody in an acquire, the state word is 0.

use std::collections::VecDeque;
use std::time::Duration;

use super::thread_id;
use super::waiter::{Call, Kind, Waiter};
#[cfg(feature = "tokio")]
use crate::contained::contained;
use crate::sync::{
    Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, SPINS, lock, spin_loop,
};
use crate::wait::{Missed, Patience, Wait};

// The state word is the sum of three flags and a count:
//
// | CALLED | QUEUED | HELD | meaning                                                                  |
// |--------|--------|------|--------------------------------------------------------------------------|
// |   0    |   0    |  0   | free                                                                     |
// |   0    |   0    |  1   | held, the queue is empty                                                 |
// |   0    |   1    |  1   | held, the queue is not empty; the release calls its first                |
// |   1    |   1    |  0   | free, the first was called and competes for it                           |
// |   1    |   1    |  1   | held by a thread that was quicker; the first will look and find it taken |
//
// Above them is the number of threads that are arriving: they have seen the lock held, and neither acquired it nor
// queued yet. A thread leaves that number in the same exchange with which it acquires the lock, or with which it
// queues behind a holder. So a release that still counts an arriving thread may rely on it.
//
// QUEUED and CALLED change only under the queue's mutex.
const HELD: u32 = 1;
const QUEUED: u32 = 2;
const CALLED: u32 = 4;
const ARRIVING: u32 = 8;

/// A waiter that was passed by for this long gets the lock handed over.
const PATIENCE: Duration = Duration::from_micros(500);

#[derive(Debug, Default)]
pub(crate) struct QueueLock {
    state: AtomicU32,
    fair: AtomicBool,
    /// The thread or task that holds the lock, 0 when none is known. Only the owning thread ever stores its own id
    /// here, so a match means that the caller holds the lock.
    holder: AtomicU64,
    pub(super) queue: Mutex<Queue>,
}

pub(super) type Queue = VecDeque<Arc<Waiter>>;

impl QueueLock {
    /// Acquires the lock for the calling thread.
    #[inline]
    pub(crate) fn acquire(&self, wait: Wait) -> Result<(), Missed> {
        self.acquire_patiently(wait, &mut Patience::silent())
    }

    /// [`acquire`](Self::acquire) that is interrupted as `patience` says.
    #[inline]
    pub(crate) fn acquire_patiently(
        &self,
        wait: Wait,
        patience: &mut Patience<'_>,
    ) -> Result<(), Missed> {
        if self
            .state
            .compare_exchange(0, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.acquire_contended(wait, patience)?;
        }
        self.held_by(thread_id::current());
        Ok(())
    }

    pub(super) fn held_by(&self, holder: u64) {
        self.holder.store(holder, Ordering::Relaxed);
    }

    /// From now on the lock is first come, first served, for all who use it.
    pub(crate) fn make_fair(&self) {
        if !self.fair.load(Ordering::Relaxed) {
            self.fair.store(true, Ordering::Relaxed);
        }
    }

    /// Returns `true` if the calling thread holds the lock, or the asynchronous section that it is running.
    pub(crate) fn is_held_by_current_thread(&self) -> bool {
        let holder = self.holder();
        holder == thread_id::current() || is_of_current_section(holder)
    }

    /// The number of the thread or task that holds the lock, 0 when none is known.
    pub(crate) fn holder(&self) -> u64 {
        self.holder.load(Ordering::Relaxed)
    }

    /// Returns `true` if another thread or task waits for the lock, or is about to.
    pub(crate) fn has_waiters(&self) -> bool {
        self.state.load(Ordering::Relaxed) & !HELD != 0
    }

    /// Returns `true` if nobody holds the lock and nobody is acquiring it.
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
                // Whoever was queued may have left meanwhile: then there is nobody to call.
                if self.call_first(lock(&self.queue)) {
                    return;
                }
            } else if self.free(state) {
                return;
            }
        }
    }

    /// Releases the lock if a thread waits for it, which then is certain to acquire it or to find it acquired by
    /// another. Returns `false`, and the caller still holds the lock, if none does.
    ///
    /// Tasks do not count: nothing says when an executor polls one again.
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
            // The first is awake already, and cannot leave while we have the mutex.
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

    /// Hands the lock over to the first in the queue, or frees it and calls the first to compete. Returns `false`, and
    /// the lock is still held, if the queue is empty.
    fn call_first(&self, mut queue: MutexGuard<'_, Queue>) -> bool {
        let Some(first) = queue.front().cloned() else {
            return false;
        };
        let _task = if self.fair.load(Ordering::Relaxed) || first.is_impatient() {
            self.leave(&mut queue, &first);
            // Under the mutex: a waiter that gives up must find either its place in the queue or the grant.
            let task = first.call(Call::Granted);
            drop(queue);
            task
        } else {
            // HELD is ours and CALLED is clear, so this sets the one and clears the other.
            self.state.fetch_add(CALLED - HELD, Ordering::Release);
            drop(queue);
            first.call(Call::Compete)
        };
        #[cfg(feature = "tokio")]
        if let Some(task) = _task {
            // Whoever releases has nothing to do with the executor of another's task, and may have more to release.
            contained(|| task.wake());
        }
        true
    }

    #[cold]
    fn acquire_contended(&self, wait: Wait, patience: &mut Patience<'_>) -> Result<(), Missed> {
        if self.try_take() {
            return Ok(());
        }
        match wait {
            Wait::Never => return Err(Missed::Busy),
            _ if self.is_held_by_current_thread() => return Err(Missed::HeldBySelf),
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
        self.wait_in_queue(&waiter, wait, patience)
    }

    /// Takes the lock if it becomes free soon. `arriving` is what the caller counts for in the state word.
    fn spin(&self, arriving: u32) -> bool {
        !self.fair.load(Ordering::Relaxed)
            && (0..SPINS).any(|_| {
                spin_loop();
                self.take_as(arriving)
            })
    }

    /// Takes the lock, whoever may be waiting, or queues behind its holder. `arriving` is what the caller counts for
    /// in the state word.
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

    /// Takes the lock if it is free, whoever may be waiting.
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
        patience: &mut Patience<'_>,
    ) -> Result<(), Missed> {
        loop {
            match waiter.sleep(patience.limit(wait)) {
                Call::Granted => return Ok(()),
                Call::Compete => {
                    let taken = self.spin(0);
                    if self.answer_call(waiter, taken) {
                        return Ok(());
                    }
                }
                Call::None if patience.is_over(wait) => return self.give_up(waiter),
                Call::None => {}
            }
        }
    }

    /// The first in the queue was called to compete. Returns `true` if it has the lock; if not, it will be called again.
    pub(super) fn answer_call(&self, waiter: &Arc<Waiter>, taken: bool) -> bool {
        let mut queue = lock(&self.queue);
        let taken = taken || self.take_or_wait_for_call();
        if taken {
            self.leave(&mut queue, waiter);
        } else {
            waiter.passed_by(PATIENCE);
        }
        taken
    }

    /// Takes the lock for the first in the queue, or sees to it that the next release calls again.
    fn take_or_wait_for_call(&self) -> bool {
        loop {
            if self.try_take() {
                return true;
            }
            // A release in between has seen CALLED and called nobody: look again.
            if self.state.fetch_and(!CALLED, Ordering::Relaxed) & HELD != 0 {
                return false;
            }
        }
    }

    /// The deadline has passed. A lock that is free at this moment is taken all the same: the waiter may be the only
    /// one that was called.
    pub(super) fn give_up(&self, waiter: &Arc<Waiter>) -> Result<(), Missed> {
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
        if taken { Ok(()) } else { Err(Missed::TimedOut) }
    }

    /// Removes a waiter. If it was the first, nobody counts as called any more.
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
    thread_id::who(holder) == thread_id::Who::Task && crate::threads::section::is_inside(holder)
}

#[cfg(not(feature = "tokio"))]
fn is_of_current_section(_holder: u64) -> bool {
    false
}
