//! One acquire and release without contention.

use std::hint::black_box;

use oslo_concurrency::lockutils;

use crate::measure::{in_turns, nanoseconds_each, row, title};
use crate::raw::RawOfd;

#[lockutils::synchronized("site")]
fn synchronized() {}

#[lockutils::synchronized("file", external, or_panic)]
fn synchronized_external() {}

const ROUNDS: usize = 41;

pub fn print() {
    title("uncontended, ns for one acquire and release");
    internal();
    external();
}

fn internal() {
    const CALLS: u32 = 200_000;
    let mutex = parking_lot::Mutex::new(());
    let peer = || nanoseconds_each(CALLS, || *black_box(mutex.lock()));
    let site = in_turns(ROUNDS, peer, || nanoseconds_each(CALLS, synchronized));
    row(
        "#[synchronized(\"x\")] to parking_lot",
        "ns",
        &site,
        "at most 2.5",
    );
    let name = String::from("named");
    let kept = lockutils::internal_lock(&name, None);
    let named = || nanoseconds_each(CALLS, || drop(black_box(lockutils::lock(&name).acquire())));
    let builder = in_turns(ROUNDS, || nanoseconds_each(CALLS, synchronized), named);
    row(
        "lock(&name), name in use, to #[synchronized]",
        "ns",
        &builder,
        "at most 80 ns more",
    );
    drop(kept);
    let anew = in_turns(ROUNDS, || nanoseconds_each(CALLS, synchronized), named);
    row("lock(&name), new name, to #[synchronized]", "ns", &anew, "");
}

fn external() {
    const CALLS: u32 = 10_000;
    let directory = tempfile::tempdir().expect("a directory for the lock files");
    lockutils::set_defaults(directory.path());
    let raw = RawOfd::open(&directory.path().join("raw"));
    let peer = || {
        nanoseconds_each(CALLS, || {
            raw.lock();
            raw.unlock();
        })
    };
    let site = in_turns(ROUNDS, peer, || {
        nanoseconds_each(CALLS, synchronized_external)
    });
    row(
        "#[synchronized(external)] to a raw OFD pair",
        "ns",
        &site,
        "at most 2.2",
    );
    let lock = lockutils::external_lock("file", None, None).expect("a lock path is set");
    let handle = in_turns(ROUNDS, peer, || {
        nanoseconds_each(CALLS, || drop(black_box(lock.acquire())))
    });
    row(
        "InterProcessLock to a raw OFD pair",
        "ns",
        &handle,
        "at most 2.2",
    );
    let builder = in_turns(ROUNDS, peer, || {
        nanoseconds_each(CALLS, || {
            drop(black_box(lockutils::lock("file").external(true).acquire()));
        })
    });
    row(
        "lock(name).external(true) to a raw OFD pair",
        "ns",
        &builder,
        "at most 2.2",
    );
}
