//! A lock file or directory that is unlinked, renamed or replaced never lets two holders in.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;

use lockutils_tests::sections::Sections;
use lockutils_tests::until::{deadline, until_thread_sleeps};
use nix::unistd::gettid;
use oslo_concurrency::lockutils;

use crate::{holder, lock_path};

/// A waiter has the file open when `change` takes it away, and acquires the lock when the holder
/// leaves. A process that comes after the change must then find the lock held.
fn no_process_enters_beside_a_waiter(change: impl FnOnce(&Path)) {
    let parent = lock_path();
    let directory = parent.path().join("locks");
    fs::create_dir(&directory).unwrap();
    let mut processes = [(); 3].map(|()| holder(&directory));
    let [first, waiter, late] = &mut processes;
    assert_eq!(first.ask("acquire x"), "acquired");
    waiter.send("acquire x");
    waiter.wait_until_it_waits();
    change(&directory);
    assert_eq!(first.ask("release x"), "released");
    assert_eq!(waiter.answer(), "acquired");
    assert_eq!(late.ask("try x"), "busy");
    assert_eq!(
        first.ask("try x"),
        "busy",
        "its old descriptor is of no use"
    );
    assert_eq!(waiter.ask("release x"), "released");
    assert_eq!(late.ask("try x"), "acquired");
}

#[test]
fn the_file_is_unlinked() {
    no_process_enters_beside_a_waiter(|directory| fs::remove_file(directory.join("x")).unwrap());
}

#[test]
fn the_file_is_renamed() {
    no_process_enters_beside_a_waiter(|directory| {
        fs::rename(directory.join("x"), directory.join("away")).unwrap();
    });
}

#[test]
fn the_file_is_replaced() {
    no_process_enters_beside_a_waiter(|directory| {
        fs::write(directory.join("new"), "").unwrap();
        fs::rename(directory.join("new"), directory.join("x")).unwrap();
    });
}

#[test]
fn the_directory_is_removed() {
    no_process_enters_beside_a_waiter(|directory| fs::remove_dir_all(directory).unwrap());
}

#[test]
fn the_directory_is_renamed() {
    no_process_enters_beside_a_waiter(|directory| {
        fs::rename(directory, directory.with_extension("old")).unwrap();
    });
}

#[test]
fn the_directory_is_replaced() {
    no_process_enters_beside_a_waiter(|directory| {
        fs::rename(directory, directory.with_extension("old")).unwrap();
        fs::create_dir(directory).unwrap();
        fs::write(directory.join("x"), "").unwrap();
    });
}

#[test]
fn removal_by_its_own_function_never_lets_two_in() {
    const EACH: u64 = 300;
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
    let mut remover = holder(&directory);
    let mut removed = 0;
    while Sections::open(&file).unwrap().count() < 3 * EACH {
        assert_eq!(remover.ask("remove x"), "removed");
        removed += 1;
        for process in &processes {
            assert!(process.lives(), "a process died in its sections");
        }
    }
    assert!(removed > 10, "the file was removed {removed} times only");
}

/// One thread holds the lock, a second one waits that will take the file away, and a third waits
/// behind it. The third must not use the old file, passed on within the process, while a new
/// process creates another.
fn the_next_thread_looks_for_the_file(take_away: impl Fn(&Path) + Sync) {
    for _ in 0..20 {
        let directory = lock_path();
        let path = directory.path();
        let lock = lockutils::lock("x").external(true).lock_path(path);
        let mut newcomer = holder(path);
        let (send, messages) = channel();
        let (leave, stay) = channel::<()>();
        thread::scope(|scope| {
            let guard = lock.acquire().unwrap();
            let sender = send.clone();
            let take_away = &take_away;
            scope.spawn(move || {
                sender.send(gettid()).unwrap();
                take_away(path);
            });
            until_thread_sleeps(messages.recv().unwrap());
            scope.spawn(move || {
                send.send(gettid()).unwrap();
                let _guard = lock.acquire().unwrap();
                send.send(gettid()).unwrap();
                let _ = stay.recv();
            });
            until_thread_sleeps(messages.recv().unwrap());
            drop(guard);
            messages.recv_timeout(deadline()).unwrap();
            assert_eq!(newcomer.ask("try x"), "busy");
            drop(leave);
        });
    }
}

#[test]
fn a_thread_behind_a_removal_looks_for_the_file() {
    the_next_thread_looks_for_the_file(|directory| {
        lockutils::remove_external_lock_file("x", Some(directory)).unwrap();
    });
}

#[test]
fn a_thread_behind_a_holder_that_unlinks_the_file_looks_for_it() {
    the_next_thread_looks_for_the_file(|directory| {
        let lock = lockutils::lock("x").external(true).lock_path(directory);
        lock.run(|| fs::remove_file(directory.join("x")).unwrap())
            .unwrap();
    });
}

#[test]
fn a_thread_behind_a_holder_that_replaces_the_file_looks_for_it() {
    the_next_thread_looks_for_the_file(|directory| {
        fs::write(directory.join("new"), "").unwrap();
        let lock = lockutils::lock("x").external(true).lock_path(directory);
        lock.run(|| fs::rename(directory.join("new"), directory.join("x")).unwrap())
            .unwrap();
    });
}

#[test]
fn a_symbolic_link_is_never_followed() {
    let directory = lock_path();
    let target = directory.path().join("target");
    fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, directory.path().join("x")).unwrap();
    let answer = holder(&directory).ask("acquire x");
    assert!(
        answer.starts_with("error") && answer.contains("symbolic link"),
        "{answer}"
    );
    assert_eq!(fs::read_to_string(target).unwrap(), "precious");
}

#[test]
fn a_lock_file_keeps_its_content_and_stays() {
    let directory = lock_path();
    let file = directory.path().join("x");
    fs::write(&file, "precious").unwrap();
    let mut one = holder(&directory);
    assert_eq!(one.ask("acquire x"), "acquired");
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");
}
