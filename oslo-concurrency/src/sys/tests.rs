//! The promises of [`sys`](super) on every system, as one set of tests.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

/// Longer than any wait here lasts, on a busy machine too.
pub(super) const LONG: Duration = Duration::from_secs(60);
/// Enough for another thread to begin to wait.
pub(super) const SOON: Duration = Duration::from_millis(30);

/// Fails where this must not happen.
fn only_on_windows(what: &dyn std::fmt::Debug) {
    if !cfg!(windows) {
        panic!("{what:?}");
    }
}

pub(super) struct Files {
    pub(super) directory: TempDir,
}

impl Files {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Files { directory }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("lock")
    }

    pub(super) fn open(&self) -> RawLockFile {
        RawLockFile::open(&self.path()).unwrap()
    }

    pub(super) fn locked(&self, mode: Mode) -> RawLockFile {
        let file = self.open();
        assert!(file.try_lock(mode).unwrap());
        file
    }
}

/// Waits as the callers of the seam do.
pub(super) fn wait(
    file: &RawLockFile,
    mode: Mode,
    until: Option<Instant>,
    cancel: Option<&Cancel>,
) -> bool {
    loop {
        if file.lock(mode, until, cancel).unwrap() {
            return true;
        }
        if until.is_some_and(|until| Instant::now() >= until)
            || cancel.is_some_and(Cancel::is_cancelled)
        {
            return false;
        }
    }
}

// ---- locks ----

#[test]
fn two_values_exclude_each_other_in_one_thread() {
    let files = Files::new();
    let one = files.locked(Mode::Exclusive);
    let two = files.open();
    assert!(!two.try_lock(Mode::Exclusive).unwrap());
    assert!(!two.try_lock(Mode::Shared).unwrap());
    one.unlock();
    assert!(two.try_lock(Mode::Exclusive).unwrap());
    assert!(!one.try_lock(Mode::Exclusive).unwrap());
    drop(two);
    assert!(one.try_lock(Mode::Exclusive).unwrap(), "dropping releases");
    one.unlock();
    one.unlock(); // of a lock that is not held: nothing
    assert!(files.open().try_lock(Mode::Exclusive).unwrap());
}

#[test]
fn shared_locks_exclude_exclusive_ones_alone() {
    let files = Files::new();
    let (one, two) = (files.locked(Mode::Shared), files.locked(Mode::Shared));
    let writer = files.open();
    assert!(!writer.try_lock(Mode::Exclusive).unwrap());
    one.unlock();
    assert!(!writer.try_lock(Mode::Exclusive).unwrap());
    two.unlock();
    assert!(writer.try_lock(Mode::Exclusive).unwrap());
    assert!(!one.try_lock(Mode::Shared).unwrap());
}

#[test]
fn opening_and_closing_the_file_elsewhere_does_not_release_the_lock() {
    let files = Files::new();
    let _held = files.locked(Mode::Exclusive);
    drop(files.open());
    drop(fs::File::open(files.path()).unwrap());
    assert!(!files.open().try_lock(Mode::Exclusive).unwrap());
}

#[test]
fn every_kind_of_wait_ends_when_the_lock_is_released() {
    let files = Files::new();
    for mode in [Mode::Exclusive, Mode::Shared] {
        for (limited, cancellable) in [(false, false), (true, false), (false, true), (true, true)] {
            let holder = files.locked(Mode::Exclusive);
            thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let (file, cancel) = (files.open(), Cancel::default());
                    let until = limited.then(|| Instant::now() + LONG);
                    assert!(wait(&file, mode, until, cancellable.then_some(&cancel)));
                    assert!(!files.open().try_lock(Mode::Exclusive).unwrap());
                    Instant::now()
                });
                thread::sleep(SOON);
                assert!(!waiter.is_finished());
                let released = Instant::now();
                holder.unlock();
                let acquired = waiter.join().unwrap();
                let late = acquired.saturating_duration_since(released);
                assert!(late < LONG / 10, "{late:?}");
            });
        }
    }
}

#[test]
fn a_timed_wait_ends_at_its_deadline_and_never_acquires() {
    let files = Files::new();
    let holder = files.locked(Mode::Exclusive);
    let waiter = files.open();
    for milliseconds in [0, 1, 3, 20, 60] {
        let until = Instant::now() + Duration::from_millis(milliseconds);
        assert!(!wait(&waiter, Mode::Exclusive, Some(until), None));
        let late = Instant::now().checked_duration_since(until);
        assert!(late.expect("not early") < LONG / 10, "{late:?}");
    }
    holder.unlock();
    thread::sleep(SOON);
    assert!(files.open().try_lock(Mode::Exclusive).unwrap());
}

