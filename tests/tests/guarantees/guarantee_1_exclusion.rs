//! Exclusion between processes, between threads, and both at once; two names that map to one file
//! exclude each other too.

use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;

use lockutils_tests::sections::Sections;
use oslo_concurrency::lockutils::{self, Error, InterProcessLock};

use crate::{holder, lock_path};

#[test]
fn processes_exclude_each_other() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    assert_eq!(other.ask("try x"), "busy");
    assert_eq!(other.ask("try y"), "acquired");
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(other.ask("try x"), "acquired");
    assert_eq!(one.ask("try x"), "busy");
}

#[test]
fn sections_of_processes_and_threads_never_overlap() {
    const EACH: u64 = 500;
    let directory = lock_path();
    let file = directory.path().join("sections");
    drop(Sections::open(&file).unwrap());
    let mut processes: Vec<_> = (0..3).map(|_| holder(&directory)).collect();
    for (me, process) in (1..).zip(&mut processes) {
        process.send(&format!(
            "sections x {} {EACH} {me} blocking",
            file.display()
        ));
    }
    thread::scope(|scope| {
        for me in 11..14 {
            let (file, directory) = (&file, directory.path());
            scope.spawn(move || {
                let file = Sections::open(file).unwrap();
                let lock = lockutils::lock("x").external(true).lock_path(directory);
                for _ in 0..EACH {
                    lock.run(|| file.enter(me)).unwrap();
                }
            });
        }
    });
    for process in &processes {
        assert_eq!(process.answer(), "done");
    }
    assert_eq!(Sections::open(&file).unwrap().count(), 6 * EACH);
}

#[test]
fn two_names_of_one_file_exclude_each_other() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire a/b"), "acquired");
    assert_eq!(other.ask("try a_b"), "busy");
    assert_eq!(one.ask("acquire-with-prefix db myapp"), "acquired");
    assert_eq!(other.ask("try myapp-db"), "busy");

    let alias = lock_path();
    symlink(directory.path(), alias.path().join("there")).unwrap();
    let mut third = holder(alias.path().join("there"));
    assert_eq!(third.ask("try a_b"), "busy");
}

#[test]
fn a_thread_that_holds_the_file_by_another_name_is_told_so() {
    let directory = lock_path();
    let lock = |name| {
        lockutils::lock(name)
            .external(true)
            .lock_path(directory.path())
    };
    let _guard = lock("a/b").acquire().unwrap();
    let again = lock("a_b").acquire();
    assert!(
        matches!(again, Err(Error::WouldDeadlock { .. })),
        "{again:?}"
    );
    let other_thread = thread::scope(|scope| {
        let other = scope.spawn(|| lock("a_b").blocking(false).acquire().map(drop));
        other.join().unwrap()
    });
    assert!(matches!(other_thread, Err(Error::NotAcquired { .. })));
}

/// A thread that would wait for itself gets an error, by every way to one file.
#[test]
fn a_thread_never_waits_for_itself() {
    let directory = lock_path();
    let by_name = lockutils::lock("x")
        .external(true)
        .lock_path(directory.path());
    let by_file = InterProcessLock::new(directory.path().join("x"));
    let timeout = Duration::from_secs(1_000);
    let refused = |outcome: Result<(), Error>| {
        assert!(
            matches!(outcome, Err(Error::WouldDeadlock { .. })),
            "{outcome:?}"
        );
    };
    let guard = by_name.acquire().unwrap();
    refused(by_name.acquire().map(drop));
    refused(by_name.timeout(timeout).acquire().map(drop));
    refused(by_name.fair(true).acquire().map(drop));
    refused(by_file.acquire().map(drop));
    refused(by_file.acquire_timeout(timeout).map(drop));
    refused(lockutils::lock("x").acquire().map(drop)); // part of the external lock as well
    refused(lockutils::remove_external_lock_file(
        "x",
        Some(directory.path()),
    ));
    drop(guard);
    let guard = by_file.acquire().unwrap();
    refused(by_name.acquire().map(drop));
    drop(guard);
    by_name.run(|| ()).unwrap();
}

#[test]
fn locks_of_one_file_made_in_different_ways_exclude_each_other() {
    let directory = lock_path();
    let mut one = holder(&directory);
    assert_eq!(one.ask("keep a_b"), "kept");
    let mut other = holder(&directory);
    for acquire in [
        "acquire a_b",
        "acquire-fair a_b",
        "acquire-kept a_b",
        "write a_b",
    ] {
        assert_eq!(one.ask(acquire), "acquired");
        assert_eq!(other.ask("try a/b"), "busy", "{acquire}");
        assert_eq!(one.ask("release a_b"), "released");
        assert_eq!(other.ask("try a/b"), "acquired", "{acquire}");
        assert_eq!(one.ask("fork-and-try-kept a_b"), "busy");
        assert_eq!(one.answer(), "done");
        assert_eq!(other.ask("release a/b"), "released");
    }
}
