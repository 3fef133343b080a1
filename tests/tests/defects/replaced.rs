//! Lock files that are moved away or removed between two uses.

use std::fs;

use oslo_concurrency::lockutils::{
    self, Error, InterProcessLock, InterProcessReaderWriterLock, remove_external_lock_file,
};

use crate::lock_path;

/// The file that was opened as `new` is now called `old` and is held, which says nothing about the
/// file that `new` names today.
#[test]
fn a_thread_that_holds_a_file_under_its_new_name_gets_the_one_of_its_old_name() {
    let directory = lock_path();
    let [new, old] = ["new", "old"].map(|name| directory.path().join(name));
    let moved = InterProcessLock::new(&old);
    drop(moved.acquire().unwrap());
    fs::rename(&old, &new).unwrap();
    let held = InterProcessLock::new(&new).acquire().unwrap();
    drop(moved.try_acquire().unwrap());
    assert!(old.exists());
    fs::remove_file(&old).unwrap();

    drop(moved.acquire().unwrap());
    fs::remove_file(&new).unwrap();
    fs::rename(&old, &new).unwrap();
    let also_held = InterProcessLock::new(directory.path().join("./new"))
        .acquire()
        .unwrap();
    drop(moved.acquire().unwrap());
    // A deadlock is still detected if the path does lead to the file that is held.
    fs::remove_file(&old).unwrap();
    fs::hard_link(&new, &old).unwrap();
    assert!(matches!(moved.acquire(), Err(Error::WouldDeadlock { .. })));
    drop((held, also_held));
}

#[test]
fn a_thread_that_writes_a_file_under_its_new_name_gets_the_one_of_its_old_name() {
    let directory = lock_path();
    let [new, old] = ["new", "old"].map(|name| directory.path().join(name));
    let moved = InterProcessReaderWriterLock::new(&old);
    drop(moved.write().unwrap());
    fs::rename(&old, &new).unwrap();
    let current = InterProcessReaderWriterLock::new(&new);
    let writer = current.write().unwrap();
    drop(moved.write().unwrap());
    fs::remove_file(&old).unwrap();
    drop(writer);

    drop(moved.read().unwrap());
    fs::rename(&old, &new).unwrap();
    let reader = current.read().unwrap();
    drop(moved.try_write().unwrap());
    fs::remove_file(&old).unwrap();
    fs::hard_link(&new, &old).unwrap();
    assert!(matches!(moved.write(), Err(Error::UpgradeRefused { .. })));
    drop(reader);
}

/// Processes that came before the file was removed and those that came after must queue at the same
/// turnstile.
#[test]
fn the_gate_of_a_fair_lock_is_made_anew_when_it_was_removed() {
    let directory = lock_path();
    let gate = directory.path().join(".defect-gate.turnstile");
    let fair = || {
        let lock = lockutils::lock("defect-gate").external(true).fair(true);
        lock.lock_path(directory.path()).run(|| ()).unwrap();
    };
    fair();
    assert!(gate.exists());
    remove_external_lock_file("defect-gate", Some(directory.path())).unwrap();
    assert!(!gate.exists());
    fair();
    assert!(
        gate.exists(),
        "it queues at a file that no other process can open"
    );
    // The same if only the turnstile was removed.
    fs::remove_file(&gate).unwrap();
    fair();
    assert!(
        gate.exists(),
        "it queues at a file that no other process can open"
    );
}
