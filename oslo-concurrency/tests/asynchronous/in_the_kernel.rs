//! Another process holds the lock: a [`Stranger`] with a descriptor of its own, which is the same
//! to the kernel.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use oslo_concurrency::lockutils::{self, Error};

use super::{Woken, block_on, external, is_free, poll_once, until};

/// Locks a lock file through a descriptor of its own, which to the kernel is the same as another
/// process.
struct Stranger(File);

impl Stranger {
    fn locks(path: &Path) -> Self {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        let request = nix::libc::flock {
            l_type: nix::libc::F_WRLCK as i16,
            l_whence: 0,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_OFD_SETLKW(&request)).unwrap();
        Stranger(file)
    }

    fn unlocks(self) {
        drop(self.0);
    }
}

/// Makes these tests run one at a time, because they count the waiting threads.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads of ours that wait in the kernel, are about to, or have just done so.
fn waiting_threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .filter(|name| name.trim_end() == "lock-wait")
        .count()
}

fn until_a_thread_waits() {
    let call = format!("{} ", nix::libc::SYS_fcntl);
    until("a thread waits in the kernel", || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        tasks.map(|task| task.path()).any(|task| {
            let says = |file, what: &str| {
                std::fs::read_to_string(task.join(file)).is_ok_and(|text| text.starts_with(what))
            };
            says("comm", "lock-wait") && says("syscall", &call)
        })
    });
}

fn until_no_thread_waits() {
    until("no thread is left", || waiting_threads() == 0);
}

#[test]
fn other_tasks_go_on_and_the_lock_comes_when_it_is_free() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let stranger = Stranger::locks(&directory.path().join("a"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut waiting = pin!(external("a", &directory).acquire_async());
        let ticks = async {
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            guard = &mut waiting => panic!("two are in: {guard:?}"),
            () = ticks => {}
        }
        until_a_thread_waits();
        stranger.unlocks();
        let guard = waiting.await.unwrap();
        assert!(!is_free(external("a", &directory)));
        drop(guard);
        assert!(is_free(external("a", &directory)));
    });
    until_no_thread_waits();
}

#[test]
fn a_dropped_wait_never_takes_the_lock_and_its_thread_ends() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    for fair in [false, true] {
        let stranger = Stranger::locks(&directory.path().join("a"));
        let woken = Arc::new(Woken::default());
        {
            let mut waits = pin!(external("a", &directory).fair(fair).acquire_async());
            assert!(poll_once(waits.as_mut(), &woken).is_pending());
            until_a_thread_waits();
        }
        until_no_thread_waits(); // although the stranger still holds the lock
        stranger.unlocks();
        // This process does not hold the lock, so a stranger does not have to wait.
        Stranger::locks(&directory.path().join("a")).unlocks();
        assert!(is_free(external("a", &directory).fair(fair)));
        assert_eq!(woken.times(), 0);
    }
}

/// The wait is dropped at about the moment at which it is granted, a little earlier or later.
#[test]
fn a_wait_that_is_dropped_as_it_is_granted_gives_the_lock_back() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let mut granted = 0;
    for round in 0..300_u32 {
        let stranger = Stranger::locks(&path);
        let woken = Arc::new(Woken::default());
        let mut waits = Box::pin(
            external("a", &directory)
                .fair(round % 2 == 0)
                .acquire_async(),
        );
        assert!(poll_once(waits.as_mut(), &woken).is_pending());
        if round % 3 == 0 {
            until_a_thread_waits();
        }
        let unlocks = std::thread::spawn(|| stranger.unlocks());
        let drop_at = Instant::now() + Duration::from_micros(u64::from(round % 50) * 5);
        while Instant::now() < drop_at {
            std::hint::spin_loop();
        }
        granted += woken.times();
        drop(waits);
        unlocks.join().unwrap();
        // Waits for a thread that acquired it at the last moment, but not forever.
        assert!(
            external("a", &directory)
                .timeout(super::DEADLINE)
                .acquire()
                .is_ok()
        );
    }
    until_no_thread_waits();
    Stranger::locks(&path).unlocks();
    println!("{granted} of 300 were granted before they were dropped");
}

