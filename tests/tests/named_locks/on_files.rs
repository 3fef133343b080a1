//! The files of external locks.

use std::path::Path;

use lockutils_tests::sections::Sections;
use oslo_concurrency::lockutils::{
    self, Error, InterProcessLock, InterProcessReaderWriterLock, scope::LockPathScope,
};

use crate::{in_another_thread, is_busy, lock_path, process};

#[lockutils::synchronized("outer", external, prefix = "test-")]
fn outer() -> Result<u32, Error> {
    inner()
}

#[lockutils::synchronized("inner", external, prefix = "test-")]
fn inner() -> Result<u32, Error> {
    let directory = lockutils::get_lock_path().expect("a scope");
    assert!(directory.join("test-outer").exists() && directory.join("test-inner").exists());
    Ok(42)
}

#[test]
fn synchronized_functions_nest() {
    let directory = lock_path();
    let _scope = LockPathScope::enter(directory.path());
    assert_eq!(outer().unwrap(), 42);
}

#[test]
fn processes_that_find_no_directory_make_one_and_exclude_each_other() {
    const EACH: u64 = 100;
    let directory = lock_path();
    let file = directory.path().join("sections");
    drop(Sections::open(&file).unwrap());
    let missing = directory.path().join("not/yet/there");
    let mut processes = [(); 4].map(|()| process(&missing));
    for (me, process) in (1..).zip(&mut processes) {
        process.send(&format!(
            "sections x {} {EACH} {me} blocking",
            file.display()
        ));
    }
    for process in &processes {
        assert_eq!(process.answer(), "done");
    }
    assert_eq!(Sections::open(&file).unwrap().count(), 4 * EACH);
    assert!(missing.join("x").exists());
}

/// The name of the locked file, the only one in its directory.
fn file_of(section: impl FnOnce(&Path)) -> String {
    let directory = lock_path();
    let scope = LockPathScope::enter(directory.path());
    section(directory.path());
    drop(scope);
    let files: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn a_prefix_is_joined_with_one_hyphen_however_it_is_given() {
    #[lockutils::synchronized("lock", external, prefix = "hyphen")]
    fn without_hyphen() -> Result<(), Error> {
        Ok(())
    }
    #[lockutils::synchronized("lock", external)]
    fn without_prefix() -> Result<(), Error> {
        Ok(())
    }
    let with_prefix = lockutils::lock_with_prefix("mypfix-");
    let locked = |lock: lockutils::LockOptions<'_>| lock.external(true).run(|| ()).unwrap();

    assert_eq!(file_of(|_| locked(with_prefix("mylock"))), "mypfix-mylock");
    assert_eq!(file_of(|_| without_hyphen().unwrap()), "hyphen-lock");
    assert_eq!(file_of(|_| without_prefix().unwrap()), "lock");
    let by_path = |path: &Path| {
        let lock = lockutils::external_lock("a/b", Some("mypfix"), Some(path)).unwrap();
        drop(lock.acquire().unwrap());
    };
    assert_eq!(file_of(by_path), "mypfix-a_b");
}

#[test]
fn the_file_is_there_while_the_lock_is_held() {
    let directory = lock_path();
    #[lockutils::synchronized("lock-file", external, lock_path = path)]
    fn foo(path: &Path) -> Result<bool, Error> {
        Ok(path.join("lock-file").exists())
    }
    assert!(foo(directory.path()).unwrap());
}

#[test]
fn external_locks_are_taken_one_within_another_and_within_an_internal_one() {
    let directory = lock_path();
    let _scope = LockPathScope::enter(directory.path());
    let external = |name| lockutils::lock(name).external(true).acquire();
    let _internal = lockutils::lock("within").acquire().unwrap();
    let _one = external("test1").unwrap();
    let _two = external("test2").unwrap();
    assert!(directory.path().join("test1").exists() && directory.path().join("test2").exists());
    assert!(!directory.path().join("within").exists());
}

#[test]
fn a_lock_is_free_again_when_its_guard_is_dropped() {
    let directory = lock_path();
    let _scope = LockPathScope::enter(directory.path());
    let guard = lockutils::lock("unlocks").acquire().unwrap();
    for _ in 0..2 {
        let guard = lockutils::lock("unlocks-2").external(true).acquire();
        drop(guard.unwrap());
    }
    drop(guard);
    lockutils::lock("unlocks")
        .blocking(false)
        .run(|| ())
        .unwrap();
}

#[test]
fn ten_processes_are_refused_while_it_is_held_and_let_in_one_by_one_afterwards() {
    let directory = lock_path();
    let lock = InterProcessLock::new(directory.path().join("x"));
    let mut others: Vec<_> = (0..10).map(|_| process(&directory)).collect();
    let guard = lock.acquire().unwrap();
    for other in &mut others {
        assert_eq!(other.ask("try x"), "busy");
    }
    drop(guard);
    for other in &mut others {
        assert_eq!(other.ask("try x"), "acquired");
        assert_eq!(other.ask("release x"), "released");
    }
}

#[test]
fn a_lock_that_is_held_is_not_taken_twice_and_is_free_when_its_one_guard_goes() {
    let directory = lock_path();
    let lock = InterProcessLock::new(directory.path().join("x"));
    let guard = lock.try_acquire().unwrap();
    assert!(is_busy(&lock.try_acquire()));
    assert!(in_another_thread(|| is_busy(&lock.try_acquire())));
    drop(guard);
    assert_eq!(process(&directory).ask("try x"), "acquired");
}

#[test]
fn a_writer_on_a_file_does_not_write_twice_and_is_gone_when_its_one_guard_goes() {
    let directory = lock_path();
    let lock = InterProcessReaderWriterLock::new(directory.path().join("x"));
    drop(lock.write().unwrap());
    drop(lock.read().unwrap());
    let guard = lock.try_write().unwrap();
    assert!(is_busy(&lock.try_write()));
    drop(guard);
    let mut other = process(&directory);
    assert_eq!(other.ask("keep x"), "kept");
    assert_eq!(other.ask("try-write x"), "acquired");
}

/// A reader or writer dies while a writer waits for it.
#[test]
fn a_writer_comes_in_when_the_reader_or_writer_before_it_crashes() {
    for crashes in ["read x", "write x"] {
        let directory = lock_path();
        let [mut one, mut other] = [(); 2].map(|()| process(&directory));
        for process in [&mut one, &mut other] {
            assert_eq!(process.ask("keep x"), "kept");
        }
        assert_eq!(one.ask(crashes), "acquired");
        assert_eq!(other.ask("try-write x"), "busy", "{crashes}");
        other.send("write x");
        other.wait_until_it_waits();
        one.kill();
        assert_eq!(other.answer(), "acquired", "{crashes}");
    }
}

#[test]
fn nine_processes_read_at_once_and_the_writer_comes_after_the_last() {
    let directory = lock_path();
    let mut readers: Vec<_> = (0..9).map(|_| process(&directory)).collect();
    let mut writer = process(&directory);
    for process in readers.iter_mut().chain([&mut writer]) {
        assert_eq!(process.ask("keep x"), "kept");
    }
    for reader in &mut readers {
        assert_eq!(reader.ask("read x"), "acquired");
    }
    writer.send("write x");
    writer.wait_until_it_waits();
    for reader in &mut readers {
        assert_eq!(writer.answer_so_far(), None);
        assert_eq!(reader.ask("release x"), "released");
    }
    assert_eq!(writer.answer(), "acquired");
    assert_eq!(readers[0].ask("try-read x"), "busy");
}
