//! `fair` is first come, first served between the threads of a process, and between processes that
//! use this library.

use std::sync::Mutex;
use std::thread;

use lockutils_tests::until::{until, until_thread_sleeps};
use oslo_concurrency::lockutils;

use crate::{holder, lock_path};

/// Waiters start one by one, each known to wait before the next starts, and must be served in that
/// order.
#[test]
fn threads_are_served_in_the_order_in_which_they_came() {
    const THREADS: usize = 8;
    let lock = lockutils::lock("fair-threads").fair(true);
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let guard = lock.acquire().unwrap();
        for number in 0..THREADS {
            let (lock, order) = (&lock, &order);
            let (send, id) = std::sync::mpsc::channel();
            scope.spawn(move || {
                send.send(nix::unistd::gettid()).unwrap();
                let _guard = lock.acquire().unwrap();
                order.lock().unwrap().push(number);
            });
            until_thread_sleeps(id.recv().unwrap());
        }
        drop(guard);
    });
    assert_eq!(
        order.into_inner().unwrap(),
        (0..THREADS).collect::<Vec<_>>()
    );
}

#[test]
fn processes_are_served_in_the_order_in_which_they_came() {
    let directory = lock_path();
    let mut first = holder(&directory);
    assert_eq!(first.ask("acquire-fair x"), "acquired");
    let mut waiters: Vec<_> = (0..4).map(|_| holder(&directory)).collect();
    for waiter in &mut waiters {
        waiter.send("acquire-fair x");
        waiter.wait_until_it_waits();
    }
    // The first process waits at the lock, the others at the turnstile in front of it. A process
    // that returns at once must queue behind the first, which holds the turnstile; later it can
    // slip in while a waiter has been called and is not awake yet.
    assert_eq!(first.ask("release x"), "released");
    first.send("acquire-fair x");
    for (number, waiter) in waiters.iter_mut().enumerate() {
        let came_back = until("a waiter is served", || {
            match (waiter.answer_so_far(), first.answer_so_far()) {
                (None, None) => None,
                (answer, again) => Some((answer, again)),
            }
        });
        if let (None, Some(again)) = &came_back {
            assert_eq!(again, "acquired");
            assert_ne!(
                number, 0,
                "it entered before the one that waited at the lock"
            );
            assert_eq!(first.ask("release x"), "released");
            assert_eq!(waiter.answer(), "acquired", "waiter {number}");
        } else {
            assert_eq!(came_back.0.as_deref(), Some("acquired"), "waiter {number}");
        }
        assert_eq!(waiter.ask("release x"), "released");
    }
}

/// Without fairness, a thread that re-acquires the lock at once nearly always wins, because the
/// waiter wakes up too late.
#[test]
fn a_thread_that_comes_back_at_once_lets_the_waiter_go_first() {
    let lock = lockutils::lock("fair-return").fair(true);
    for _ in 0..20 {
        let order = Mutex::new(Vec::new());
        let (send, id) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let guard = lock.acquire().unwrap();
            scope.spawn(|| {
                send.send(nix::unistd::gettid()).unwrap();
                let _guard = lock.acquire().unwrap();
                order.lock().unwrap().push("waiter");
            });
            until_thread_sleeps(id.recv().unwrap());
            drop(guard);
            let _again = lock.acquire().unwrap();
            order.lock().unwrap().push("returned");
        });
        assert_eq!(order.into_inner().unwrap(), ["waiter", "returned"]);
    }
}

#[test]
fn a_process_that_comes_back_at_once_lets_the_waiter_go_first() {
    let directory = lock_path();
    let (mut one, mut waiter) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire-fair x"), "acquired");
    for _ in 0..10 {
        waiter.send("acquire-fair x");
        waiter.wait_until_it_waits();
        one.send("let-others-first x");
        assert_eq!(waiter.answer(), "acquired");
        assert_eq!(one.answer_so_far(), None);
        assert_eq!(waiter.ask("release x"), "released");
        assert_eq!(one.answer(), "acquired");
    }
}

/// The holder of the turnstile would otherwise wait for itself at the lock.
#[test]
fn a_gate_that_somebody_has_moved_over_the_lock_is_no_gate() {
    let directory = lock_path();
    let lock = lockutils::lock("moved")
        .external(true)
        .fair(true)
        .lock_path(directory.path())
        .timeout(std::time::Duration::from_secs(10));
    lock.run(|| ()).unwrap();
    let gate = directory.path().join(".moved.turnstile");
    std::fs::rename(gate, directory.path().join("moved")).unwrap();
    lock.run(|| ()).unwrap();
}
