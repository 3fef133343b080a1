//! The state that a child inherits from its parent.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;

use oslo_concurrency::lockutils;
use oslo_concurrency::processutils::execute;

use crate::{lives, until};

/// A descriptor that is not close-on-exec, as libraries of other languages leave them.
fn careless(file: &File) -> OwnedFd {
    // SAFETY: dup returns a new descriptor.
    unsafe { OwnedFd::from_raw_fd(nix::libc::dup(file.as_raw_fd())) }
}

#[test]
fn no_descriptor_is_inherited_however_it_was_opened() {
    let directory = tempfile::tempdir().unwrap();
    let file = File::create(directory.path().join("careless")).unwrap();
    let _open = careless(&file);
    let list = "for fd in /proc/self/fd/*; do readlink $fd; done; true";
    let inherited = Command::new("sh").args(["-c", list]).output().unwrap();
    assert!(
        String::from_utf8_lossy(&inherited.stdout).contains("/careless"),
        "a bare Command does inherit it"
    );
    let ours = execute(["sh", "-c", list]).run().unwrap().stdout;
    assert!(!ours.contains("/careless"), "{ours}");
    execute(["sleep", "1000"])
        .check_exit_code(-nix::libc::SIGKILL)
        .on_execute(|process| {
            // The loader of the child opens libraries for a moment.
            until("only the standard descriptors are open", || {
                let open = fs::read_dir(format!("/proc/{}/fd", process.pid())).ok()?;
                let mut numbers: Vec<_> = open.flatten().map(|entry| entry.file_name()).collect();
                numbers.sort();
                (numbers == ["0", "1", "2"]).then_some(())
            });
            process.signal(nix::libc::SIGKILL).unwrap();
        })
        .run()
        .unwrap();
}

#[test]
fn signals_are_as_at_the_start_of_a_program() {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let mask = |status: &str, field: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    const SIGPIPE: u64 = 1 << (nix::libc::SIGPIPE - 1);
    assert_ne!(
        mask(&own, "SigIgn:") & SIGPIPE,
        0,
        "this process ignores it"
    );
    let blocked = nix::sys::signal::SigSet::from(nix::sys::signal::Signal::SIGUSR1);
    blocked.thread_block().unwrap();
    let child = execute(["cat", "/proc/self/status"])
        .process_input("x")
        .run()
        .unwrap()
        .stdout;
    assert_eq!(mask(&child, "SigIgn:") & SIGPIPE, 0);
    assert_eq!(mask(&child, "SigBlk:"), 0);
    assert!(blocked.thread_unblock().is_ok());
}

#[test]
fn a_child_that_stays_keeps_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let lock = || {
        lockutils::lock("held")
            .lock_path(directory.path())
            .external(true)
    };
    let guard = lock().acquire().unwrap();
    // A service that goes into the background and prints its process id.
    let output = execute([
        "sh",
        "-c",
        "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!",
    ])
    .run()
    .unwrap();
    let stays: u32 = output.stdout.trim().parse().unwrap();
    assert!(lives(stays));
    for fd in fs::read_dir(format!("/proc/{stays}/fd")).unwrap() {
        // The loader of the child closes libraries meanwhile.
        if let Ok(file) = fs::read_link(fd.unwrap().path()) {
            assert!(!file.starts_with(directory.path()), "{file:?}");
        }
    }
    drop(guard);
    drop(lock().blocking(false).acquire().expect("it has no holder"));
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(stays.cast_signed()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    until("it is dead", || (!lives(stays)).then_some(()));
}

#[test]
fn commands_and_locks_of_many_threads_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let directory = &directory;
            scope.spawn(move || {
                for round in 0..25 {
                    let name = format!("lock-{}", round % 3);
                    let lock = lockutils::lock(&name)
                        .lock_path(directory.path())
                        .external(true);
                    let guard = lock.acquire().unwrap();
                    let word = format!("{number}-{round}");
                    let output = execute(["cat"]).process_input(word.clone()).run().unwrap();
                    assert_eq!(output.stdout, word);
                    drop(guard);
                }
            });
        }
    });
}
