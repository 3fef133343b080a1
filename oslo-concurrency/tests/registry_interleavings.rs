//! The registry of names under every interleaving of threads that make, use and drop names.

#[expect(dead_code, reason = "the crate uses all of it")]
#[path = "."]
mod internal {
    mod sync {
        pub(super) use shuttle::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
    }
    #[path = "../src/internal/registry.rs"]
    pub mod registry;
}

/// Nobody forks here.
mod fork {
    pub fn generation() -> u64 {
        0
    }
}

use std::sync::Arc;

use internal::registry::Registry;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

/// Threads that each take a name and drop it, `rounds` times: all that have it at one time have the same value.
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
    assert_eq!(registry.len(), 0, "a name nobody uses is still there");
    assert!(registry.values().is_empty());
}

#[test]
fn two_threads_in_every_interleaving() {
    let tried = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&tried);
    shuttle::check_dfs(
        move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            make_use_and_drop(2, 1);
        },
        None,
    );
    let tried = tried.load(std::sync::atomic::Ordering::Relaxed);
    println!("{tried} interleavings");
    assert!(tried > 100, "{tried} interleavings only");
}

#[test]
fn three_threads_in_many_interleavings() {
    shuttle::check_pct(|| make_use_and_drop(3, 2), 5_000, 4);
    shuttle::check_random(|| make_use_and_drop(3, 2), 5_000);
}
