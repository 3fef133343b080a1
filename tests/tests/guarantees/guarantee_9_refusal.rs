//! A file system that cannot lock is an immediate error that names it; so is every other refusal.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use oslo_concurrency::lockutils::{self, Error};

use crate::{holder, lock_path};

/// Asserts that every way to lock fails at once and names the file and its file system.
fn refused(error: &str, system_says: &str) {
    let directory = lock_path();
    let file = directory.path().join("x");
    let mut one = holder(&directory);
    assert_eq!(one.ask("keep x"), "kept");
    assert_eq!(one.ask(&format!("refuse-locks {error}")), "done");
    for command in [
        "acquire x",
        "try x",
        "timed x 60000",
        "acquire-fair x",
        "acquire-kept x",
        "read x",
        "write x",
        "remove x",
    ] {
        let answer = one.ask(command);
        for part in [
            "error",
            file.to_str().unwrap(),
            "file system (",
            "refused the lock",
            system_says,
        ] {
            assert!(answer.contains(part), "{command}: {answer}");
        }
    }
}

#[test]
fn a_file_system_that_cannot_lock_is_named() {
    refused("ENOLCK", "No locks available");
}

#[test]
fn a_kernel_that_does_not_know_these_locks_is_an_error() {
    refused("EINVAL", "Invalid argument");
}

#[test]
fn a_refusal_leaves_no_lock_between_threads_behind() {
    let directory = lock_path();
    fs::create_dir(directory.path().join("x")).unwrap();
    let lock = lockutils::lock("x")
        .external(true)
        .lock_path(directory.path());
    for _ in 0..2 {
        let outcome = lock.acquire().map(drop);
        assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
    }
    fs::remove_dir(directory.path().join("x")).unwrap();
    lock.run(|| ()).unwrap();
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let directory = lock_path();
    let in_the_way = directory.path().join("x");
    let mut one = holder(&directory);
    fs::create_dir(&in_the_way).unwrap();
    let answer = one.ask("acquire x");
    assert!(answer.contains("it is a directory"), "{answer}");
    fs::remove_dir(&in_the_way).unwrap();

    mkfifo(&in_the_way, Mode::S_IRWXU).unwrap();
    let answer = one.ask("acquire x");
    assert!(answer.contains("not a regular file"), "{answer}");
    fs::remove_file(&in_the_way).unwrap();
    assert_eq!(one.ask("acquire x"), "acquired");
}

#[test]
fn too_many_open_files_is_an_error_that_says_so_and_passes() {
    let directory = lock_path();
    let mut one = holder(&directory);
    assert_eq!(one.ask("limit-files 5"), "done");
    let answers: Vec<String> = (0..4).map(|n| one.ask(&format!("acquire x{n}"))).collect();
    let refused = answers.last().unwrap();
    assert!(refused.contains("ulimit -n"), "{answers:?}");
    assert_eq!(answers[0], "acquired");
    assert_eq!(one.ask("release x0"), "released");
    assert_eq!(one.ask("try x0"), "acquired");
}

#[test]
fn a_directory_that_may_not_be_written_is_an_error_that_names_the_file() {
    let directory = lock_path();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut one = holder(&directory);
    if geteuid().is_root() {
        // Root may do anything, so the process gives up root first.
        assert_eq!(one.ask("become-nobody"), "done");
    }
    let file = directory.path().join("x");
    let answer = one.ask("acquire x");
    assert!(
        answer.starts_with("error") && answer.contains(file.to_str().unwrap()),
        "{answer}"
    );
    assert!(answer.contains("check its owner and mode"), "{answer}");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_a_lock_path_the_error_says_where_to_set_it() {
    let answer = holder("").ask("acquire x");
    assert!(
        answer.starts_with("error")
            && answer.contains("OSLO_LOCK_PATH")
            && answer.contains("\"x\""),
        "{answer}"
    );
}
