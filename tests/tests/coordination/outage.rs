//! Servers that are down, and come back.

use std::time::{Duration, Instant};

use lockutils_tests::proxy::Proxy;
use nix::sys::signal::Signal;
use oslo_coordination::{Coordinator, Error};

use crate::engines::{redis, servers};

#[test]
fn connecting_fails_at_once_with_the_address_and_the_reason() {
    let began = Instant::now();
    let error = Coordinator::connect("redis://127.0.0.1:1").unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    let message = error.to_string();
    assert!(
        message.contains("127.0.0.1:1") && message.contains("refused"),
        "{message}"
    );
}

#[test]
fn connecting_waits_if_it_is_asked_to() {
    for mut service in servers("10") {
        println!("{}", service.url);
        let url = service.url.clone();
        service.server.as_mut().unwrap().kill();
        let connecting = std::thread::spawn(move || {
            Coordinator::connect_within(&url, Duration::from_secs(30)).map(drop)
        });
        std::thread::sleep(Duration::from_millis(300));
        assert!(!connecting.is_finished());
        service.server.as_mut().unwrap().start_again();
        connecting.join().unwrap().unwrap();
    }
}

#[test]
fn an_acquire_during_an_outage_respects_its_timeout() {
    for mut service in servers("10") {
        println!("{}", service.url);
        let coordinator = Coordinator::connect(&service.url).unwrap();
        drop(coordinator.lock("x").acquire().unwrap());
        assert!(coordinator.flush(Duration::from_secs(10)));
        service.server.as_mut().unwrap().kill();
        let began = Instant::now();
        let limit = Duration::from_millis(400);
        let outcome = coordinator.lock("x").timeout(limit).acquire();
        let waited = began.elapsed();
        assert!(
            matches!(outcome, Err(Error::Unavailable { .. })),
            "{outcome:?}"
        );
        assert!(waited >= limit && waited < limit * 3, "{waited:?}");
        // Or busy: the request that was given up may have been carried out, and is undone first.
        let outcome = coordinator.lock("x").try_acquire();
        assert!(
            matches!(
                outcome,
                Err(Error::Unavailable { .. } | Error::NotAcquired { .. })
            ),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_coordinator_comes_back_by_itself_and_tokens_go_on() {
    for mut service in servers("10") {
        println!("{}", service.url);
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        let token = guard.token();
        let server = service.server.as_mut().unwrap();
        server.kill();
        std::thread::sleep(Duration::from_millis(200));
        server.start_again();
        std::thread::sleep(Duration::from_secs(5));
        if service.sessions {
            assert!(matches!(guard.release(), Err(Error::Lost { .. })));
        } else {
            // The server has its data from the disk: the lock is held on.
            guard.check().unwrap();
            guard.release().unwrap();
        }
        assert!(coordinator.lock("x").acquire().unwrap().token() > token);
    }
}

#[test]
fn tokens_grow_even_if_the_server_has_lost_its_data() {
    let service = redis("10");
    let coordinator = Coordinator::connect(&service.url).unwrap();
    let token = coordinator.lock("x").acquire().unwrap().token();
    assert!(coordinator.flush(Duration::from_secs(10)));
    service.command(&["flushall"]);
    assert!(coordinator.lock("x").acquire().unwrap().token() > token);
}

#[test]
fn a_server_that_hangs_is_given_up_and_asked_again() {
    for service in servers("2") {
        println!("{}", service.url);
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let server = service.server.as_ref().unwrap();
        server.signal(Signal::SIGSTOP);
        let limit = Duration::from_millis(1_200);
        let began = Instant::now();
        let outcome = coordinator.lock("x").timeout(limit).acquire();
        // The request limit is shorter: the first one was unanswered.
        assert!(
            matches!(outcome, Err(Error::Unavailable { .. })),
            "{outcome:?}"
        );
        assert!(began.elapsed() >= limit);
        server.signal(Signal::SIGCONT);
        let lock = coordinator.lock("x");
        drop(lock.timeout(Duration::from_secs(10)).acquire().unwrap());
    }
}

/// The first server of the URL is dead, or dies.
#[test]
fn another_server_of_the_url_is_used() {
    let service = crate::engines::etcd("8");
    let [dead, dying] = [Proxy::start(1), Proxy::start(service.port())];
    let url = format!(
        "etcd3+http://127.0.0.1:{},127.0.0.1:{},127.0.0.1:{}?lock_timeout=8",
        dead.port(),
        dying.port(),
        service.port()
    );
    let coordinator = Coordinator::connect(&url).unwrap();
    let guard = coordinator.lock("x").acquire().unwrap();
    dying.requests().close();
    std::thread::sleep(Duration::from_secs(9));
    guard.check().expect("renewed through the next server");
    drop(dying);
    guard.release().unwrap();
    drop(coordinator.lock("x").acquire().unwrap());
}
