//! Locks of `oslo-coordination` against real servers on loopback.

mod conformance;
mod engines;
mod outage;
mod postgres;
mod promises;
mod redis;
mod security;
mod with_tooz;
mod zookeeper;

use std::process::Command;
use std::time::{Duration, Instant};

use lockutils_harness::testing::coordination::Service as _;
use lockutils_harness::testing::coordination::proxy::Proxy;
use lockutils_tests::conversation::Conversation;
use lockutils_tests::until::until;
use oslo_coordination::Coordinator;

use engines::Service;

/// A Rust process that acquires locks on command.
fn rust(url: &str) -> Conversation {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coordination-worker"));
    command.arg(url);
    Conversation::start(command)
}

/// Waiters for lock `x` get it one after the other.
fn get_it_in_order(waiters: &mut [Conversation]) {
    for number in 0..waiters.len() {
        assert_eq!(waiters[number].answer(), "acquired");
        for later in &mut waiters[number + 1..] {
            assert_eq!(later.answer_so_far(), None);
        }
        assert_eq!(waiters[number].ask("release x"), "released");
    }
}

/// The connection of a coordinator falls silent when the server has granted a lock. It gets the lock
/// over another one, long before the server ends the session by itself.
fn acquires_although_its_connection_falls_silent(
    service: &Service,
    proxy: &Proxy,
    coordinator: &Coordinator,
) {
    proxy.answers().close();
    std::thread::scope(|scope| {
        let acquiring = scope.spawn(|| {
            let began = Instant::now();
            let guard = coordinator.lock("x").acquire().unwrap();
            (began.elapsed(), guard.release())
        });
        until("the server has granted it", || {
            (service.is_held("x") == Some(true)).then_some(())
        });
        proxy.freeze();
        proxy.answers().open();
        let (waited, released) = acquiring.join().unwrap();
        released.unwrap();
        assert!(waited < Duration::from_secs(6), "{waited:?}");
    });
    assert_eq!(service.is_held("x"), Some(false));
}
