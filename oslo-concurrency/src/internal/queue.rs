//! The lock between threads that everything else is built on: one word when nobody waits, a queue when somebody does.
//!
//! It differs from a stock mutex in what the named locks need: a wait with a deadline, first come first served on
//! demand, the holder's thread (a second acquire by the same thread is an error, not a deadlock), a guard that borrows
//! nothing, and no table shared by the whole process, which a fork could catch in a locked state.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::thread_id;
use super::waiter::{Call, Waiter};
use crate::wait::{Missed, Patience, Wait};

// The state word:
//
// | CALLED | QUEUED | HELD | meaning                                                                  |
// |--------|--------|------|--------------------------------------------------------------------------|
// |   0    |   0    |  0   | free                                                                     |
// |   0    |   0    |  1   | held, nobody waits                                                       |
// |   0    |   1    |  1   | held, the queue is not empty; the release calls its first                |
// |   1    |   1    |  0   | free, the first was called and competes for it                           |
// |   1    |   1    |  1   | held by a thread that was quicker; the first will look and find it taken |
//
// QUEUED and CALLED are set and cleared only under the queue's mutex.
const HELD: u32 = 1;
const QUEUED: u32 = 2;
const CALLED: u32 = 4;

/// Tries before queueing; about as long as a short section takes.
const SPINS: u32 = 40;
/// A waiter that was passed by for this long gets the lock handed over.
const PATIENCE: Duration = Duration::from_micros(500);

#[derive(Debug, Default)]
pub(crate) struct QueueLock {
    state: AtomicU32,
    /// Threads that found the lock held and have neither taken it nor queued yet; each will do one of the two.
    arriving: AtomicU32,
    fair: AtomicBool,
    /// The thread or task that holds the lock, 0 when none is known. A thread can find its own number here only if it put it there.
    holder: AtomicU64,
    queue: Mutex<VecDeque<Arc<Waiter>>>,
}

impl QueueLock {
    #[inline]
    pub(crate) fn acquire(&self, wait: Wait) -> Result<(), Missed> {
        self.acquire_patiently(wait, &mut Patience::endless())
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
        self.holder.store(thread_id::current(), Ordering::Relaxed);
        Ok(())
    }

    #[cfg(feature = "tokio")]
    pub(super) fn taken_by(&self, holder: u64) {
        self.holder.store(holder, Ordering::Relaxed);
    }

