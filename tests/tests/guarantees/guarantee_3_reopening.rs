//! Opening and closing the lock file elsewhere in the process does not free the lock, nor do record
//! locks of other code.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use oslo_concurrency::lockutils::{self, Error, InterProcessLock, InterProcessReaderWriterLock};

use crate::{holder, lock_path};

/// Asserts that this process still holds the lock after `elsewhere` with its file.
#[track_caller]
fn stays_held(elsewhere: impl FnOnce(&Path)) {
    let directory = lock_path();
    let mut other = holder(&directory);
    let lock = lockutils::lock("x")
        .external(true)
        .lock_path(directory.path());
    let guard = lock.acquire().unwrap();
    elsewhere(&directory.path().join("x"));
    assert_eq!(other.ask("try x"), "busy");
    drop(guard);
    assert_eq!(other.ask("try x"), "acquired");
}

#[test]
fn when_the_file_is_opened_and_closed() {
    stays_held(|file| drop(File::open(file).unwrap()));
    stays_held(|file| drop(File::options().append(true).open(file).unwrap()));
}

#[test]
fn when_the_file_is_read_and_copied() {
    stays_held(|file| {
        fs::read(file).unwrap();
        fs::copy(file, file.with_extension("copy")).unwrap();
    });
}

#[test]
fn when_another_link_to_the_file_is_opened_and_closed() {
    stays_held(|file| {
        let link = file.with_extension("link");
        fs::hard_link(file, &link).unwrap();
        drop(File::open(link).unwrap());
    });
}

#[test]
fn when_a_program_gets_the_file_as_its_input() {
    stays_held(|file| {
        let input = File::open(file).unwrap();
        let status = Command::new("cat")
            .stdin(input)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    });
}

/// A library in the same process that takes POSIX record locks unlocks the file, as Python's
/// fasteners would.
#[test]
fn when_other_code_frees_the_record_locks_of_the_process() {
    stays_held(|file| {
        let file = File::options().write(true).open(file).unwrap();
        let everything = |kind: i32| libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_SETLK(&everything(libc::F_WRLCK))).expect_err("it is held");
        fcntl(&file, FcntlArg::F_SETLK(&everything(libc::F_UNLCK))).unwrap();
    });
}

/// Our own locks open the file by another path; the limit of open files then closes it again.
#[test]
fn when_the_library_itself_opens_and_closes_the_file_by_another_path() {
    stays_held(|file| {
        let alias = file.with_file_name("alias");
        symlink(file.parent().unwrap(), &alias).unwrap();
        let by_alias = InterProcessLock::new(alias.join("x"));
        let outcome = by_alias.try_acquire().map(drop);
        assert!(
            matches!(outcome, Err(Error::NotAcquired { .. })),
            "{outcome:?}"
        );
        drop(by_alias);
        for number in 0..20 {
            let other = lockutils::lock(&format!("{number}"))
                .external(true)
                .lock_path(&alias)
                .run(|| ());
            other.unwrap();
        }
        let files = fs::read_dir("/proc/self/fd").unwrap();
        let open = files
            .flatten()
            .filter_map(|fd| fs::read_link(fd.path()).ok());
        assert_eq!(
            open.filter(|open| open == file).count(),
            1,
            "the file is open once"
        );

        let reader_writer = InterProcessReaderWriterLock::new(file);
        let outcome = reader_writer.try_read().map(drop);
        assert!(
            matches!(outcome, Err(Error::NotAcquired { .. })),
            "{outcome:?}"
        );
    });
}
