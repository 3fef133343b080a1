//! `remove_external_lock_file` and its errors.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::geteuid;
use oslo_concurrency::lockutils::{self, scope::LockPathScope};

use crate::{lock_path, process};

#[test]
fn the_file_of_name_prefix_and_lock_path_is_removed_and_no_other() {
    let directory = lock_path();
    let file = |name: &str| directory.path().join(name);
    for name in ["x", "myapp-x", "myapp-y"] {
        fs::write(file(name), "").unwrap();
    }
    lockutils::remove_external_lock_file_with_prefix("myapp", "x", Some(directory.path())).unwrap();
    assert!(!file("myapp-x").exists());
    assert!(file("x").exists() && file("myapp-y").exists());
}

#[test]
fn without_a_lock_path_of_its_own_it_removes_from_the_one_that_is_configured() {
    let directory = lock_path();
    let _scope = LockPathScope::enter(directory.path());
    lockutils::lock("x").external(true).run(|| ()).unwrap();
    lockutils::remove_external_lock_file("x", None).unwrap();
    assert!(!directory.path().join("x").exists());
}

#[test]
fn a_file_that_is_missing_is_no_error_and_is_not_made() {
    let directory = lock_path();
    for missing in [directory.path().to_owned(), directory.path().join("no")] {
        lockutils::remove_external_lock_file("x", Some(&missing)).unwrap();
        lockutils::remove_external_lock_file_with_prefix("a", "x", Some(&missing)).unwrap();
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// oslo writes a warning to its log.
#[test]
fn a_file_that_may_not_be_removed_is_an_error_that_names_it() {
    let directory = lock_path();
    let file = directory.path().join("x");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut one = process(&directory);
    if geteuid().is_root() {
        // Root may do anything, so the process gives up root first.
        assert_eq!(one.ask("become-nobody"), "done");
    }
    let answer = one.ask("remove x");
    assert!(
        answer.starts_with("error")
            && answer.contains(file.to_str().unwrap())
            && answer.contains("Permission denied"),
        "{answer}"
    );
    assert_eq!(one.ask("try x"), "acquired", "nothing stays locked");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(file.exists());
}
