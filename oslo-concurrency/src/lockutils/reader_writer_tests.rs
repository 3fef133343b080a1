//! The reader-writer lock by itself; `tests/model` tries it under a scheduler.

use std::time::{Duration, Instant};

use super::{Error, Owner, ReaderWriterLock};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn wait_for(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !what() {
        assert!(Instant::now() < deadline, "it did not happen");
        thread::yield_now();
    }
}

#[test]
fn readers_share_and_writers_do_not() {
    let lock = ReaderWriterLock::new("x");
    let reader = lock.read().unwrap();
    elsewhere(|| {
        drop(lock.try_read().unwrap());
        assert!(matches!(lock.try_write(), Err(Error::NotAcquired { .. })));
    });
    assert_eq!(lock.owner(), Some(Owner::Readers));
    drop(reader);
    let writer = lock.write().unwrap();
    elsewhere(|| {
        assert!(matches!(lock.try_read(), Err(Error::NotAcquired { .. })));
        let timeout = Duration::from_millis(1);
        assert!(matches!(
            lock.write_timeout(timeout),
            Err(Error::Timeout { .. })
        ));
        assert!(!lock.has_pending_writers());
    });
    assert_eq!(lock.owner(), Some(Owner::Writer));
    drop(writer);
    assert_eq!(lock.owner(), None);
}

#[test]
fn a_writer_may_write_again_and_read_and_stays_the_writer_until_its_last_write_ends() {
    let lock = ReaderWriterLock::new("x");
    let first = lock.write().unwrap();
    let second = lock.write().unwrap();
    let reader = lock.read().unwrap();
    assert!(lock.is_writer() && lock.is_reader());
    drop(first);
    assert!(lock.is_writer());
    drop(second);
    assert!(!lock.is_writer() && lock.is_reader());
    drop(reader);
    elsewhere(|| drop(lock.try_write().unwrap()));
}

#[test]
fn a_waiting_writer_goes_before_new_readers_but_not_before_a_reader_that_reads_again() {
    let lock = ReaderWriterLock::new("x");
    let order = AtomicUsize::new(0);
    thread::scope(|scope| {
        let reader = lock.read().unwrap();
        let writer = scope.spawn(|| {
            let _guard = lock.write().unwrap();
            order.fetch_add(1, Ordering::SeqCst)
        });
        wait_for(|| lock.has_pending_writers());
        drop(lock.try_read().expect("this thread reads already"));
        elsewhere(|| {
            assert!(matches!(lock.try_read(), Err(Error::NotAcquired { .. })));
        });
        let late = scope.spawn(|| {
            let _guard = lock.read().unwrap();
            order.fetch_add(1, Ordering::SeqCst)
        });
        drop(reader);
        writer.join().unwrap();
        late.join().unwrap();
        assert_eq!(order.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_writer_that_gives_up_lets_the_readers_behind_it_go_on() {
    let lock = ReaderWriterLock::new("x");
    let reader = lock.read().unwrap();
    elsewhere(|| lock.write_timeout(Duration::from_millis(5)).unwrap_err());
    elsewhere(|| drop(lock.try_read().unwrap()));
    drop(reader);
}
