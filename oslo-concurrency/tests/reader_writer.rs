//! `ReaderWriterLock`: exclusion, and nested holds of one thread.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oslo_concurrency::lockutils::{Error, Owner, ReaderWriterLock};

/// The limit of every wait in these tests, longer than any event takes on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Counts the threads inside.
#[derive(Default)]
struct Section {
    readers: AtomicUsize,
    writers: AtomicUsize,
    visits: AtomicUsize,
}

impl Section {
    fn read(&self) {
        self.readers.fetch_add(1, Ordering::SeqCst);
        for _ in 0..2 {
            assert_eq!(self.writers.load(Ordering::SeqCst), 0, "a writer is inside");
            thread::yield_now();
        }
        self.readers.fetch_sub(1, Ordering::SeqCst);
        self.visits.fetch_add(1, Ordering::SeqCst);
    }

    fn write(&self) {
        assert_eq!(self.writers.fetch_add(1, Ordering::SeqCst), 0, "two write");
        for _ in 0..2 {
            assert_eq!(self.readers.load(Ordering::SeqCst), 0, "a reader is inside");
            thread::yield_now();
        }
        self.writers.fetch_sub(1, Ordering::SeqCst);
        self.visits.fetch_add(1, Ordering::SeqCst);
    }
}

fn crowd(threads: usize, work: impl Fn(usize) + Sync) {
    let work = &work;
    thread::scope(|scope| {
        for number in 0..threads {
            scope.spawn(move || work(number));
        }
    });
}

fn wait_until(what: &str, event: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !event() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::yield_now();
    }
}

/// Panics without a message.
fn panics(work: impl FnOnce()) {
    let work = AssertUnwindSafe(work);
    assert!(catch_unwind(work).is_err(), "it was to panic");
}

fn broken() -> ! {
    resume_unwind(Box::new("broken"))
}

#[test]
fn writers_never_meet() {
    let (lock, section) = (ReaderWriterLock::new("x"), Section::default());
    crowd(20, |_| {
        for _ in 0..100 {
            let _guard = lock.write().unwrap();
            section.write();
        }
    });
    assert_eq!(section.visits.into_inner(), 2_000);
    assert_eq!(lock.owner(), None);
}

#[test]
fn readers_and_writers_never_meet() {
    let (lock, section) = (ReaderWriterLock::new("x"), Section::default());
    crowd(20, |number| {
        for turn in 0..100 {
            if (number + turn) % 2 == 0 {
                let _guard = lock.read().unwrap();
                section.read();
            } else {
                let _guard = lock.write().unwrap();
                section.write();
            }
        }
    });
    assert_eq!(section.visits.into_inner(), 2_000);
    assert_eq!(lock.owner(), None);
}

#[test]
fn nine_readers_are_in_at_once_and_a_writer_comes_after_the_last() {
    const READERS: usize = 9;
    let (lock, inside) = (ReaderWriterLock::new("x"), AtomicUsize::new(0));
    let (all_in, writer_waits) = (Barrier::new(READERS + 1), Barrier::new(READERS + 1));
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                let _guard = lock.read().unwrap();
                inside.fetch_add(1, Ordering::SeqCst);
                all_in.wait(); // returns once all are inside
                writer_waits.wait();
                inside.fetch_sub(1, Ordering::SeqCst);
            });
        }
        all_in.wait();
        let writer = scope.spawn(|| {
            let _guard = lock.write().unwrap();
            assert_eq!(lock.owner(), Some(Owner::Writer));
            inside.load(Ordering::SeqCst)
        });
        wait_until("a writer waits", || lock.has_pending_writers());
        assert_eq!(lock.owner(), Some(Owner::Readers));
        writer_waits.wait();
        assert_eq!(writer.join().unwrap(), 0);
    });
}

#[test]
fn a_panic_releases_what_was_held() {
    let lock = ReaderWriterLock::new("x");
    panics(|| {
        let _guard = lock.write().unwrap();
        assert_eq!(lock.owner(), Some(Owner::Writer));
        broken();
    });
    assert_eq!(lock.owner(), None);
    panics(|| {
        let _guard = lock.read().unwrap();
        assert_eq!(lock.owner(), Some(Owner::Readers));
        broken();
    });
    assert_eq!(lock.owner(), None);
}

#[test]
fn nested_readers_that_panic_keep_no_writer_out() {
    let (lock, section) = (ReaderWriterLock::new("x"), Section::default());
    crowd(20, |number| {
        if number % 2 == 0 {
            panics(|| {
                let _outer = lock.read().unwrap();
                let _inner = lock.read().unwrap();
                broken();
            });
        } else {
            let _guard = lock.write().unwrap();
            section.write();
        }
    });
    assert_eq!(section.visits.into_inner(), 10);
    assert_eq!(lock.owner(), None);
}

