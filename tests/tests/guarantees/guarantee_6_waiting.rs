//! The kernel does the waiting; a timed wait returns at its deadline and, once given up, never
//! takes the lock afterwards.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use lockutils_tests::conversation::Conversation;
use nix::sys::signal::{SigSet, Signal};
use oslo_concurrency::lockutils::{self, Error};

use crate::{holder, lock_path};

/// The number of context switches of a process so far.
fn switches(process: &Conversation) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.pid())).unwrap();
    let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).unwrap();
    tasks
        .flatten()
        .flat_map(|task| {
            status(task)
                .lines()
                .filter(|line| line.contains("ctxt_switches"))
                .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
                .collect::<Vec<_>>()
        })
        .sum()
}

#[test]
fn a_waiter_sleeps_in_the_kernel_without_asking_again() {
    sleeps_without_asking_again("acquire x");
}

#[test]
fn a_timed_waiter_sleeps_in_the_kernel_without_asking_again() {
    sleeps_without_asking_again("timed x 1000000");
}

#[test]
fn a_fair_waiter_sleeps_in_the_kernel_without_asking_again() {
    sleeps_without_asking_again("acquire-fair x");
}

fn sleeps_without_asking_again(wait: &str) {
    let directory = lock_path();
    let mut processes = [(); 3].map(|()| holder(&directory));
    let [one, waiter, clock] = &mut processes;
    assert_eq!(one.ask("acquire x"), "acquired");
    waiter.send(wait);
    waiter.wait_until_it_waits();
    let before = switches(waiter);
    // Work that takes a while, on another lock: a waiter that polled would wake up often meanwhile.
    for _ in 0..20 {
        assert_eq!(clock.ask("timed x 10"), "timeout");
    }
    let woken = switches(waiter) - before;
    assert!(
        woken <= 4,
        "the waiter was woken {woken} times while nothing happened"
    );
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(waiter.answer(), "acquired");
}

#[test]
fn a_timed_wait_never_ends_early() {
    let directory = lock_path();
    let mut one = holder(&directory);
    assert_eq!(one.ask("acquire x"), "acquired");
    let lock = lockutils::lock("x")
        .external(true)
        .lock_path(directory.path());
    for microseconds in [0, 1, 50, 1_000, 20_000] {
        let timeout = Duration::from_micros(microseconds);
        let asked = Instant::now();
        let outcome = lock.timeout(timeout).acquire();
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        assert!(asked.elapsed() >= timeout, "{timeout:?} was over too early");
    }
}

#[test]
fn a_timed_wait_takes_a_lock_that_is_freed_in_time() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    other.send("timed x 50000");
    other.wait_until_it_waits();
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(other.answer(), "acquired");
}

#[test]
fn a_wait_given_up_never_takes_the_lock_later() {
    let directory = lock_path();
    let mut processes = [(); 3].map(|()| holder(&directory));
    let [one, gave_up, other] = &mut processes;
    for _ in 0..10 {
        assert_eq!(one.ask("acquire x"), "acquired");
        assert_eq!(gave_up.ask("timed x 2"), "timeout");
        assert_eq!(one.ask("release x"), "released");
        // Two acquires in a row: an effect of an abandoned waiter on the first would show in one of
        // them.
        for _ in 0..2 {
            assert_eq!(other.ask("try x"), "acquired");
            assert_eq!(other.ask("release x"), "released");
        }
    }
}

#[test]
fn a_timed_wait_for_a_thread_of_the_same_process_ends_as_well() {
    let directory = lock_path();
    let lock = lockutils::lock("x")
        .external(true)
        .lock_path(directory.path());
    let _guard = lock.acquire().unwrap();
    let timeout = Duration::from_millis(5);
    let (outcome, waited) = thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let asked = Instant::now();
            (lock.timeout(timeout).acquire().map(drop), asked.elapsed())
        });
        waiter.join().unwrap()
    });
    assert!(matches!(outcome, Err(Error::Timeout { .. })));
    assert!(waited >= timeout);
}

/// The timer that ends a wait is a signal, which must reach even a thread that has blocked all
/// signals.
#[test]
fn a_timed_wait_ends_in_a_thread_that_has_blocked_all_signals() {
    let directory = lock_path();
    let mut one = holder(&directory);
    assert_eq!(one.ask("acquire x"), "acquired");
    let lock = lockutils::lock("x")
        .external(true)
        .lock_path(directory.path());
    let blocked = thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            SigSet::all().thread_block().unwrap();
            let outcome = lock.timeout(Duration::from_millis(5)).acquire().map(drop);
            assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
            SigSet::thread_get_mask().unwrap()
        });
        waiter.join().unwrap()
    });
    assert!(
        blocked.contains(Signal::SIGUSR1) && blocked.contains(Signal::SIGTERM),
        "the mask is as it was"
    );
}

/// The waiter acquires the file that it waited for, finds it replaced, and must wait for the new
/// one within the same deadline.
#[test]
fn a_timed_wait_goes_on_to_the_file_that_replaced_the_first_and_still_ends() {
    let directory = lock_path();
    let mut processes = [(); 3].map(|()| holder(&directory));
    let [first, second, waiter] = &mut processes;
    assert_eq!(first.ask("acquire x"), "acquired");
    let asked = Instant::now();
    // Long enough to be seen on a slow machine.
    waiter.send("timed x 2000");
    waiter.wait_until_it_waits();
    fs::remove_file(directory.path().join("x")).unwrap();
    assert_eq!(second.ask("acquire x"), "acquired");
    assert_eq!(first.ask("release x"), "released");
    assert_eq!(waiter.answer(), "timeout");
    assert!(asked.elapsed() >= Duration::from_millis(2000));
    assert_eq!(second.ask("release x"), "released");
    assert_eq!(
        first.ask("try x"),
        "acquired",
        "an abandoned wait holds nothing"
    );
}
