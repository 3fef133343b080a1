//! Threads and tasks share a coordinator. Whoever comes and leaves meanwhile, every request is
//! answered, and what nobody waits for is done as well.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use oslo_coordination::{Coordinator, Error};

/// Time within which everything here must be done, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn coordinator(directory: &tempfile::TempDir) -> Coordinator {
    Coordinator::connect(&format!("file://{}", directory.path().display())).unwrap()
}

/// Runs `test` on a thread of its own, and panics if it is not done in time.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = sender.send(());
    });
    match receiver.recv_timeout(DEADLINE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not done after {DEADLINE:?}"),
        _ => thread.join().unwrap(),
    }
}

#[test]
fn threads_tasks_and_dropped_guards_exclude_each_other() {
    in_time(|| {
        let directory = tempfile::tempdir().unwrap();
        let coordinator = coordinator(&directory);
        let inside = AtomicBool::new(false);
        let sections = AtomicUsize::new(0);
        let section = || {
            assert!(!inside.swap(true, Ordering::SeqCst), "two are inside");
            thread::yield_now();
            inside.store(false, Ordering::SeqCst);
            sections.fetch_add(1, Ordering::SeqCst);
        };
        thread::scope(|scope| {
            for number in 0..3_usize {
                let (coordinator, section) = (&coordinator, &section);
                scope.spawn(move || {
                    for turn in 0..60_usize {
                        let guard = coordinator.lock("shared").acquire().unwrap();
                        section();
                        match (turn + number) % 3 {
                            0 => drop(guard),
                            _ => guard.release().unwrap(),
                        }
                        if turn % 7 == number {
                            // The others go on meanwhile.
                            thread::sleep(Duration::from_millis(3));
                        }
                    }
                });
            }
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.unwrap().block_on(async {
                    for turn in 0..60 {
                        let guard = coordinator.lock("shared").acquire_async().await.unwrap();
                        section();
                        match turn % 2 {
                            0 => drop(guard),
                            _ => guard.release().await.unwrap(),
                        }
                    }
                });
            });
        });
        assert_eq!(sections.into_inner(), 240);
        assert!(coordinator.flush(DEADLINE));
    });
}

#[test]
fn a_caller_that_waits_for_long_keeps_nobody_waiting() {
    in_time(|| {
        let directory = tempfile::tempdir().unwrap();
        let coordinator = coordinator(&directory);
        let held = coordinator.lock("held").acquire().unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| coordinator.lock("held").acquire().map(drop));
            let other = scope.spawn(|| {
                for _ in 0..50 {
                    coordinator.lock("other").run(|| {}).unwrap();
                }
                let timeout = Duration::from_millis(20);
                let began = Instant::now();
                let error = coordinator.lock("held").timeout(timeout).acquire();
                assert!(matches!(error, Err(Error::Timeout { .. })), "{error:?}");
                assert!(began.elapsed() >= timeout);
            });
            other.join().unwrap();
            assert!(!waiter.is_finished());
            drop(held);
            waiter.join().unwrap().unwrap();
        });
    });
}

#[test]
fn what_nobody_waits_for_is_done_after_a_caller_has_left() {
    in_time(|| {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = [coordinator(&directory), coordinator(&directory)];
        for _ in 0..50 {
            let guard = one.lock("handed over").acquire().unwrap();
            drop(guard);
            // Only the first coordinator's own thread can do it.
            let guard = other.lock("handed over").acquire().unwrap();
            guard.release().unwrap();
        }
    });
}

#[test]
fn a_thread_of_a_runtime_waits_as_well() {
    in_time(|| {
        let directory = tempfile::tempdir().unwrap();
        let coordinator = coordinator(&directory);
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let tasks = (0..4).map(|_| {
            let coordinator = coordinator.clone();
            runtime.spawn_blocking(move || coordinator.lock("shared").run(|| {}).unwrap())
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
    });
}

/// The second caller has its own deadline, after that of the first.
#[test]
fn a_timer_goes_on_after_another_caller_has_left() {
    in_time(|| {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = [coordinator(&directory), coordinator(&directory)];
        let _held = other.lock("held").acquire().unwrap();
        let timed_out = |result: Result<(), Error>| {
            assert!(matches!(result, Err(Error::Timeout { .. })), "{result:?}");
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                let held = one.lock("held").timeout(Duration::from_millis(200));
                let result = runtime.unwrap().block_on(held.acquire_async());
                timed_out(result.map(drop));
            });
            let held = one.lock("held").timeout(Duration::from_millis(50));
            timed_out(held.acquire().map(drop));
        });
    });
}
