//! Promises of every engine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lockutils_tests::sections::Sections;
use oslo_coordination::{Coordinator, Error};

use crate::engines::each;
use crate::rust;

#[test]
fn threads_tasks_and_processes_exclude_each_other() {
    each(|service| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sections");
        drop(Sections::open(&file).unwrap());
        let mut processes: Vec<_> = (0..2).map(|_| rust(&service.url)).collect();
        for (number, process) in processes.iter_mut().enumerate() {
            process.send(&format!("sections x {} 100 {}", file.display(), number + 1));
        }
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        std::thread::scope(|scope| {
            for me in [10, 11] {
                let (coordinator, file) = (&coordinator, &file);
                scope.spawn(move || {
                    let sections = Sections::open(file).unwrap();
                    for _ in 0..100 {
                        coordinator.lock("x").run(|| sections.enter(me)).unwrap();
                    }
                });
            }
            let sections = Sections::open(&file).unwrap();
            runtime.block_on(async {
                for _ in 0..100 {
                    let run = coordinator
                        .lock("x")
                        .run_async(|| async { sections.enter(12) });
                    run.await.unwrap();
                }
            });
        });
        for process in &processes {
            assert_eq!(process.answer(), "done");
        }
        assert_eq!(Sections::open(&file).unwrap().count(), 500);
    });
}

#[test]
fn tokens_grow_with_every_holder() {
    each(|service| {
        let first = Coordinator::connect(&service.url).unwrap();
        let second = Coordinator::connect(&service.url).unwrap();
        let mut last = 0;
        for coordinator in [&first, &second, &first, &first, &second] {
            let guard = coordinator.lock("x").acquire().unwrap();
            let token = guard.token().expect("a token");
            assert!(token > last, "{token} after {last}");
            last = token;
            guard.release().unwrap();
        }
    });
}

#[test]
fn a_timeout_is_never_early_and_at_most_50_ms_late() {
    each(|service| {
        let holder = Coordinator::connect(&service.url).unwrap();
        let waiter = Coordinator::connect(&service.url).unwrap();
        let _held = holder.lock("x").acquire().unwrap();
        let limit = Duration::from_millis(150);
        let lateness = (0..5).map(|_| {
            let began = Instant::now();
            let outcome = waiter.lock("x").timeout(limit).acquire();
            let waited = began.elapsed();
            assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
            assert!(waited >= limit, "{waited:?}");
            waited - limit
        });
        // The machine may be busy with other tests: one of five is on time.
        let least = lateness.min().unwrap();
        assert!(least <= Duration::from_millis(50), "{least:?} late");
        // The wait is over for good.
        assert!(matches!(
            waiter.lock("x").try_acquire(),
            Err(Error::NotAcquired { .. })
        ));
    });
}

#[test]
fn a_lock_without_waiting_is_busy_in_this_process_and_in_others() {
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
        let mut other = rust(&service.url);
        assert_eq!(other.ask("try x"), "busy");
        assert_eq!(other.ask("try y"), "acquired");
        guard.release().unwrap();
        assert_eq!(other.ask("try x"), "acquired");
    });
}

#[test]
fn a_waiter_gets_the_lock_when_it_is_released() {
    each(|service| {
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        let mut other = rust(&service.url);
        other.send("acquire x");
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(other.answer_so_far(), None);
        drop(guard);
        assert_eq!(other.answer(), "acquired");
        assert_eq!(other.ask("release x"), "released");
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

/// The names that a file or a path can have; with other servers, any bytes.
#[test]
fn names_of_any_bytes() {
    each(|service| {
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let any: [&[u8]; 4] = [b"a b\n\"':{}", "ü".as_bytes(), b"\0\xff\xfe", b"../../x"];
        let allowed = match (service.leases, service.is_zookeeper()) {
            (false, _) => [true, true, false, false],
            (true, true) => [false, true, false, false],
            (true, false) => [true; 4],
        };
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
    });
}

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

#[test]
fn a_thousand_locks_at_once() {
    each(|service| {
        let coordinator = Coordinator::connect(&service.url).unwrap();
        let names: Vec<String> = (0..1_000)
            .map(|number| format!("volume-{number}"))
            .collect();
        let acquire = |name| coordinator.lock(name).acquire().unwrap();
        let guards: Vec<_> = names.iter().map(acquire).collect();
        if service.leases {
            // Longer than a lease: each was renewed.
            std::thread::sleep(Duration::from_secs(12));
        }
        let lost = guards.iter().filter(|guard| guard.lost()).count();
        assert_eq!(lost, 0);
        drop(guards);
        assert!(coordinator.flush(Duration::from_secs(10)));
        let other = Coordinator::connect(&service.url).unwrap();
        for name in &names {
            drop(other.lock(name).try_acquire().unwrap());
        }
    });
}

/// An acquire works on an executor that is blocked meanwhile, and so does renewal.
#[test]
fn a_blocked_executor_loses_no_lock() {
    let service = crate::engines::redis("2");
    let coordinator = Coordinator::connect(&service.url).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let guard = coordinator.lock("x").acquire_async().await.unwrap();
        let lost = AtomicBool::new(false);
        std::thread::sleep(Duration::from_secs(5));
        lost.store(guard.lost(), Ordering::SeqCst);
        assert!(!lost.into_inner());
        guard.release().await.unwrap();
    });
}
