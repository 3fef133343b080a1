//! Tasks that compete with other processes: forked, killed and Python's; some switch between tasks
//! and threads.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use lockutils_harness::prelude::{Fault, Stress, Worker};
use lockutils_tests::conversation::Conversation;
use lockutils_tests::until::deadline;
use lockutils_tests::{holder, python};
use oslo_concurrency::lockutils::{self, Error, LockOptions};
use tokio::task::yield_now;

fn block_on<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    runtime
        .block_on(async { tokio::time::timeout(deadline(), future).await })
        .expect("the lock comes before the test's deadline")
}

/// One section by a thread, by a task, or by a task after it has given up once or more.
fn by_task_or_thread(lock: LockOptions<'_>, worker: &Worker<'_>) {
    match worker.random(4) {
        0 => lock.run(|| worker.section(|| ())).unwrap(),
        1 | 2 => block_on(lock.run_async(|| async { worker.section(|| ()) })).unwrap(),
        _ => block_on(async {
            loop {
                let acquiring = lock.acquire_async();
                let give_up = async {
                    for _ in 0..worker.random(40) {
                        yield_now().await;
                    }
                };
                tokio::select! {
                    biased;
                    guard = acquiring => {
                        let _guard = guard.unwrap();
                        return worker.section(|| ());
                    }
                    () = give_up => {}
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }),
    }
}

fn excludes(fair: bool) {
    let body = |worker: &Worker<'_>| {
        by_task_or_thread(lockutils::lock("x").external(true).fair(fair), worker);
    };
    let stress = Stress::new().processes(4).threads(2).sections(150);
    let calm = stress.clone().isolated().run(body);
    calm.assert_exclusive();
    assert_eq!(calm.sections(), 4 * 2 * 150);
    let faults = [Fault::Kill, Fault::Pause, Fault::Panic, Fault::Fork];
    stress
        .isolated()
        .faults(&faults, 50)
        .run(body)
        .assert_exclusive();
}

#[test]
fn tasks_and_threads_of_many_processes_exclude_each_other() {
    excludes(false);
}

#[test]
fn tasks_and_threads_of_many_processes_exclude_each_other_fairly() {
    excludes(true);
}

/// `other` holds x; a task waits for it until `free`, while its thread runs other tasks.
fn comes_when(directory: &std::path::Path, free: impl FnOnce()) {
    block_on(async {
        let lock = lockutils::lock("x").external(true).lock_path(directory);
        let busy = lock.blocking(false).acquire_async().await;
        assert!(matches!(busy, Err(Error::NotAcquired { .. })), "{busy:?}");
        let mut waiting = pin!(lock.acquire_async());
        let others = async {
            for _ in 0..1_000 {
                yield_now().await;
            }
        };
        tokio::select! {
            guard = &mut waiting => panic!("two are in: {guard:?}"),
            () = others => {}
        }
        free();
        waiting.await.unwrap().release();
    });
}

fn start(directory: &std::path::Path) -> Conversation {
    holder::start(env!("CARGO_BIN_EXE_lock-holder"), directory)
}

#[test]
fn it_comes_when_another_process_releases_or_dies() {
    let directory = tempfile::tempdir().unwrap();
    let mut other = start(directory.path());
    assert_eq!(other.ask("acquire x"), "acquired");
    comes_when(directory.path(), || {
        assert_eq!(other.ask("release x"), "released")
    });
    assert_eq!(other.ask("acquire x"), "acquired");
    comes_when(directory.path(), || other.kill());
}

#[test]
fn it_comes_when_python_releases() {
    let directory = tempfile::tempdir().unwrap();
    let mut python = python::oslo_worker(directory.path());
    assert_eq!(python.ask("acquire x"), "acquired");
    comes_when(directory.path(), || {
        assert_eq!(python.ask("release x"), "released")
    });
}

#[test]
fn another_process_comes_in_when_a_task_is_cancelled_in_its_section() {
    let directory = tempfile::tempdir().unwrap();
    let mut other = start(directory.path());
    block_on(async {
        // The other tests of this process hold "x" now and then.
        let lock = lockutils::lock("cancelled")
            .external(true)
            .lock_path(directory.path());
        let mut section = Box::pin(lock.run_async(std::future::pending::<()>));
        tokio::select! {
            biased;
            _ = &mut section => unreachable!("it never ends"),
            () = yield_now() => {}
        }
        assert_eq!(other.ask("try cancelled"), "busy");
        other.send("acquire cancelled");
        other.wait_until_it_waits();
        drop(section);
        assert_eq!(other.answer(), "acquired");
    });
}