/// The lock is released at the deadline. Whatever the outcome, it is the truth.
#[test]
fn a_release_at_the_deadline_is_acquired_or_not_but_never_both() {
    let files = Files::new();
    let waiter = files.open();
    for round in 0_u64..60 {
        let holder = files.locked(Mode::Exclusive);
        let until = Instant::now() + Duration::from_millis(4);
        let release = until + Duration::from_micros(round * 10) - Duration::from_micros(300);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(release.saturating_duration_since(Instant::now()));
                holder.unlock();
            });
            let acquired = wait(&waiter, Mode::Exclusive, Some(until), None);
            if acquired {
                assert!(!files.open().try_lock(Mode::Exclusive).unwrap());
                waiter.unlock();
            }
        });
        drop(holder);
        assert!(files.open().try_lock(Mode::Exclusive).unwrap(), "{round}");
    }
}

#[cfg(feature = "tokio")]
#[test]
fn a_wait_is_cancelled_before_it_begins_and_while_it_lasts() {
    let files = Files::new();
    let holder = files.locked(Mode::Exclusive);
    let waiter = files.open();
    for before in [Duration::ZERO, SOON] {
        for limited in [false, true] {
            let cancel = Cancel::default();
            let until = limited.then(|| Instant::now() + LONG);
            let began = Instant::now();
            thread::scope(|scope| {
                if before.is_zero() {
                    cancel.cancel();
                } else {
                    scope.spawn(|| {
                        thread::sleep(before);
                        cancel.cancel();
                    });
                }
                assert!(!wait(&waiter, Mode::Exclusive, until, Some(&cancel)));
            });
            assert!(cancel.is_cancelled());
            assert!(began.elapsed() < LONG / 2);
        }
    }
    holder.unlock();
    thread::sleep(SOON);
    assert!(files.open().try_lock(Mode::Exclusive).unwrap());
}

/// The lock is released and the wait cancelled at once: the outcome is the truth.
#[cfg(feature = "tokio")]
#[test]
fn a_release_during_the_cancellation_is_acquired_or_not_but_never_both() {
    let files = Files::new();
    let waiter = files.open();
    for _ in 0..60 {
        let holder = files.locked(Mode::Exclusive);
        let cancel = Cancel::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(2));
                cancel.cancel();
            });
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(2));
                holder.unlock();
            });
            if wait(&waiter, Mode::Exclusive, None, Some(&cancel)) {
                assert!(!files.open().try_lock(Mode::Exclusive).unwrap());
                waiter.unlock();
            }
        });
        drop(holder);
        assert!(files.open().try_lock(Mode::Exclusive).unwrap());
    }
}

#[test]
fn threads_that_wait_in_all_ways_never_overlap() {
    let files = Files::new();
    let inside = AtomicU64::new(0);
    let sections = AtomicU64::new(0);
    thread::scope(|scope| {
        for number in 0_u64..4 {
            let (files, inside, sections) = (&files, &inside, &sections);
            scope.spawn(move || {
                let (file, cancel) = (files.open(), Cancel::default());
                for round in 0..50 {
                    let until = Instant::now() + Duration::from_millis(round % 5 + number);
                    let acquired = match round % 3 {
                        0 => wait(&file, Mode::Exclusive, None, None),
                        1 => wait(&file, Mode::Exclusive, None, Some(&cancel)),
                        _ => wait(&file, Mode::Exclusive, Some(until), None),
                    };
                    if acquired {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        sections.fetch_add(1, Ordering::Relaxed);
                        thread::yield_now();
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        file.unlock();
                    }
                }
            });
        }
    });
    assert!(sections.into_inner() >= 4 * 34, "two thirds always acquire");
}

// ---- files ----

#[test]
fn a_file_is_known_by_its_identity_under_any_name() {
    let files = Files::new();
    let (path, moved) = (files.path(), files.directory.path().join("moved"));
    assert_eq!(identity_at(&path).unwrap(), None);
    let native = NativePath::new(&path);
    assert_eq!(native.identity().unwrap(), None);
    let file = files.open();
    let identity = Some(file.identity());
    assert_eq!(identity_at(&path).unwrap(), identity);
    assert_eq!(native.identity().unwrap(), identity);
    assert_eq!(Some(files.open().identity()), identity);
    fs::rename(&path, &moved).unwrap();
    assert_eq!(identity_at(&path).unwrap(), None);
    assert_eq!(identity_at(&moved).unwrap(), identity);
    let other = files.open();
    assert_ne!(Some(other.identity()), identity);
    assert_eq!(native.identity().unwrap(), Some(other.identity()));
    match fs::rename(&moved, &path) {
        Ok(()) => assert_eq!(native.identity().unwrap(), identity, "replaced"),
        // Some Windows replaces no open file.
        Err(error) => {
            only_on_windows(&error);
            assert_eq!(native.identity().unwrap(), Some(other.identity()));
        }
    }
    assert_eq!(identity_at(&path.join("below")).unwrap(), None);
    let directory = identity_at(files.directory.path()).unwrap();
    assert!(directory.is_some() && directory != identity);
}

