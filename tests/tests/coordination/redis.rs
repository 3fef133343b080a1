//! What is peculiar to Redis: releases are events, and waits poll where there are none.

use std::process::Command;
use std::time::Duration;

use lockutils_harness::testing::coordination::proxy::Proxy;
use lockutils_tests::conversation::Conversation;
use lockutils_tests::tooz;
use lockutils_tests::until::until;
use oslo_coordination::{Coordinator, Error};

use crate::engines::{Service, redis};
use crate::rust;

/// So long that no lock is freed, and none is renewed, in a test.
const LEASE: &str = "600";
const CHANNEL: &str = "_tooz_x_lock:released";

/// A process whose waits are woken by events and by nothing else.
pub fn rust_with_events_only(url: &str) -> Conversation {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coordination-worker"));
    command.args([url, "events-only"]);
    Conversation::start(command)
}

fn subscribers(service: &Service) -> usize {
    let answer = service.command(&["pubsub", "numsub", CHANNEL]);
    let count = answer.lines().last().and_then(|count| count.parse().ok());
    count.unwrap_or_else(|| panic!("{answer}"))
}

fn until_subscribed(service: &Service, count: usize) {
    until("they listen", || {
        (subscribers(service) == count).then_some(())
    });
}

#[test]
fn a_release_wakes_the_waiters_of_all_processes() {
    let service = redis(LEASE);
    let mut workers = [(); 3].map(|()| rust_with_events_only(&service.url));
    let coordinator = Coordinator::connect(&service.url).unwrap();
    let guard = coordinator.lock("x").acquire().unwrap();
    for worker in &mut workers {
        worker.send("acquire x");
    }
    until_subscribed(&service, 3);
    guard.release().unwrap();
    let mut waiting: Vec<Conversation> = workers.into();
    while !waiting.is_empty() {
        let (number, answer) = until("one gets it", || {
            let mut all = waiting.iter().enumerate();
            all.find_map(|(number, one)| Some((number, one.answer_so_far()?)))
        });
        assert_eq!(answer, "acquired");
        let mut holder = waiting.remove(number);
        assert!(waiting.iter().all(|one| one.answer_so_far().is_none()));
        assert_eq!(holder.ask("release x"), "released");
    }
}

/// At first the waiter has not subscribed yet, and later it has, from the wait before. Then the event
/// and the refusal arrive in any order.
#[test]
fn a_release_before_the_refusal_has_arrived_is_not_missed() {
    let service = redis(LEASE);
    let proxy = Proxy::start(service.port());
    let holder = Coordinator::connect(&service.url).unwrap();
    let mut waiter = rust_with_events_only(&service.url_through(&proxy));
    assert_eq!(subscribers(&service), 0);
    for _ in 0..30 {
        let guard = holder.lock("x").acquire().unwrap();
        proxy.answers().close();
        waiter.send("acquire x");
        until("the server has refused it", || {
            (proxy.answers().held_back() > 0).then_some(())
        });
        guard.release().unwrap();
        proxy.answers().open();
        assert_eq!(waiter.answer(), "acquired");
        assert_eq!(waiter.ask("release x"), "released");
    }
}

#[test]
fn a_holder_has_one_connection_and_a_waiter_that_left_none_to_listen() {
    let service = redis(LEASE);
    let listeners = || service.command(&["client", "list", "type", "pubsub"]);
    let holder = Coordinator::connect(&service.url).unwrap();
    let names = (0..1000).map(|number| format!("held-{number}"));
    let _held = holder.locks(names).acquire().unwrap();
    let guard = holder.lock("x").acquire().unwrap();
    assert!(holder.lock("x").try_acquire().is_err());
    // And that of the client that asks.
    let clients = service.command(&["info", "clients"]);
    assert!(clients.contains("connected_clients:2\r"), "{clients}");

    let waiter = Coordinator::connect(&service.url).unwrap();
    let limit = Duration::from_secs(6);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waiter.lock("x").timeout(limit).acquire().map(drop));
        until_subscribed(&service, 1);
        let outcome = waiting.join().unwrap();
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    });
    until_subscribed(&service, 0);
    until("nobody listens", || listeners().is_empty().then_some(()));
    // It listens again.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waiter.lock("x").acquire().map(drop));
        until_subscribed(&service, 1);
        guard.release().unwrap();
        waiting.join().unwrap().unwrap();
    });
}

/// A user who may neither publish nor subscribe, until it may.
#[test]
fn a_user_without_the_channel_polls() {
    let service = redis(LEASE);
    service.command(&[
        "acl",
        "setuser",
        "u",
        "on",
        ">p",
        "~*",
        "+@all",
        "resetchannels",
    ]);
    let url = service.url.replace("://", "://u:p@");
    let [mut holder, mut waiter] = [(); 2].map(|()| rust(&url));
    for _ in 0..2 {
        assert_eq!(holder.ask("acquire x"), "acquired");
        waiter.send("acquire x");
        until("its subscription is refused", || {
            let refusals = service.command(&["acl", "log"]);
            refusals.contains(CHANNEL).then_some(())
        });
        assert_eq!(holder.ask("release x"), "released");
        assert_eq!(waiter.answer(), "acquired");
        assert_eq!(waiter.ask("release x"), "released");
    }
    assert_eq!(subscribers(&service), 0);

    assert_eq!(holder.ask("acquire x"), "acquired");
    waiter.send("acquire x");
    service.command(&["acl", "setuser", "u", "&_tooz_*"]);
    until_subscribed(&service, 1);
    assert_eq!(holder.ask("release x"), "released");
    assert_eq!(waiter.answer(), "acquired");
}

#[test]
fn waiters_outlive_the_connection_on_which_they_listen() {
    let service = redis(LEASE);
    let holder = Coordinator::connect(&service.url).unwrap();
    let guard = holder.lock("x").acquire().unwrap();
    let mut polls = rust(&service.url);
    polls.send("acquire x");
    until_subscribed(&service, 1);
    assert_eq!(service.command(&["client", "kill", "type", "pubsub"]), "1");
    guard.release().unwrap();
    assert_eq!(polls.answer(), "acquired");

    let mut listens = rust_with_events_only(&service.url);
    listens.send("acquire x");
    until_subscribed(&service, 1);
    assert_eq!(service.command(&["client", "kill", "type", "pubsub"]), "1");
    until_subscribed(&service, 1);
    assert_eq!(polls.ask("release x"), "released");
    assert_eq!(listens.answer(), "acquired");
}

/// tooz publishes nothing.
#[test]
fn a_release_by_tooz_is_noticed_while_listening() {
    let service = redis(LEASE);
    let mut python = tooz::worker(&service.url);
    let mut rust = rust(&service.url);
    assert_eq!(python.ask("acquire x"), "acquired");
    rust.send("acquire x");
    until_subscribed(&service, 1);
    assert_eq!(python.ask("release x"), "released");
    assert_eq!(rust.answer(), "acquired");
}