    /// From now on the lock is first come, first served, for all who use it.
    pub(crate) fn make_fair(&self) {
        if !self.fair.load(Ordering::Relaxed) {
            self.fair.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the calling thread holds it, or the asynchronous section that it is running at this moment.
    pub(crate) fn is_held_by_current_thread(&self) -> bool {
        let holder = self.holder();
        holder == thread_id::current() || is_of_current_section(holder)
    }

    /// The number of the thread or task that holds the lock, 0 when none is known.
    pub(crate) fn holder(&self) -> u64 {
        self.holder.load(Ordering::Relaxed)
    }

    /// Whether a thread waits, or is about to.
    pub(crate) fn has_waiters(&self) -> bool {
        self.state.load(Ordering::Relaxed) & QUEUED != 0
            || self.arriving.load(Ordering::Relaxed) != 0
    }

    /// Releases the lock. Only its holder may call this.
    #[inline]
    pub(crate) fn release(&self) {
        self.holder.store(0, Ordering::Relaxed);
        if self
            .state
            .compare_exchange(HELD, 0, Ordering::Release, Ordering::Relaxed)
            .is_err()
            && !self.release_to_called()
            && !self.call_next(self.queue())
        {
            self.state.store(0, Ordering::Release);
        }
    }

    /// Releases the lock if somebody waits for it, who is then certain to take it or to see to it that another does;
    /// otherwise the caller still holds it, and this is false.
    pub(crate) fn release_to_waiter(&self) -> bool {
        let holder = self.holder.swap(0, Ordering::Relaxed);
        let released =
            self.release_to_arriving() || self.release_to_called() || self.call_next(self.queue());
        if !released {
            self.holder.store(holder, Ordering::Relaxed);
        }
        released
    }

    /// A thread that arrives takes the lock or queues; once it has queued, the state shows that and the exchange fails.
    fn release_to_arriving(&self) -> bool {
        self.arriving.load(Ordering::Relaxed) != 0
            && self
                .state
                .compare_exchange(HELD, 0, Ordering::Release, Ordering::Relaxed)
                .is_ok()
    }

    /// The first in the queue is awake already: freeing the lock is all there is to do.
    fn release_to_called(&self) -> bool {
        self.state
            .compare_exchange(
                HELD | QUEUED | CALLED,
                QUEUED | CALLED,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Arc<Waiter>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
        let waiter = Arc::new(Waiter::new());
        self.arriving.fetch_add(1, Ordering::Relaxed);
        let taken = self.spin() || self.take_or_queue(&waiter);
        self.arriving.fetch_sub(1, Ordering::Relaxed);
        if taken {
            Ok(())
        } else {
            self.wait_in_queue(&waiter, wait, patience)
        }
    }

    fn spin(&self) -> bool {
        !self.fair.load(Ordering::Relaxed)
            && (0..SPINS).any(|_| {
                std::hint::spin_loop();
                self.try_take()
            })
    }

    pub(super) fn take_or_queue(&self, waiter: &Arc<Waiter>) -> bool {
        let mut queue = self.queue();
        queue.push_back(Arc::clone(waiter));
        let taken = self.state.fetch_or(QUEUED, Ordering::Relaxed) & HELD == 0 && self.try_take();
        if taken {
            self.leave(&mut queue, waiter);
        }
        taken
    }

    /// Takes the lock if it is free, whoever may be waiting.
    pub(super) fn try_take(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        state & HELD == 0
            && self
                .state
                .compare_exchange(state, state | HELD, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
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
                    let taken = self.spin();
                    if self.answer_call(waiter, taken) {
                        return Ok(());
                    }
                }
                Call::None if patience.is_over(wait) => return self.give_up(waiter),
                Call::None => {}
            }
        }
    }

    /// The first in the queue was called to compete: whether it has the lock now. If not, it will be called again.
    pub(super) fn answer_call(&self, waiter: &Arc<Waiter>, taken: bool) -> bool {
        let mut queue = self.queue();
        let taken = taken || self.take_or_wait_for_call();
        if taken {
            self.leave(&mut queue, waiter);
        } else {
            waiter.passed_by(PATIENCE);
        }
        taken
    }

    /// The first in the queue looks whether the lock is free; if it is not, the next release calls again.
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

    /// The deadline has passed. A lock that is free at this moment is taken all the same: the waiter may be the only one who
    /// was told so.
    pub(super) fn give_up(&self, waiter: &Arc<Waiter>) -> Result<(), Missed> {
        let mut queue = self.queue();
        if waiter.is_granted() {
            return Ok(());
        }
        let first = queue
            .front()
            .is_some_and(|first| Arc::ptr_eq(first, waiter));
        let taken = if first {
            self.take_or_wait_for_call()
        } else {
            self.try_take()
        };
        self.leave(&mut queue, waiter);
        if taken { Ok(()) } else { Err(Missed::TimedOut) }
    }

    /// Removes a waiter. If it was the first, nobody stands called any more.
    fn leave(&self, queue: &mut VecDeque<Arc<Waiter>>, waiter: &Arc<Waiter>) {
        if queue
            .front()
            .is_some_and(|first| Arc::ptr_eq(first, waiter))
        {
            self.state.fetch_and(!CALLED, Ordering::Relaxed);
        }
        queue.retain(|other| !Arc::ptr_eq(other, waiter));
        if queue.is_empty() {
            self.state.fetch_and(!QUEUED, Ordering::Relaxed);
        }
    }

    /// Hands the lock over to the first in the queue, or frees it and calls the first to compete. False if nobody waits.
    fn call_next(&self, mut queue: MutexGuard<'_, VecDeque<Arc<Waiter>>>) -> bool {
        let Some(first) = queue.front().cloned() else {
            return false;
        };
        let task = if self.fair.load(Ordering::Relaxed) || first.is_impatient() {
            self.leave(&mut queue, &first);
            let task = first.call(Call::Granted);
            drop(queue);
            task
        } else {
            self.state.store(QUEUED | CALLED, Ordering::Release);
            drop(queue);
            first.call(Call::Compete)
        };
        if let Some(task) = task {
            task.wake();
        }
        true
    }
}

#[cfg(feature = "tokio")]
fn is_of_current_section(holder: u64) -> bool {
    thread_id::who(holder) == thread_id::Who::Task
        && crate::asynchronous::section::is_inside(holder)
}

#[cfg(not(feature = "tokio"))]
fn is_of_current_section(_holder: u64) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::thread;
    use std::time::Instant;

