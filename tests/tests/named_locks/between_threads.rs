//! Locks between the threads of a process, and external locks between threads.

use std::sync::Mutex;
use std::thread;

use lockutils_tests::until::until_thread_sleeps;
use nix::unistd::gettid;
use oslo_concurrency::lockutils::{self, Error, InterProcessLock, ReaderWriterLock, Semaphores};

use crate::{in_another_thread, is_busy, lock_path, one_behind_the_other};

#[test]
fn locks_of_two_containers_have_nothing_to_do_with_each_other() {
    let (ours, theirs) = (Semaphores::new(), Semaphores::new());
    let _guard = lockutils::internal_lock("testing", Some(&ours))
        .acquire()
        .unwrap();
    let others = [None, Some(&theirs)];
    in_another_thread(|| {
        for other in others {
            drop(
                lockutils::internal_lock("testing", other)
                    .acquire()
                    .unwrap(),
            );
        }
        let lock = lockutils::lock("testing").blocking(false);
        lock.run(|| ()).unwrap();
        lock.semaphores(&theirs).run(|| ()).unwrap();
        assert!(is_busy(&lock.semaphores(&ours).acquire()));
        assert!(is_busy(
            &lockutils::internal_lock("testing", Some(&ours)).try_acquire()
        ));
    });
}

#[test]
fn sections_of_threads_do_not_interleave_and_leave_no_name_behind() {
    let (container, seen) = (Semaphores::new(), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for number in 0..10 {
            let (container, seen) = (&container, &seen);
            scope.spawn(move || {
                let lock = lockutils::lock("image")
                    .prefix("test-")
                    .semaphores(container);
                let _guard = lock.acquire().unwrap();
                for _ in 0..10 {
                    seen.lock().unwrap().push(number);
                    thread::yield_now();
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len(), 100);
    for section in seen.chunks(10) {
        assert_eq!(section, [section[0]; 10], "{seen:?}");
    }
    assert!(container.is_empty());
}

/// oslo rejects a fair lock from a container.
#[test]
fn a_fair_lock_may_come_from_a_container() {
    let (container, order) = (Semaphores::new(), Mutex::new(Vec::new()));
    let lock = lockutils::lock("fair").semaphores(&container).fair(true);
    thread::scope(|scope| {
        let guard = lock.acquire().unwrap();
        for number in 0..5 {
            let order = &order;
            let (send, id) = std::sync::mpsc::channel();
            scope.spawn(move || {
                send.send(gettid()).unwrap();
                let _guard = lock.acquire().unwrap();
                order.lock().unwrap().push(number);
            });
            until_thread_sleeps(id.recv().unwrap());
        }
        drop(guard);
    });
    assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4]);
}

/// oslo rejects a fair lock that does not wait.
#[test]
fn a_fair_lock_need_not_be_waited_for() {
    let lock = lockutils::lock("fair-try").fair(true).blocking(false);
    let guard = lock.acquire().unwrap();
    assert!(in_another_thread(|| is_busy(&lock.acquire())));
    drop(guard);
    in_another_thread(|| lock.run(|| ()).unwrap());
}

/// Asserts that the second thread enters once the first has left.
fn assert_one_after_the_other<G>(acquire: impl Fn() -> G + Sync) {
    let order = Mutex::new(Vec::new());
    one_behind_the_other(|who, in_section| {
        let _guard = acquire();
        order.lock().unwrap().push(who);
        in_section();
        order.lock().unwrap().push(who);
    });
    assert_eq!(
        order.into_inner().unwrap(),
        ["first", "first", "second", "second"]
    );
}

#[test]
fn the_second_thread_comes_in_when_the_first_has_left() {
    for fair in [false, true] {
        assert_one_after_the_other(|| lockutils::lock("my-lock").fair(fair).acquire().unwrap());
    }
}

#[test]
fn an_external_lock_makes_threads_wait_for_each_other() {
    let (directory, order) = (lock_path(), Mutex::new(Vec::new()));
    #[lockutils::synchronized("foo", external, lock_path = path)]
    fn foo(path: &std::path::Path, section: impl FnOnce()) -> Result<(), Error> {
        section();
        Ok(())
    }
    let (first, second) = one_behind_the_other(|who, in_section| {
        foo(directory.path(), || {
            order.lock().unwrap().push(who);
            in_section();
            order.lock().unwrap().push(who);
        })
    });
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(
        order.into_inner().unwrap(),
        ["first", "first", "second", "second"]
    );
}

#[test]
fn a_thread_that_does_not_wait_for_an_external_lock_is_told_so() {
    let directory = lock_path();
    #[lockutils::synchronized("foo", external, blocking = false, lock_path = path)]
    fn foo(path: &std::path::Path, section: &dyn Fn()) -> Result<(), Error> {
        section();
        Ok(())
    }
    let (first, second) = one_behind_the_other(|_, in_section| foo(directory.path(), in_section));
    assert!(first.is_ok() && is_busy(&second), "{second:?}");
}

#[test]
fn a_thread_that_does_not_wait_is_told_so() {
    #[lockutils::synchronized("does-not-wait", blocking = false)]
    fn foo(section: &dyn Fn()) -> Result<(), Error> {
        section();
        Ok(())
    }
    let (first, second) = one_behind_the_other(|_, in_section| foo(in_section));
    assert!(first.is_ok() && is_busy(&second), "{second:?}");
}

#[test]
fn a_lock_that_is_tried_where_it_is_held_is_busy_and_stays_held() {
    let lock = lockutils::internal_lock("tried", None);
    let guard = lock.try_acquire().unwrap();
    assert!(is_busy(&lock.try_acquire()));
    assert!(in_another_thread(|| is_busy(&lock.try_acquire())));
    drop(guard);
    drop(lock.try_acquire().unwrap());
}

#[test]
fn threads_hold_locks_on_two_files_at_once() {
    let directory = lock_path();
    let [one, other] = ["a", "b"].map(|name| InterProcessLock::new(directory.path().join(name)));
    let _one = one.acquire().unwrap();
    in_another_thread(|| {
        let _other = other.acquire().unwrap();
        assert!(is_busy(&one.try_acquire()));
    });
}

/// For any lock of the process, whether it was created first or later.
#[test]
fn the_second_writer_comes_in_when_the_first_has_left() {
    for lock in [(); 2].map(|()| ReaderWriterLock::new("x")) {
        assert_one_after_the_other(|| lock.write().unwrap());
    }
}

#[test]
fn a_name_may_hold_any_characters() {
    // The digest of "foobar" contains a slash in base 64.
    for name in ["foobar", "a/b", "", "ü ☃", "a\0b"] {
        lockutils::lock(name).run(|| ()).unwrap();
    }
}
