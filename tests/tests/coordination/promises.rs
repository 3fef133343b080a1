//! What the conformance suite cannot say of every coordinator: errors, prefixes, and the one grant
//! behind an answer that was lost.

use std::time::Duration;

use lockutils_harness::testing::coordination::Service as _;
use lockutils_harness::testing::coordination::proxy::Proxy;
use lockutils_tests::until::{deadline, until};
use nix::sys::signal::Signal;
use oslo_coordination::{Coordinator, Error};

use crate::engines::{each, file, redis, servers, zookeeper};
use crate::rust;

#[test]
fn a_held_lock_is_refused_with_the_reason() {
    each(|service| {
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        assert!(matches!(
            coordinator.lock("x").acquire(),
            Err(Error::WouldDeadlock { .. })
        ));
        assert!(matches!(
            coordinator.lock("x").try_acquire(),
            Err(Error::NotAcquired { .. })
        ));
        let elsewhere = || coordinator.lock("x").try_acquire().map(drop);
        let busy = std::thread::scope(|scope| scope.spawn(elsewhere).join().unwrap());
        assert!(matches!(busy, Err(Error::NotAcquired { .. })));
        let limited = || {
            let lock = coordinator.lock("x").timeout(Duration::from_millis(20));
            lock.acquire().map(drop)
        };
        let late = std::thread::scope(|scope| scope.spawn(limited).join().unwrap());
        assert!(matches!(late, Err(Error::Timeout { .. })));
        guard.release().unwrap();
    });
}

#[test]
fn a_lost_lock_is_reported_as_lost() {
    for service in servers("2") {
        println!("{}", service.url);
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        let server = service.server.as_ref().unwrap();
        server.signal(Signal::SIGSTOP);
        until("it is lost", || guard.lost().then_some(()));
        assert!(matches!(guard.check(), Err(Error::Lost { .. })));
        server.signal(Signal::SIGCONT);
        assert!(matches!(guard.release(), Err(Error::Lost { .. })));
    }
}

#[test]
fn a_server_that_is_down_is_reported_as_unavailable() {
    for service in servers("10") {
        println!("{}", service.url);
        let coordinator = Coordinator::connect(&service.url).unwrap();
        drop(coordinator.lock("x").acquire().unwrap());
        assert!(coordinator.flush(Duration::from_secs(10)));
        service.server.as_ref().unwrap().kill();
        let limit = Duration::from_millis(400);
        let outcome = coordinator.lock("x").timeout(limit).acquire();
        assert!(
            matches!(outcome, Err(Error::Unavailable { .. })),
            "{outcome:?}"
        );
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

/// The answer is lost: the lock is looked up, and the one grant counts.
#[test]
fn an_answer_that_is_lost_is_looked_up() {
    let service = redis("40");
    let proxy = Proxy::start(service.port());
    let address = ([127, 0, 0, 1], proxy.port()).into();
    let coordinator = Coordinator::connect(&service.url_at(address).unwrap()).unwrap();
    // From now on an acquire is one request: the server has the script.
    let warm = coordinator.lock("warm").acquire().unwrap();
    warm.release().unwrap();
    proxy.answers().close();
    std::thread::scope(|scope| {
        let acquiring = scope.spawn(|| {
            let lock = coordinator.lock("x").timeout(deadline());
            let guard = lock.acquire().unwrap();
            let token = guard.token();
            guard.release().unwrap();
            token
        });
        until("the server has granted it", || {
            (service.is_held("x") == Some(true)).then_some(())
        });
        let first = service.command(&["get", "_tooz_x_lock"]);
        proxy.cut();
        proxy.answers().open();
        let first = first.rsplit(':').next().unwrap().parse::<u64>().unwrap();
        let token = acquiring.join().unwrap();
        assert_eq!(token, Some(first), "the grant that was lost on the way");
    });
}

#[test]
fn a_forked_child_has_nothing_of_its_parents_locks() {
    each(|service| {
        let mut worker = rust(&service.url);
        assert_eq!(worker.ask("acquire x"), "acquired");
        let ended = worker.ask("fork-and-use x");
        assert!(
            ended.starts_with("Exited(") && ended.ends_with(", 0)"),
            "{ended}"
        );
        // The child has neither released the parent's lock nor its connection.
        assert_eq!(worker.ask("check x"), "held");
        let mut other = rust(&service.url);
        assert_eq!(other.ask("try x"), "busy");
        assert_eq!(worker.ask("release x"), "released");
        assert_eq!(other.ask("try x"), "acquired");
    });
}

#[test]
fn a_guard_may_be_sent_to_another_thread_in_a_task() {
    each(|service| {
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let guard = runtime
            .block_on(coordinator.lock("x").acquire_async())
            .unwrap();
        std::thread::spawn(move || drop(guard)).join().unwrap();
        assert!(coordinator.flush(Duration::from_secs(10)));
        coordinator
            .lock("x")
            .try_acquire()
            .unwrap()
            .release()
            .unwrap();
    });
}

#[test]
fn a_prefix_separates_applications() {
    each(|service| {
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let options = coordinator.lock("x");
        let cinder = options.prefix("cinder").acquire().unwrap();
        assert_eq!(cinder.name(), b"cinder-x");
        drop(options.acquire().unwrap());
        assert!(matches!(
            coordinator.lock("cinder-x").acquire(),
            Err(Error::WouldDeadlock { .. })
        ));
    });
}

/// A file or a path of ZooKeeper has not every name; other servers have, as the suite shows.
#[test]
fn names_that_an_engine_cannot_have_are_refused() {
    for (service, allowed) in [
        (file(), [true, true, false, false]),
        (zookeeper("10"), [false, true, false, false]),
    ] {
        println!("{}", service.url);
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let any: [&[u8]; 4] = [b"a b\n\"':{}", "ü".as_bytes(), b"\0\xff\xfe", b"../../x"];
        for (name, is_allowed) in any.into_iter().zip(allowed) {
            let acquired = coordinator.lock(name).acquire();
            if is_allowed {
                acquired.unwrap().release().unwrap();
            } else {
                assert!(
                    matches!(acquired, Err(Error::InvalidName { .. })),
                    "{acquired:?}"
                );
            }
        }
    }
}

/// A panic in a section that [`run`](oslo_coordination::LockOptions::run) runs.
#[test]
fn a_panic_releases_the_lock() {
    each(|service| {
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let section = || {
            let section = || panic!("a bug in the section");
            let _: Result<(), Error> = coordinator.lock("x").run(section);
        };
        let panicked = std::thread::scope(|scope| scope.spawn(section).join());
        assert!(panicked.is_err());
        let lock = coordinator.lock("x");
        drop(lock.timeout(Duration::from_secs(5)).acquire().unwrap());
    });
}