    fn until(condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(Instant::now() < deadline, "waited too long");
            thread::yield_now();
        }
    }

    #[test]
    fn excludes() {
        let lock = QueueLock::default();
        let inside = AtomicUsize::new(0);
        let sections = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        lock.acquire(Wait::Forever).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        sections.fetch_add(1, Ordering::Relaxed);
                        lock.release();
                    }
                });
            }
        });
        assert_eq!(sections.into_inner(), 80_000);
        assert_eq!(lock.state.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn excludes_when_fair_and_when_some_give_up() {
        let lock = QueueLock::default();
        lock.make_fair();
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for worker in 0..4 {
                let (lock, inside) = (&lock, &inside);
                scope.spawn(move || {
                    for round in 0..3_000 {
                        let wait = match (worker + round) % 3 {
                            0 => Wait::Forever,
                            1 => Wait::at_most(Duration::from_micros(20)),
                            _ => Wait::Never,
                        };
                        if lock.acquire(wait).is_ok() {
                            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                            inside.fetch_sub(1, Ordering::Relaxed);
                            lock.release();
                        }
                    }
                });
            }
        });
        assert_eq!(lock.state.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn fair_is_first_come_first_served() {
        let lock = QueueLock::default();
        lock.make_fair();
        let order = Mutex::new(Vec::new());
        lock.acquire(Wait::Forever).unwrap();
        thread::scope(|scope| {
            for worker in 0..8 {
                let (lock, order) = (&lock, &order);
                scope.spawn(move || {
                    lock.acquire(Wait::Forever).unwrap();
                    order.lock().unwrap().push(worker);
                    lock.release();
                });
                until(|| lock.queue().len() == worker + 1);
            }
            lock.release();
        });
        assert_eq!(order.into_inner().unwrap(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn the_same_thread_is_told_so() {
        let lock = QueueLock::default();
        lock.acquire(Wait::Forever).unwrap();
        assert_eq!(lock.acquire(Wait::Forever), Err(Missed::HeldBySelf));
        assert_eq!(
            lock.acquire(Wait::at_most(Duration::from_secs(60))),
            Err(Missed::HeldBySelf)
        );
        assert_eq!(lock.acquire(Wait::Never), Err(Missed::Busy));
        lock.release();
        assert_eq!(lock.acquire(Wait::Never), Ok(()));
    }

    #[test]
    fn a_deadline_ends_the_wait_and_not_before() {
        let lock = QueueLock::default();
        lock.acquire(Wait::Forever).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let deadline = Instant::now() + Duration::from_millis(30);
                assert_eq!(lock.acquire(Wait::Until(deadline)), Err(Missed::TimedOut));
                assert!(Instant::now() >= deadline);
            });
        });
        assert!(!lock.has_waiters());
        lock.release();
        assert_eq!(lock.acquire(Wait::Never), Ok(()));
    }

    #[test]
    fn released_to_a_waiter_only_if_there_is_one() {
        let lock = QueueLock::default();
        lock.acquire(Wait::Forever).unwrap();
        assert!(!lock.release_to_waiter());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| lock.acquire(Wait::Forever));
            until(|| !lock.queue().is_empty());
            assert!(lock.release_to_waiter());
            assert_eq!(waiter.join().unwrap(), Ok(()));
        });
        lock.release();
    }
}
