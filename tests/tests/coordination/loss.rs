//! Holders that lose their lock, and know it.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use lockutils_tests::proxy::Proxy;
use lockutils_tests::until::until;
use nix::sys::signal::Signal;
use oslo_coordination::{Coordinator, Error};

use crate::engines::servers;
use crate::rust;

const LEASE: Duration = Duration::from_secs(2);
/// Time that a loaded machine may take to run a thread that is due.
const LATENESS: Duration = Duration::from_millis(500);

#[test]
fn a_holder_knows_within_the_lease_that_the_server_is_silent() {
    for service in servers("2") {
        println!("{}", service.url);
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        let (send, told) = channel();
        guard.on_lost(move || send.send(Instant::now()).unwrap());
        let server = service.server.as_ref().unwrap();
        let paused = Instant::now();
        server.signal(Signal::SIGSTOP);
        let told = told
            .recv_timeout(Duration::from_secs(10))
            .expect("the callback");
        assert!(told - paused <= LEASE + LATENESS, "{:?}", told - paused);
        assert!(matches!(guard.check(), Err(Error::Lost { .. })));
        server.signal(Signal::SIGCONT);
        assert!(matches!(guard.release(), Err(Error::Lost { .. })));
        drop(coordinator.lock("x").acquire().unwrap());
    }
}

#[test]
fn a_task_awaits_the_loss() {
    for service in servers("2") {
        println!("{}", service.url);
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let guard = coordinator.lock("x").acquire_async().await.unwrap();
            service.delete();
            // The next renewal tells.
            let deleted = Instant::now();
            guard.until_lost().await;
            assert!(deleted.elapsed() <= LEASE);
            assert!(guard.lost());
            // Lost for good: it comes at once.
            guard.until_lost().await;
        });
    }
}

#[test]
fn the_release_of_a_lost_lock_frees_nothing_of_its_successor() {
    for service in servers("2") {
        println!("{}", service.url);
        let (mut stale, mut next) = (rust(&service.url), rust(&service.url));
        assert_eq!(stale.ask("acquire x"), "acquired");
        stale.signal(Signal::SIGSTOP);
        assert_eq!(next.ask("acquire x"), "acquired");
        stale.signal(Signal::SIGCONT);
        assert_eq!(stale.ask("check x"), "lost");
        assert_eq!(stale.ask("release x"), "lost");
        assert_eq!(next.ask("check x"), "held");
        assert_eq!(rust(&service.url).ask("try x"), "busy");
        assert_eq!(next.ask("release x"), "released");
    }
}

#[test]
fn a_connection_that_is_reset_loses_no_lock() {
    for service in servers("2").into_iter().filter(|service| !service.sessions) {
        println!("{}", service.url);
        let proxy = Proxy::start(service.port());
        let url = service.url_through(&proxy);
        let coordinator = Coordinator::connect(&url).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        for _ in 0..8 {
            proxy.cut();
            std::thread::sleep(LEASE / 4);
            guard.check().unwrap();
        }
        guard.release().unwrap();
    }
}

#[test]
fn an_unanswered_renewal_is_not_the_end_and_the_lease_is() {
    for service in servers("2") {
        println!("{}", service.url);
        let proxy = Proxy::start(service.port());
        let url = service.url_through(&proxy);
        let coordinator = Coordinator::connect(&url).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        proxy.answers().close();
        until("a renewal is unanswered", || {
            (proxy.answers().held_back() > 0).then_some(())
        });
        assert!(!guard.lost());
        if !service.sessions {
            proxy.cut();
        }
        proxy.answers().open();
        std::thread::sleep(LEASE);
        guard.check().expect("the next renewal was answered");
        proxy.requests().close();
        let silent = Instant::now();
        until("it is lost", || guard.lost().then_some(()));
        // The server has had no renewal since; it gives the lock away only after this.
        assert!(
            silent.elapsed() <= LEASE + LATENESS,
            "{:?}",
            silent.elapsed()
        );
        let direct = Coordinator::connect(&service.url).unwrap();
        drop(direct.lock("x").timeout(2 * LEASE).acquire().unwrap());
    }
}
