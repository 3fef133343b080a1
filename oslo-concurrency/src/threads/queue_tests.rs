//! The queue lock on real threads; `tests/model` checks it under a scheduler.

use super::QueueLock;
use crate::sync::{self, Instant};
use crate::wait::{AcquireFailure, Wait};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

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
    assert!(lock.is_idle());
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
    assert!(lock.is_idle());
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
            until(|| sync::lock(&lock.queue).len() == worker + 1);
        }
        lock.release();
    });
    assert_eq!(order.into_inner().unwrap(), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_second_acquire_by_the_same_thread_fails() {
    let lock = QueueLock::default();
    lock.acquire(Wait::Forever).unwrap();
    assert_eq!(lock.acquire(Wait::Forever), Err(AcquireFailure::HeldBySelf));
    assert_eq!(
        lock.acquire(Wait::at_most(Duration::from_secs(60))),
        Err(AcquireFailure::HeldBySelf)
    );
    assert_eq!(lock.acquire(Wait::Never), Err(AcquireFailure::Busy));
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
            assert_eq!(
                lock.acquire(Wait::Until(deadline)),
                Err(AcquireFailure::TimedOut)
            );
            assert!(Instant::now() >= deadline);
        });
    });
    assert!(!lock.has_waiters());
    lock.release();
    assert_eq!(lock.acquire(Wait::Never), Ok(()));
}

#[test]
fn it_is_released_to_a_thread_only_if_one_waits() {
    let lock = QueueLock::default();
    lock.acquire(Wait::Forever).unwrap();
    assert!(!lock.release_to_thread());
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lock.acquire(Wait::Forever));
        until(|| !sync::lock(&lock.queue).is_empty());
        assert!(lock.release_to_thread());
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
    lock.release();
}
