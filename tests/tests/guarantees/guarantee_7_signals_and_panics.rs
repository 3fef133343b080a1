//! A signal neither loses nor grants the lock; a panic in the section releases it and does not
//! poison it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use lockutils_tests::until::until;
use nix::sys::signal::Signal;
use oslo_concurrency::lockutils::{self, InterProcessLock, InterProcessReaderWriterLock};

use crate::{holder, lock_path};

/// Interrupts the waiter repeatedly, and checks that each signal has arrived.
fn interrupted(wait: &str) {
    let directory = lock_path();
    let (mut one, mut waiter) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    assert_eq!(waiter.ask("signals"), "0");
    waiter.send(wait);
    for _ in 0..200 {
        waiter.wait_until_it_waits();
        waiter.signal(Signal::SIGUSR1);
        let pending = format!("/proc/{}/status", waiter.pid());
        until("the signal arrives", || {
            let status = std::fs::read_to_string(&pending).ok()?;
            let pending = status
                .lines()
                .find_map(|line| line.strip_prefix("ShdPnd:"))?;
            (pending.trim() == "0000000000000000").then_some(())
        });
    }
    assert_eq!(waiter.answer_so_far(), None, "a signal ended the wait");
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(waiter.answer(), "acquired");
    assert_eq!(one.ask("try x"), "busy");
    let signals: u32 = waiter.ask("signals").parse().unwrap();
    assert_eq!(signals, 200);
}

#[test]
fn signals_do_not_end_a_wait() {
    interrupted("acquire x");
}

#[test]
fn signals_do_not_end_a_timed_wait() {
    interrupted("timed x 60000");
}

#[test]
fn signals_do_not_free_a_lock_that_is_held() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("signals"), "0");
    assert_eq!(one.ask("acquire x"), "acquired");
    one.signal(Signal::SIGUSR1);
    assert_eq!(one.ask("signals"), "1");
    assert_eq!(other.ask("try x"), "busy");
}

#[test]
fn a_panic_releases_it_and_does_not_poison_it() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("panic x"), "panicked");
    assert_eq!(other.ask("try x"), "acquired");
    assert_eq!(other.ask("release x"), "released");
    assert_eq!(one.ask("try x"), "acquired");
}

/// A panic that unwinds through `guard`, which every kind of lock has.
fn panics_with<G>(guard: G) {
    let section = AssertUnwindSafe(|| {
        let _guard = guard;
        resume_unwind(Box::new("in the section"));
    });
    assert!(catch_unwind(section).is_err());
}

#[test]
fn a_panic_releases_every_kind_of_lock_between_processes() {
    let directory = lock_path();
    let mut other = holder(&directory);
    let file = directory.path().join("x");
    let lock = lockutils::lock("x")
        .external(true)
        .lock_path(directory.path());
    let by_file = InterProcessLock::new(&file);
    let reader_writer = InterProcessReaderWriterLock::new(&file);
    for _ in 0..2 {
        panics_with(lock.acquire().unwrap());
        panics_with(lock.fair(true).acquire().unwrap());
        panics_with(by_file.acquire().unwrap());
        panics_with(reader_writer.read().unwrap());
        panics_with(reader_writer.write().unwrap());
        assert_eq!(other.ask("try x"), "acquired");
        assert_eq!(other.ask("release x"), "released");
    }
}

#[test]
fn a_panic_in_one_thread_lets_the_next_one_in() {
    let lock = lockutils::lock("panic-in-one-thread");
    for _ in 0..2 {
        let panicked =
            thread::spawn(move || lock.run(|| resume_unwind(Box::new("in the section"))));
        assert!(panicked.join().is_err());
        lock.run(|| ()).unwrap();
    }
}