#[test]
fn one_thread_waits_for_a_file_however_many_tasks_do() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let stranger = Stranger::locks(&directory.path().join("a"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let path: &'static std::path::Path = Box::leak(directory.path().into());
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                tokio::spawn(async {
                    let lock = lockutils::lock("a").external(true).lock_path(path);
                    lock.run_async(tokio::task::yield_now).await
                })
            })
            .collect();
        until_a_thread_waits();
        assert_eq!(waiting_threads(), 1);
        // The pool is as free as before.
        assert_eq!(tokio::task::spawn_blocking(|| 7).await.unwrap(), 7);
        stranger.unlocks();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
    until_no_thread_waits();
}

#[test]
fn a_timeout_ends_the_wait_not_early_and_for_good() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    for fair in [false, true] {
        let stranger = Stranger::locks(&directory.path().join("a"));
        for _ in 0..20 {
            let began = Instant::now();
            let timeout = Duration::from_millis(3);
            let lock = external("a", &directory).fair(fair).timeout(timeout);
            let late = runtime.block_on(lock.acquire_async());
            assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
            assert!(began.elapsed() >= timeout);
        }
        until_no_thread_waits();
        stranger.unlocks();
        Stranger::locks(&directory.path().join("a")).unlocks();
        let lock = external("a", &directory).fair(fair);
        until("the last thread's turn is over", || is_free(lock));
    }
}

#[test]
fn threads_wait_for_tasks_and_tasks_for_threads() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let guard = block_on(external("a", &directory).acquire_async()).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| external("a", &directory).acquire().map(drop));
        let task = scope.spawn(|| block_on(external("a", &directory).acquire_async()).map(drop));
        until("both wait", || {
            !is_free(lockutils::lock("a")) && !thread.is_finished() && !task.is_finished()
        });
        drop(guard);
        thread.join().unwrap().unwrap();
        task.join().unwrap().unwrap();
    });
    assert!(is_free(external("a", &directory)));
}

#[test]
fn a_section_that_asks_for_its_file_by_another_path_is_told_so() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).unwrap();
    let by_link = lockutils::lock("other-name")
        .prefix("x")
        .external(true)
        .lock_path(&link);
    let direct = lockutils::lock("x-other-name")
        .external(true)
        .lock_path(directory.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let asked = runtime
        .block_on(direct.run_async(|| async { by_link.acquire_async().await.map(drop) }))
        .unwrap();
    assert!(
        matches!(asked, Err(Error::WouldDeadlock { .. })),
        "{asked:?}"
    );
}

#[test]
fn a_runtime_that_ends_leaves_no_thread_and_no_lock() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let path: &'static std::path::Path = Box::leak(directory.path().into());
    let stranger = Stranger::locks(&path.join("a"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    runtime.spawn(async {
        let lock = lockutils::lock("a").external(true).lock_path(path);
        lock.run_async(std::future::pending::<()>).await
    });
    until_a_thread_waits();
    drop(runtime);
    until_no_thread_waits();
    stranger.unlocks();
    assert!(is_free(external("a", &directory)));
}

#[test]
fn a_file_that_cannot_be_locked_is_an_error_and_ends_the_turn() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("a")).unwrap();
    for _ in 0..2 {
        let error = block_on(external("a", &directory).acquire_async());
        assert!(matches!(error, Err(Error::Io { .. })), "{error:?}");
    }
    let woken = Arc::new(Woken::default());
    std::fs::remove_dir(directory.path().join("a")).unwrap();
    let mut takes = pin!(external("a", &directory).acquire_async());
    assert!(matches!(
        poll_once(takes.as_mut(), &woken),
        Poll::Ready(Ok(_))
    ));
}

/// A task may not be polled for long, so the kernel's lock is free between two tasks, for waiters
/// in other processes.
#[test]
fn between_tasks_other_processes_may_go_first() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let woken = Arc::new(Woken::default());
    let first = block_on(external("a", &directory).acquire_async()).unwrap();
    let mut second = pin!(external("a", &directory).acquire_async());
    assert!(poll_once(second.as_mut(), &woken).is_pending());
    drop(first);
    let stranger = Stranger::locks(&directory.path().join("a"));
    assert!(poll_once(second.as_mut(), &woken).is_pending());
    until_a_thread_waits();
    stranger.unlocks();
    until("the thread has the lock", || woken.times() > 1);
    assert!(matches!(
        poll_once(second.as_mut(), &woken),
        Poll::Ready(Ok(_))
    ));
    until_no_thread_waits();
}
