//! What is peculiar to ZooKeeper: queues of nodes, sessions that outlive connections, tooz's tree.

use std::sync::mpsc::channel;
use std::time::Duration;

use lockutils_harness::testing::coordination::proxy::Proxy;
use lockutils_tests::tooz;
use lockutils_tests::until::until;
use oslo_coordination::{Coordinator, Error};

use crate::engines::zookeeper;
use crate::{acquires_although_its_connection_falls_silent, get_it_in_order, rust};

/// So long that no lock is freed by its session's end in a test.
const LEASE: &str = "40";

#[test]
fn waiters_of_both_languages_get_the_lock_in_the_order_in_which_they_came() {
    let service = zookeeper(LEASE);
    let coordinator = Coordinator::connect(&service.url).unwrap();
    let guard = coordinator.lock("x").acquire().unwrap();
    let mut others = [
        rust(&service.url),
        tooz::worker(&service.url),
        rust(&service.url),
    ];
    for (number, other) in others.iter_mut().enumerate() {
        other.send("acquire x");
        let count = (number + 2).to_string();
        until("it waits", || {
            (service.command(&["count", "x"]) == count).then_some(())
        });
    }
    drop(guard);
    get_it_in_order(&mut others);
}

#[test]
fn tooz_sees_whether_it_holds_the_lock() {
    let service = zookeeper(LEASE);
    let mut python = tooz::worker(&service.url);
    assert_eq!(python.ask("acquire x"), "acquired");
    assert_eq!(python.ask("check x"), "held");
    let mut rust = rust(&service.url);
    assert_eq!(rust.ask("try x"), "busy");
    assert_eq!(python.ask("check x"), "held");
    assert_eq!(python.ask("release x"), "released");
    assert_eq!(rust.ask("try x"), "acquired");
}

#[test]
fn an_attempt_that_ends_leaves_no_node() {
    let service = zookeeper(LEASE);
    let holder = Coordinator::connect(&service.url).unwrap();
    let waiter = Coordinator::connect(&service.url).unwrap();
    let guard = holder.lock("x").acquire().unwrap();
    for wait in [1, 5, 20, 50] {
        let limit = Duration::from_millis(wait);
        let outcome = waiter.lock("x").timeout(limit).acquire();
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    }
    for _ in 0..3 {
        let outcome = waiter.lock("x").try_acquire();
        assert!(
            matches!(outcome, Err(Error::NotAcquired { .. })),
            "{outcome:?}"
        );
    }
    assert!(waiter.flush(Duration::from_secs(10)));
    assert_eq!(service.command(&["count", "x"]), "1");
    guard.release().unwrap();
    drop(waiter.lock("x").try_acquire().unwrap());
}

/// The session goes on with the next connection, as long as the server keeps it.
#[test]
fn waiters_and_holders_outlive_their_connections() {
    let service = zookeeper("8");
    let proxy = Proxy::start(service.port());
    let holder = Coordinator::connect(&service.url_through(&proxy)).unwrap();
    let waiter = Coordinator::connect(&service.url_through(&proxy)).unwrap();
    let guard = holder.lock("x").acquire().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waiter.lock("x").acquire().map(|guard| guard.token()));
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(200));
            proxy.cut();
        }
        let token = guard.token();
        guard.release().unwrap();
        assert!(waiting.join().unwrap().unwrap() > token);
    });
}

/// The connection is silent; another one continues the session, and the creation is looked up.
#[test]
fn a_connection_that_does_not_answer_is_left() {
    let service = zookeeper("8");
    let proxy = Proxy::start(service.port());
    let coordinator = Coordinator::connect(&service.url_through(&proxy)).unwrap();
    // From now on an acquire is one request.
    coordinator.lock("x").acquire().unwrap().release().unwrap();
    acquires_although_its_connection_falls_silent(&service, &proxy, &coordinator);
}

/// An administrator, or another client with its number and password, ends the session.
#[test]
fn a_session_that_has_expired_loses_its_locks_when_its_client_comes_back() {
    let service = zookeeper("2");
    let proxy = Proxy::start(service.port());
    let coordinator = Coordinator::connect(&service.url_through(&proxy)).unwrap();
    let guard = coordinator.lock("x").acquire().unwrap();
    let token = guard.token();
    let (send, told) = channel();
    guard.on_lost(move || send.send(()).unwrap());
    proxy.requests().close();
    told.recv_timeout(Duration::from_secs(3))
        .expect("the callback");
    let direct = Coordinator::connect(&service.url).unwrap();
    let lock = direct.lock("x");
    let next = lock.timeout(Duration::from_secs(10)).acquire().unwrap();
    assert!(next.token() > token);
    proxy.cut();
    proxy.requests().open();
    // The release of the lost lock frees nothing of the next holder's.
    assert!(matches!(guard.release(), Err(Error::Lost { .. })));
    next.check().unwrap();
    assert!(matches!(
        coordinator.lock("x").try_acquire(),
        Err(Error::NotAcquired { .. })
    ));
    next.release().unwrap();
    let lock = coordinator.lock("x");
    drop(lock.timeout(Duration::from_secs(10)).acquire().unwrap());
}

#[test]
fn names_are_nested_and_namespaces_apart() {
    let service = zookeeper(LEASE);
    let coordinator = Coordinator::connect(&service.url).unwrap();
    let other = Coordinator::connect(&format!("{}&namespace=mine/own", service.url)).unwrap();
    let _outer = coordinator.lock("a").acquire().unwrap();
    let _inner = coordinator.lock("a/b").acquire().unwrap();
    let _same = other.lock("a/b").acquire().unwrap();
    let mut rust = rust(&service.url);
    assert_eq!(rust.ask("try a/b"), "busy");
}
