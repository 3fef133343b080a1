//! The location of lock files: the default, and the settings that override it.

use std::fs;
use std::path::Path;

use oslo_concurrency::lockutils::{self, scope::LockPathScope};

use crate::{lock_path, process};

#[test]
fn a_default_goes_before_the_environment() {
    let directory = lock_path();
    let mut one = process(&directory);
    let from_environment = directory.path().to_str().unwrap();
    assert_eq!(one.ask("lock-path"), from_environment);
    assert_eq!(one.ask("set-defaults /the/path"), "done");
    assert_eq!(one.ask("lock-path"), "/the/path");
}

#[test]
fn an_override_goes_before_the_default_and_ends() {
    let directory = lock_path();
    let mut one = process(&directory);
    let ini = directory.path().join("service.conf");
    fs::write(&ini, "[oslo_concurrency]\nlock_path = /from/the/file\n").unwrap();
    assert_eq!(one.ask(&format!("configure {}", ini.display())), "done");
    assert_eq!(one.ask("set-defaults /the/path"), "done");
    assert_eq!(one.ask("enter-scope /alternate/path"), "done");
    assert_eq!(one.ask("lock-path"), "/alternate/path");
    assert_eq!(one.ask("leave-scope"), "done");
    assert_eq!(one.ask("lock-path"), "/the/path");
}

#[test]
fn an_empty_lock_path_is_none() {
    let directory = lock_path();
    let lock = lockutils::lock("x").external(true).lock_path("");
    for _ in 0..2 {
        // The second time the lock is cached, and must not be confused with that of another
        // directory.
        let _scope = LockPathScope::enter(directory.path());
        lock.run(|| ()).unwrap();
        assert!(directory.path().join("x").exists());
        lockutils::remove_external_lock_file("x", Some(Path::new(""))).unwrap();
        assert!(!directory.path().join("x").exists());
    }
}
