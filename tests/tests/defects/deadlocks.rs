//! A thread that requests a lock of which it holds a part gets an error, whatever other threads
//! wait for it.

use std::os::unix::fs::symlink;
use std::time::Duration;

use lockutils_tests::until::until_thread_sleeps;
use oslo_concurrency::lockutils::{self, Error, InterProcessLock, external_lock, internal_lock};

use crate::{in_a_thread, lock_path, receive, within_the_deadline};

#[test]
fn the_holder_of_the_name_asks_for_name_and_file_while_another_waits_for_both() {
    let directory = lock_path();
    let path = directory.path().to_owned();
    within_the_deadline("asks again", move || {
        let held = lockutils::lock("defect-3a").acquire().unwrap();
        let other_path = path.clone();
        let (waiter, acquired) = in_a_thread(move || {
            lockutils::lock("defect-3a")
                .external(true)
                .lock_path(&other_path)
                .run(|| ())
                .unwrap();
        });
        until_thread_sleeps(waiter);
        let both = lockutils::lock("defect-3a").external(true).lock_path(&path);
        assert!(matches!(both.acquire(), Err(Error::WouldDeadlock { .. })));
        assert!(matches!(
            both.fair(true).acquire(),
            Err(Error::WouldDeadlock { .. })
        ));
        drop(held);
        receive("the other gets the lock", &acquired);
    });
}

#[test]
fn the_holder_of_the_name_gets_the_file_while_another_waits_for_both() {
    let directory = lock_path();
    let path = directory.path().to_owned();
    within_the_deadline("takes the file", move || {
        let name = internal_lock("defect-3b", None);
        let held = name.acquire().unwrap();
        let other_path = path.clone();
        let (waiter, acquired) = in_a_thread(move || {
            lockutils::lock("defect-3b")
                .external(true)
                .lock_path(&other_path)
                .run(|| ())
                .unwrap();
        });
        until_thread_sleeps(waiter);
        let file = external_lock("defect-3b", None, Some(&path)).unwrap();
        drop(file.acquire().unwrap());
        drop(held);
        receive("the other gets the lock", &acquired);
    });
}

#[test]
fn the_holder_of_a_file_asks_by_another_path_while_another_waits_there() {
    let directory = lock_path();
    let real = directory.path().join("real");
    let link = directory.path().join("link");
    std::fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    within_the_deadline("asks by another path", move || {
        let held = InterProcessLock::new(real.join("z")).acquire().unwrap();
        let by_link = InterProcessLock::new(link.join("z"));
        let other = by_link.clone();
        let (waiter, acquired) = in_a_thread(move || drop(other.acquire().unwrap()));
        let call = format!("/proc/self/task/{waiter}/syscall");
        let fcntl = format!("{} ", nix::libc::SYS_fcntl);
        lockutils_tests::until::until("the other waits in the kernel", || {
            let call = std::fs::read_to_string(&call).ok()?;
            call.starts_with(&fcntl).then_some(())
        });
        assert!(matches!(
            by_link.acquire(),
            Err(Error::WouldDeadlock { .. })
        ));
        assert!(matches!(
            by_link.acquire_timeout(Duration::from_secs(60)),
            Err(Error::WouldDeadlock { .. })
        ));
        drop(held);
        receive("the other gets the lock", &acquired);
    });
}

/// The thread holds another lock, and the requested one is busy: that is not a deadlock.
#[test]
fn a_thread_that_holds_one_file_waits_for_another() {
    let directory = lock_path();
    let path = directory.path().to_owned();
    within_the_deadline("waits for a second file", move || {
        let lock = |name| lockutils::lock(name).external(true).lock_path(&path);
        let outer = lock("outer").acquire().unwrap();
        let stranger = crate::stranger_locks(&path.join("inner"));
        assert!(matches!(
            lock("inner").timeout(Duration::from_millis(5)).acquire(),
            Err(Error::Timeout { .. })
        ));
        drop(stranger);
        drop(lock("inner").acquire().unwrap());
        drop(outer);
    });
}

/// The same with tasks: a section that holds the name requests both locks while another task waits
/// for both.
#[test]
fn a_section_that_holds_the_name_asks_for_name_and_file_while_another_task_waits() {
    let directory = lock_path();
    let path = directory.path().to_owned();
    within_the_deadline("a section asks again", move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let both = || lockutils::lock("defect-3d").external(true).lock_path(&path);
        let (waits, is_waiting) = tokio::sync::oneshot::channel();
        let section = lockutils::lock("defect-3d").run_async(|| async {
            is_waiting.await.unwrap();
            both().acquire_async().await.map(drop)
        });
        let other = async {
            let mut acquire = std::pin::pin!(both().acquire_async());
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(acquire.as_mut().poll(context).is_pending())
            });
            assert!(polled.await, "another task waits");
            waits.send(()).unwrap();
            drop(acquire.await.unwrap());
        };
        let (again, ()) = runtime.block_on(async { tokio::join!(section, other) });
        let again = again.unwrap();
        assert!(
            matches!(again, Err(Error::WouldDeadlock { .. })),
            "{again:?}"
        );
    });
}

/// The process owes others a pause at the file, which must not keep the section from getting the
/// error.
#[test]
fn a_section_that_holds_the_file_by_another_path_is_told_also_after_a_burst() {
    let directory = lock_path();
    let real = directory.path().join("real");
    let link = directory.path().join("link");
    std::fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    within_the_deadline("a section asks by another path", move || {
        let by_link = InterProcessLock::new(link.join("defect-3e"));
        let options = lockutils::lock("defect-3e").external(true).lock_path(&link);
        // The lock is passed on to a thread, which holds it for longer than a burst may last and
        // then releases it while a task waits that no longer wants it.
        let held = by_link.acquire().unwrap();
        let (hold, may_hold) = std::sync::mpsc::channel();
        let (holds, other_holds) = std::sync::mpsc::channel();
        let other = by_link.clone();
        let (waiter, released) = in_a_thread(move || {
            let held = other.acquire().unwrap();
            holds.send(()).unwrap();
            may_hold.recv().unwrap();
            std::thread::sleep(Duration::from_millis(2));
            drop(held);
        });
        until_thread_sleeps(waiter);
        drop(held);
        receive("the thread gets the lock", &other_holds);
        {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let mut task = std::pin::pin!(options.acquire_async());
            assert!(task.as_mut().poll(&mut context).is_pending());
            hold.send(()).unwrap();
            receive("the thread releases the lock", &released);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let apart = lockutils::Semaphores::new();
        let section = options.semaphores(&apart).lock_path(&real);
        let again = runtime
            .block_on(section.run_async(|| async { options.acquire_async().await.map(drop) }));
        assert!(
            matches!(again, Ok(Err(Error::WouldDeadlock { .. }))),
            "{again:?}"
        );
    });
}
