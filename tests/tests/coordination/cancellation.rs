//! Acquires that are dropped or time out at every step, and answers that are lost.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use lockutils_tests::proxy::Proxy;
use lockutils_tests::until::until;
use oslo_coordination::{Coordinator, Error};

use crate::engines::{Service, each, redis, servers};

/// So long that no lock is freed by its lease in a test.
const LEASE: &str = "40";

struct Line {
    service: Service,
    proxy: Proxy,
    coordinator: Coordinator,
}

/// A coordinator behind a proxy, for each kind of server.
fn lines() -> impl Iterator<Item = Line> {
    servers(LEASE).into_iter().map(line)
}

fn line(service: Service) -> Line {
    println!("{}", service.url);
    let proxy = Proxy::start(service.port());
    let coordinator = Coordinator::connect(&service.url_through(&proxy)).unwrap();
    // From now on an acquire is one request.
    drop(coordinator.lock("x").acquire().unwrap());
    assert!(coordinator.flush(Duration::from_secs(10)));
    Line {
        service,
        proxy,
        coordinator,
    }
}

impl Line {
    fn is_held(&self) -> bool {
        self.service.is_held()
    }

    /// The lock is free, long before the end of the lease, and nothing takes it later.
    #[track_caller]
    fn is_freed(&self) {
        assert!(
            self.coordinator.flush(Duration::from_secs(20)),
            "it is busy"
        );
        assert!(!self.is_held(), "the key is left");
        let lock = self.coordinator.lock("x");
        let guard = lock.timeout(Duration::from_secs(5)).acquire().unwrap();
        guard.release().unwrap();
        assert!(!self.is_held(), "it came back");
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn dropped_after_any_number_of_polls() {
    each(|service| {
        let coordinator = Coordinator::connect(&service.url).unwrap();
        for polls in 0..40 {
            {
                let mut acquiring = pin!(coordinator.lock("x").acquire_async());
                for _ in 0..polls {
                    if poll(acquiring.as_mut()).is_ready() {
                        break;
                    }
                    std::thread::sleep(Duration::from_micros(20));
                }
            }
            let lock = coordinator.lock("x");
            drop(lock.timeout(Duration::from_secs(5)).acquire().unwrap());
        }
    });
}

#[test]
fn dropped_before_the_request_arrives() {
    for line in lines() {
        line.proxy.requests().close();
        {
            let mut acquiring = pin!(line.coordinator.lock("x").acquire_async());
            assert!(poll(acquiring.as_mut()).is_pending());
            until("the request is under way", || {
                (line.proxy.requests().held_back() > 0).then_some(())
            });
        }
        assert!(!line.is_held());
        line.proxy.requests().open();
        line.is_freed();
    }
}

#[test]
fn dropped_before_the_answer_arrives() {
    for line in lines() {
        line.proxy.answers().close();
        {
            let mut acquiring = pin!(line.coordinator.lock("x").acquire_async());
            assert!(poll(acquiring.as_mut()).is_pending());
            until("the server has granted it", || line.is_held().then_some(()));
        }
        assert!(line.is_held());
        line.proxy.answers().open();
        line.is_freed();
    }
}

#[test]
fn dropped_when_the_answer_has_arrived_and_was_not_taken() {
    for line in lines() {
        {
            let mut acquiring = pin!(line.coordinator.lock("x").acquire_async());
            assert!(poll(acquiring.as_mut()).is_pending());
            until("the server has granted it", || line.is_held().then_some(()));
            std::thread::sleep(Duration::from_millis(50));
        }
        line.is_freed();
    }
}

#[test]
fn dropped_while_it_waits_for_another_holder() {
    for line in lines() {
        let holder = Coordinator::connect(&line.service.url).unwrap();
        let guard = holder.lock("x").acquire().unwrap();
        {
            let mut acquiring = pin!(line.coordinator.lock("x").acquire_async());
            for _ in 0..20 {
                assert!(poll(acquiring.as_mut()).is_pending());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // It has stopped asking, though the lock is held.
        assert!(line.coordinator.flush(Duration::from_secs(5)));
        guard.release().unwrap();
        line.is_freed();
    }
}

#[test]
fn dropped_in_the_queue_of_its_own_process() {
    for line in lines() {
        let guard = line.coordinator.lock("x").acquire().unwrap();
        {
            let mut acquiring = pin!(line.coordinator.lock("x").acquire_async());
            assert!(poll(acquiring.as_mut()).is_pending());
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(guard);
        line.is_freed();
    }
}

#[test]
fn timed_out_while_the_answer_is_withheld() {
    for line in lines() {
        line.proxy.answers().close();
        let began = Instant::now();
        let limit = Duration::from_millis(300);
        let outcome = line.coordinator.lock("x").timeout(limit).acquire();
        let waited = began.elapsed();
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        assert!(waited >= limit && waited < limit * 3, "{waited:?}");
        // Granted at the server all the same, and undone when the answer comes.
        assert!(line.is_held());
        line.proxy.answers().open();
        line.is_freed();
    }
}

/// The answer is lost: the lock is looked up, and the one grant counts.
#[test]
fn an_answer_that_is_lost_is_looked_up() {
    let line = line(redis(LEASE));
    line.proxy.answers().close();
    let outcome = std::thread::scope(|scope| {
        let acquiring = scope.spawn(|| {
            let guard = line.coordinator.lock("x").acquire().unwrap();
            (guard.token(), guard.release())
        });
        until("the server has granted it", || line.is_held().then_some(()));
        let first = line.service.command(&["get", "_tooz_x_lock"]);
        line.proxy.cut();
        line.proxy.answers().open();
        let (token, released) = acquiring.join().unwrap();
        let first = first.rsplit(':').next().unwrap().parse::<u64>().unwrap();
        assert_eq!(token, Some(first), "the grant that was lost on the way");
        released
    });
    outcome.unwrap();
    line.is_freed();
}

/// The answer is lost, and the caller has left before it is looked up.
#[test]
fn an_answer_that_is_lost_after_the_caller_left_is_undone() {
    for line in lines() {
        line.proxy.answers().close();
        {
            let mut acquiring = pin!(line.coordinator.lock("x").acquire_async());
            assert!(poll(acquiring.as_mut()).is_pending());
            until("the server has granted it", || line.is_held().then_some(()));
        }
        line.proxy.cut();
        line.proxy.answers().open();
        line.is_freed();
    }
}

/// A release whose answer is lost is repeated until it is confirmed.
#[test]
fn a_release_whose_answer_is_lost_is_confirmed() {
    for line in lines() {
        let guard = line.coordinator.lock("x").acquire().unwrap();
        line.proxy.requests().close();
        let began = Instant::now();
        drop(guard);
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "dropping a guard blocks"
        );
        until("the release is under way", || {
            (line.proxy.requests().held_back() > 0).then_some(())
        });
        line.proxy.cut();
        line.proxy.requests().open();
        line.is_freed();
    }
}
