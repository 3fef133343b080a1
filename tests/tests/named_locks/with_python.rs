//! The file of a name and a prefix, in Rust and in Python.

use std::path::Path;
use std::process::Command;

use lockutils_tests::python;
use lockutils_tests::sections::Sections;
use oslo_concurrency::lockutils;

use crate::{lock_path, process};

/// Compared with oslo itself, for names and prefixes with all characters that a path can have.
#[test]
fn the_file_of_a_name_and_a_prefix_is_the_one_that_oslo_takes() {
    let names = ["x", "a/b", "/a", "a-b", "-", "..x", "ü ☃", "image-7.lock"];
    let prefixes = [
        "", "myapp", "myapp-", "my/app", "my/app-", "my/", "a.b", "-",
    ];
    let script = "import os, sys\nfrom oslo_concurrency import lockutils\nfor prefix in \
                  sys.argv[2].split('|'):\n  \
                  for name in sys.argv[1].split('|'):\n    \
                  print(os.fsdecode(lockutils.external_lock(name, prefix, '/locks').path))";
    let output = Command::new(python::interpreter())
        .args([
            "-X",
            "utf8",
            "-c",
            script,
            &names.join("|"),
            &prefixes.join("|"),
        ])
        .output()
        .unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    let ours = prefixes.map(|prefix| {
        names.map(|name| {
            let lock = lockutils::external_lock(name, Some(prefix), Some(Path::new("/locks")));
            format!("{}\n", lock.unwrap().path().display())
        })
    });
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(theirs, ours.as_flattened().concat(), "{printed}");
}

#[test]
fn each_sees_a_hold_with_a_prefix_that_is_a_folder() {
    let directory = lock_path();
    let (mut rust, mut python) = (process(&directory), python::oslo_worker(directory.path()));
    let file = directory.path().join("sections");
    drop(Sections::open(&file).unwrap());
    for (me, process, mode) in [(1, &mut rust, "blocking"), (2, &mut python, "polling")] {
        process.send(&format!(
            "sections x {} 300 {me} {mode} my/app",
            file.display()
        ));
    }
    assert_eq!(python.answer(), "done");
    assert_eq!(rust.answer(), "done");
    assert_eq!(Sections::open(&file).unwrap().count(), 600);
    assert!(directory.path().join("my/app-x").exists());
}
