//! The registry of names under every interleaving of threads that create, use and drop names.

use std::sync::Arc;

use crate::checks::{every_interleaving, many_interleavings};
use crate::threads::registry::Registry;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

/// Threads that take a name and drop it, `rounds` times each: all that have it at the same time
/// have the same value.
fn make_use_and_drop(threads: usize, rounds: usize) {
    let registry = Arc::new(Registry::<str, AtomicUsize>::default());
    let inside: Vec<_> = (0..threads)
        .map(|_| {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                for _ in 0..rounds {
                    let mine = registry.get_or_make("a", |_| AtomicUsize::new(0));
                    let again = registry.get_or_make("a", |_| AtomicUsize::new(0));
                    assert!(Arc::ptr_eq(&mine, &again), "two values of one name");
                    mine.fetch_add(1, Ordering::SeqCst);
                    assert!(again.load(Ordering::SeqCst) > 0);
                    mine.fetch_sub(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for thread in inside {
        thread.join().unwrap();
    }
    assert_eq!(registry.len(), 0, "an unused name is still there");
    assert!(registry.values().is_empty());
}

#[test]
fn two_threads_in_every_interleaving() {
    every_interleaving(100_000, || make_use_and_drop(2, 1));
}

#[test]
fn three_threads_in_many_interleavings() {
    many_interleavings(1_250, || make_use_and_drop(3, 2));
}
