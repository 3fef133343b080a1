//! Removal of lock files by one language while the other uses them.
//!
//! Our removal holds the lock, and our acquire checks the path after locking. Python's
//! `remove_external_lock_file` (7.6) takes only the lock between the threads of its own process, so
//! it removes files that other processes hold, and its `lock` does not check the path. So after a
//! removal by Python, any two processes may hold the lock; after one by us, a Python process that
//! had the file open may hold it beside another process. Two of our processes may never hold it at
//! once, unless Python removed the file under the first.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use lockutils_tests::python;
use lockutils_tests::sections::Sections;
use lockutils_tests::until::until;

use crate::{each_way, pair, rust};

/// Returns once a process waits in the kernel for a lock on this file.
fn until_a_process_waits_for(file: &Path) {
    let inode = fs::metadata(file).unwrap().ino();
    let inode = format!(":{inode} ");
    until("a process waits for the file", || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks
            .lines()
            .any(|line| line.contains("->") && line.contains(&inode))
            .then_some(())
    });
}

#[test]
fn ours_waits_until_python_has_left() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x");
    let (mut ours, mut python) = pair(directory.path());
    assert_eq!(python.ask("acquire x"), "acquired");
    ours.send("remove x");
    until_a_process_waits_for(&file);
    assert!(file.exists());
    assert_eq!(python.ask("release x"), "released");
    assert_eq!(ours.answer(), "removed");
    assert!(!file.exists());
}

/// Python's removal makes room for a second holder beside ours, which we cannot prevent. But our
/// waiter, which had the old file open, does not become a third.
#[test]
fn python_removes_what_we_hold_and_our_waiter_waits_for_the_new_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x");
    let (mut ours, mut python) = pair(directory.path());
    let mut waiter = rust(directory.path());
    assert_eq!(ours.ask("acquire x"), "acquired");
    waiter.send("acquire x");
    until_a_process_waits_for(&file);
    assert_eq!(python.ask("remove x"), "removed");
    assert!(!file.exists(), "removed although it is held");
    assert_eq!(python.ask("try x"), "acquired");
    assert_eq!(ours.ask("release x"), "released");
    until_a_process_waits_for(&file);
    assert_eq!(waiter.answer_so_far(), None);
    assert_eq!(ours.ask("try x"), "busy");
    assert_eq!(python.ask("release x"), "released");
    assert_eq!(waiter.answer(), "acquired");
}

/// Python holds a file without a name: it keeps no process out, and the lock stays usable.
#[test]
fn what_either_removes_can_be_locked_anew_by_the_other() {
    each_way(|mut one, mut other| {
        for _ in 0..20 {
            assert_eq!(one.ask("acquire x"), "acquired");
            assert_eq!(one.ask("release x"), "released");
            assert_eq!(other.ask("remove x"), "removed");
            assert_eq!(other.ask("acquire x"), "acquired");
            assert_eq!(one.ask("try x"), "busy");
            assert_eq!(other.ask("release x"), "released");
        }
    });
}

/// Two of our processes loop in sections that must not overlap, a Python process takes the same
/// lock, and a third one of ours removes the file repeatedly.
#[test]
fn our_removal_never_lets_two_of_ours_in_beside_python() {
    const EACH: u64 = 300;
    let directory = tempfile::tempdir().unwrap();
    let [file, pythons] = ["sections", "of-python"].map(|name| directory.path().join(name));
    drop((
        Sections::open(&file).unwrap(),
        Sections::open(&pythons).unwrap(),
    ));
    let mut ours = [rust(directory.path()), rust(directory.path())];
    let mut python = python::oslo_worker(directory.path());
    let mut remover = rust(directory.path());
    python.send(&format!(
        "sections x {} {EACH} 3 blocking",
        pythons.display()
    ));
    for (me, process) in (1..).zip(&mut ours) {
        process.send(&format!(
            "sections x {} {EACH} {me} blocking",
            file.display()
        ));
    }
    let mut removed = 0;
    while Sections::open(&file).unwrap().count() < 2 * EACH {
        assert_eq!(remover.ask("remove x"), "removed");
        removed += 1;
        for process in &ours {
            assert!(process.lives(), "a process died in its sections");
        }
    }
    for process in &ours {
        assert_eq!(process.answer(), "done");
    }
    assert_eq!(python.answer(), "done");
    assert!(removed > 10, "the file was removed {removed} times only");
}

/// Python removes the file under all processes, so that even two of ours may hold the lock. But
/// each gets the lock repeatedly, and no acquire fails.
#[test]
fn pythons_removal_stops_nobody() {
    const EACH: u64 = 300;
    let directory = tempfile::tempdir().unwrap();
    let (mut ours, mut python) = pair(directory.path());
    let mut remover = python::oslo_worker(directory.path());
    let files = ["1", "2"].map(|name| directory.path().join(name));
    for (file, process) in files.iter().zip([&mut ours, &mut python]) {
        drop(Sections::open(file).unwrap());
        process.send(&format!("sections x {} {EACH} 1 blocking", file.display()));
    }
    while files
        .iter()
        .any(|file| Sections::open(file).unwrap().count() < EACH)
    {
        assert_eq!(remover.ask("remove x"), "removed");
        assert!(ours.lives() && python.lives());
    }
    assert_eq!(
        (ours.answer(), python.answer()),
        ("done".into(), "done".into())
    );
}
