//! Servers that are down, and come back.

use std::time::{Duration, Instant};

use lockutils_harness::testing::coordination::proxy::Proxy;
use oslo_coordination::Coordinator;

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
    for service in servers("10") {
        println!("{}", service.url);
        let url = service.url.clone();
        service.server.as_ref().unwrap().kill();
        let connecting = std::thread::spawn(move || {
            Coordinator::connect_within(&url, Duration::from_secs(30)).map(drop)
        });
        std::thread::sleep(Duration::from_millis(300));
        assert!(!connecting.is_finished());
        service.server.as_ref().unwrap().start_again();
        connecting.join().unwrap().unwrap();
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