#[test]
fn readers_that_panic_now_and_then_hinder_nobody() {
    let (lock, section) = (ReaderWriterLock::new("x"), Section::default());
    crowd(20, |number| match number % 4 {
        0 => panics(|| {
            let _guard = lock.read().unwrap();
            broken();
        }),
        2 => {
            let _guard = lock.read().unwrap();
            section.read();
        }
        _ => {
            let _guard = lock.write().unwrap();
            section.write();
        }
    });
    assert_eq!(section.visits.into_inner(), 5 + 10);
}

#[test]
fn writers_that_panic_now_and_then_hinder_nobody() {
    let (lock, section) = (ReaderWriterLock::new("x"), Section::default());
    crowd(20, |number| match number % 4 {
        0 => panics(|| {
            let _guard = lock.write().unwrap();
            broken();
        }),
        2 => {
            let _guard = lock.write().unwrap();
            section.write();
        }
        _ => {
            let _guard = lock.read().unwrap();
            section.read();
        }
    });
    assert_eq!(section.visits.into_inner(), 5 + 10);
}

/// The holds of this thread: for reading, for writing.
fn mine(lock: &ReaderWriterLock) -> (bool, bool) {
    (lock.is_reader(), lock.is_writer())
}

#[test]
fn a_thread_reads_and_writes_by_turns() {
    let lock = ReaderWriterLock::new("x");
    for _ in 0..2 {
        let guard = lock.read().unwrap();
        assert_eq!(mine(&lock), (true, false));
        drop(guard);
        let guard = lock.write().unwrap();
        assert_eq!(mine(&lock), (false, true));
        drop(guard);
        assert_eq!(mine(&lock), (false, false));
    }
}

#[test]
fn a_writer_may_read_and_in_it_write_again() {
    let lock = ReaderWriterLock::new("x");
    let _write = lock.write().unwrap();
    assert!(lock.is_writer());
    let _read = lock.read().unwrap();
    assert!(lock.is_reader());
    let _again = lock.write().unwrap();
    assert_eq!(mine(&lock), (true, true));
}

#[test]
fn a_reader_is_refused_to_write_and_goes_on_reading() {
    let lock = ReaderWriterLock::new("x");
    let guard = lock.read().unwrap();
    let refused = [lock.write(), lock.try_write(), lock.write_timeout(DEADLINE)]
        .map(|outcome| matches!(outcome, Err(Error::UpgradeRefused { .. })));
    assert_eq!(refused, [true; 3]);
    assert_eq!(mine(&lock), (true, false));
    assert!(!lock.has_pending_writers());
    drop(guard);
    assert_eq!(mine(&lock), (false, false));
}

#[test]
fn a_writer_that_reads_is_a_writer_again_when_it_has_read() {
    let lock = ReaderWriterLock::new("x");
    let write = lock.write().unwrap();
    let read = lock.read().unwrap();
    assert_eq!(mine(&lock), (true, true));
    drop(read);
    assert_eq!(mine(&lock), (false, true));
    drop(write);
    assert_eq!(mine(&lock), (false, false));
}

#[test]
fn a_thread_writes_until_the_last_of_its_writes_ends() {
    let lock = ReaderWriterLock::new("x");
    let outer = lock.write().unwrap();
    assert_eq!(mine(&lock), (false, true));
    let inner = lock.write().unwrap();
    assert!(lock.is_writer());
    drop(inner);
    assert!(lock.is_writer());
    drop(outer);
    assert_eq!(mine(&lock), (false, false));
}

#[test]
fn a_thread_reads_until_the_last_of_its_reads_ends() {
    let lock = ReaderWriterLock::new("x");
    let outer = lock.read().unwrap();
    assert_eq!(mine(&lock), (true, false));
    let inner = lock.read().unwrap();
    assert!(lock.is_reader());
    drop(inner);
    assert!(lock.is_reader());
    drop(outer);
    assert_eq!(mine(&lock), (false, false));
}

#[test]
fn a_writer_that_reads_and_another_writer_do_not_wait_for_each_other() {
    let lock = ReaderWriterLock::new("x");
    crowd(2, |number| {
        for _ in 0..1_000 {
            let _write = lock.write_timeout(DEADLINE).unwrap();
            if number == 0 {
                drop(lock.read_timeout(DEADLINE).unwrap());
            }
        }
    });
}

struct Catalogue {
    lock: ReaderWriterLock,
}

impl Catalogue {
    /// The owner, from the point of view of a method that holds the lock while it runs.
    fn read(&self) -> Option<Owner> {
        let _guard = self.lock.read().unwrap();
        self.lock.owner()
    }

    fn write(&self) -> Option<Owner> {
        let _guard = self.lock.write().unwrap();
        self.lock.owner()
    }
}

#[test]
fn methods_hold_the_lock_of_their_value_while_they_run() {
    let catalogue = Catalogue {
        lock: ReaderWriterLock::new("catalogue"),
    };
    assert_eq!(catalogue.write(), Some(Owner::Writer));
    assert_eq!(catalogue.read(), Some(Owner::Readers));
    assert_eq!(catalogue.lock.owner(), None);
}