#[test]
fn a_removed_file_has_no_name_and_its_lock_excludes_no_new_file() {
    let files = Files::new();
    let path = files.path();
    let file = files.locked(Mode::Exclusive);
    fs::remove_file(&path).unwrap();
    let now = identity_at(&path).unwrap();
    // Under Wine a removed file has its name until it is closed.
    assert!(now.is_none() || cfg!(windows) && now == Some(file.identity()));
    match RawLockFile::open(&path) {
        Ok(new) if now.is_some() => assert!(!new.try_lock(Mode::Exclusive).unwrap()),
        Ok(new) => {
            assert_ne!(new.identity(), file.identity());
            assert!(new.try_lock(Mode::Exclusive).unwrap());
        }
        // The name goes when the file is closed.
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
    }
    drop(file);
    let new = files.open();
    assert!(new.try_lock(Mode::Exclusive).unwrap());
    assert_eq!(identity_at(&path).unwrap(), Some(new.identity()));
}

#[test]
fn the_content_does_not_change() {
    let files = Files::new();
    fs::write(files.path(), "content").unwrap();
    let file = files.locked(Mode::Exclusive);
    file.unlock();
    assert!(wait(&file, Mode::Shared, None, None));
    drop(file);
    assert_eq!(fs::read_to_string(files.path()).unwrap(), "content");
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let files = Files::new();
    let missing = files.directory.path().join("missing").join("lock");
    let error = RawLockFile::open(&missing).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let directory = files.directory.path().join("directory");
    fs::create_dir(&directory).unwrap();
    let error = RawLockFile::open(&directory).unwrap_err();
    let text = advice_on_open(&error).map_or(error.to_string(), str::to_owned);
    assert!(text.contains("it is a directory"), "{error:?}: {text}");
    assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
}

#[cfg(unix)]
fn link_to(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn link_to(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[test]
fn a_link_is_not_followed() {
    let files = Files::new();
    let (target, link) = (files.path(), files.directory.path().join("link"));
    for exists in [false, true] {
        if exists {
            fs::write(&target, "").unwrap();
        }
        if let Err(error) = link_to(&target, &link) {
            only_on_windows(&error); // where links need a privilege
            println!("not tried: no links can be made here ({error})");
            return;
        }
        if !fs::symlink_metadata(&link).is_ok_and(|link| link.is_symlink()) {
            only_on_windows(&link);
            println!("not tried: Wine says that it makes links, and makes none");
            return;
        }
        let error = RawLockFile::open(&link).unwrap_err();
        let text = advice_on_open(&error).map_or(error.to_string(), str::to_owned);
        assert!(text.contains("link"), "{error:?}: {text}");
        assert_eq!(target.exists(), exists);
        assert_ne!(identity_at(&link).unwrap(), None, "of the link itself");
        assert_ne!(identity_at(&link).unwrap(), identity_at(&target).unwrap());
        fs::remove_file(&link).unwrap();
    }
}

#[test]
fn a_name_without_a_problem_is_a_file_in_its_directory() {
    for name in [
        "image-7", ".a", " a", "a.b.c", "é", "CON", "a:b", "a.", "nul.txt", "a b", "-",
    ] {
        if problem_with_file_name(name).is_some() {
            only_on_windows(&name);
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        drop(RawLockFile::open(&directory.path().join(name)).unwrap());
        let entries: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(entries, [OsStr::new(name)]);
    }
    assert!(SEPARATORS.contains(&'/') && SEPARATORS.contains(&std::path::MAIN_SEPARATOR));
    assert_eq!(start_of_file_name(OsStr::new("abc"), 2), "ab");
    assert_eq!(start_of_file_name(OsStr::new("abc"), 5), "abc");
}

#[test]
fn a_file_with_the_longest_name_is_opened() {
    let files = Files::new();
    let name = "x".repeat(LONGEST_FILE_NAME);
    drop(RawLockFile::open(&files.directory.path().join(name)).unwrap());
}

// ---- threads and the process ----

#[test]
fn numbers_of_threads_are_never_used_twice() {
    let mut numbers: Vec<u64> = (0..200)
        .map(|_| thread::spawn(current_thread).join().unwrap())
        .collect();
    numbers.push(current_thread());
    assert_eq!(current_thread(), current_thread());
    assert!(numbers.iter().all(|number| (1..1 << 63).contains(number)));
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count);
    assert_ne!(thread_info(current_thread()).id, 0);
    assert!(thread_info(current_thread()).name.is_some());
}

#[test]
fn a_thread_is_started_and_the_environment_is_read() {
    let (send, receive) = std::sync::mpsc::channel();
    spawn("lock-test", move || {
        let name = thread::current().name().map(str::to_owned);
        send.send(name).unwrap();
    })
    .unwrap();
    let name = receive.recv_timeout(LONG).unwrap();
    assert_eq!(name.as_deref(), Some("lock-test"));
    assert_eq!(environment_variable(c"PATH"), std::env::var_os("PATH"));
    assert_eq!(environment_variable(c"LOCKUTILS_NOT_SET"), None);
}

#[test]
fn the_file_system_has_a_name() {
    let files = Files::new();
    assert!(file_system_of(files.directory.path()).is_some_and(|name| !name.is_empty()));
    assert!(holders_of(&files.path()).is_err() || holders_of(&files.path()).unwrap().is_empty());
}
