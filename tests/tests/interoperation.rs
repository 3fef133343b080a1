//! Rust and Python's oslo.concurrency on the same external locks.

use std::path::Path;

use lockutils_tests::conversation::Conversation;
use lockutils_tests::sections::Sections;
use lockutils_tests::{holder, python};
use oslo_concurrency::lockutils;

fn pair(lock_path: &Path) -> (Conversation, Conversation) {
    (
        holder::start(env!("CARGO_BIN_EXE_lock-holder"), lock_path),
        python::oslo_worker(lock_path),
    )
}

fn each_way(test: impl Fn(Conversation, Conversation)) {
    for python_first in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (rust, python) = pair(directory.path());
        if python_first {
            test(python, rust);
        } else {
            test(rust, python);
        }
    }
}

#[test]
fn each_sees_the_hold_of_the_other_as_busy() {
    each_way(|mut one, mut other| {
        assert_eq!(one.ask("acquire x"), "acquired");
        assert_eq!(other.ask("try x"), "busy");
        assert_eq!(other.ask("try y"), "acquired");
        assert_eq!(one.ask("release x"), "released");
        assert_eq!(other.ask("try x"), "acquired");
        assert_eq!(one.ask("try x"), "busy");
    });
}

#[test]
fn each_gets_the_lock_when_the_other_is_killed() {
    each_way(|mut one, mut other| {
        assert_eq!(one.ask("acquire x"), "acquired");
        assert_eq!(other.ask("try x"), "busy");
        other.tell("acquire x");
        one.kill();
        assert_eq!(other.answer(), "acquired");
    });
}

/// Four kinds of use, 2,500 sections each, half in Rust and half in Python.
#[test]
fn ten_thousand_sections_never_overlap() {
    const EACH: u64 = 1_250;
    for (rust_mode, python_mode, prefix) in [
        ("blocking", "blocking", ""),
        ("blocking", "blocking", " myapp-"),
        ("polling", "polling", " myapp"),
        ("synchronized", "synchronized", " myapp"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sections");
        drop(Sections::open(&file).unwrap());
        let (mut rust, mut python) = pair(directory.path());
        let sections =
            |me, mode| format!("sections a/b {} {EACH} {me} {mode}{prefix}", file.display());
        rust.tell(&sections(1, rust_mode));
        python.tell(&sections(2, python_mode));
        assert_eq!(python.answer(), "done", "{python_mode}{prefix}");
        assert_eq!(rust.answer(), "done", "{rust_mode}{prefix}");
        assert_eq!(Sections::open(&file).unwrap().count(), 2 * EACH);
        let lock_file = format!("{}a_b", if prefix.is_empty() { "" } else { "myapp-" });
        assert!(directory.path().join(&lock_file).exists(), "{lock_file}");
    }
}

/// Asked of oslo itself, for names and prefixes with everything in them that a path can have.
#[test]
fn the_file_of_a_name_and_a_prefix_is_the_one_that_oslo_takes() {
    let names = ["x", "a/b", "/a", "a-b", "-", "..x", "ü ☃", "image-7.lock"];
    let prefixes = [
        "", "myapp", "myapp-", "my/app", "my/app-", "my/", "a.b", "-",
    ];
    let script = "import os, sys\nfrom oslo_concurrency import lockutils\nfor prefix in sys.argv[2].split('|'):\n  \
                  for name in sys.argv[1].split('|'):\n    \
                  print(os.fsdecode(lockutils.external_lock(name, prefix, '/locks').path))";
    let output = std::process::Command::new(python::interpreter())
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
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(theirs, ours.as_flattened().concat(), "{told}");
}

#[test]
fn each_sees_a_hold_with_a_prefix_that_is_a_folder() {
    let directory = tempfile::tempdir().unwrap();
    let (mut rust, mut python) = pair(directory.path());
    let file = directory.path().join("sections");
    drop(Sections::open(&file).unwrap());
    for (me, process, mode) in [(1, &mut rust, "blocking"), (2, &mut python, "polling")] {
        process.tell(&format!(
            "sections x {} 300 {me} {mode} my/app",
            file.display()
        ));
    }
    assert_eq!(python.answer(), "done");
    assert_eq!(rust.answer(), "done");
    assert_eq!(Sections::open(&file).unwrap().count(), 600);
    assert!(directory.path().join("my/app-x").exists());
}
