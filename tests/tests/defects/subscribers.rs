//! A lock must not be affected by anything that a `tracing` subscriber does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use oslo_concurrency::lockutils;
use tracing::field::{Field, Visit};

use crate::{is_free_for_a_stranger, lock_path, receive, within_the_deadline};

/// Records each message, and panics at one of them.
struct Panics {
    at: &'static str,
    heard: Sender<String>,
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl tracing::Subscriber for Panics {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let _ = self.heard.send(message.0.clone());
        assert!(
            message.0 != self.at,
            "the subscriber panics at {:?}",
            self.at
        );
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_panic_when_the_lock_is_acquired_or_released_leaves_it_free() {
    let directory = lock_path();
    for at in ["lock acquired", "lock released"] {
        for external in [false, true] {
            let (heard, _messages) = channel();
            let lock = lockutils::lock("defect-log")
                .external(external)
                .lock_path(directory.path());
            tracing::subscriber::with_default(Panics { at, heard }, || {
                let outcome = catch_unwind(AssertUnwindSafe(|| drop(lock.acquire())));
                assert!(outcome.is_err(), "{at}: the subscriber was not asked");
            });
            std::thread::scope(|scope| {
                let other = scope.spawn(|| lock.blocking(false).acquire().is_ok());
                assert!(other.join().unwrap(), "{at}, external: {external}");
            });
        }
    }
    assert!(is_free_for_a_stranger(&directory.path().join("defect-log")));
}

/// A wait with warnings continues whatever the subscriber does, even if the first warning is due at
/// once.
#[test]
fn a_panic_at_a_warning_does_not_end_the_wait() {
    for external in [false, true] {
        let directory = lock_path();
        within_the_deadline("waits", move || {
            let lock = || {
                lockutils::lock("defect-warning")
                    .external(external)
                    .lock_path(directory.path())
            };
            let held = lock().acquire().unwrap();
            let (heard, messages) = channel();
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let at = "still waiting for a lock";
                    tracing::subscriber::with_default(Panics { at, heard }, || {
                        lock().warn_after(Duration::ZERO).acquire().map(drop)
                    })
                });
                while receive("a warning", &messages) != "still waiting for a lock" {}
                drop(held);
                waiter.join().unwrap().unwrap();
            });
            assert!(lock().blocking(false).acquire().is_ok());
        });
    }
}

/// A subscriber that must be asked about each event, and needs the lock `defect-asked` to answer.
struct NeedsTheLock;

static ASKED: AtomicBool = AtomicBool::new(false);

impl tracing::Subscriber for NeedsTheLock {
    fn register_callsite(
        &self,
        _: &'static tracing::Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        if *about.level() == tracing::Level::WARN {
            ASKED.store(true, Ordering::SeqCst);
            lockutils::lock("defect-asked")
                .log(false)
                .run(|| ())
                .unwrap();
        }
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// The waiter itself must not ask: it would queue behind itself, and all other waiters behind it.
#[test]
fn a_subscriber_that_needs_the_lock_to_answer_does_not_end_the_wait() {
    within_the_deadline("waits for a lock that the subscriber needs", || {
        let lock = || lockutils::lock("defect-asked").log(false);
        let held = lock().acquire().unwrap();
        let (waiter, acquired) = crate::in_a_thread(move || {
            tracing::subscriber::with_default(NeedsTheLock, || {
                lock().warn_after(Duration::from_millis(1)).run(|| ())
            })
        });
        lockutils_tests::until::until("the subscriber is asked", || {
            ASKED.load(Ordering::SeqCst).then_some(())
        });
        lockutils_tests::until::until_thread_sleeps(waiter);
        drop(held);
        receive("the waiter gets the lock", &acquired).unwrap();
    });
}
