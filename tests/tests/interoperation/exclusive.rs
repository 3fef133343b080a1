//! Exclusive locks by name.

use lockutils_tests::sections::Sections;

use crate::{each_way, pair};

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
        other.send("acquire x");
        one.kill();
        assert_eq!(other.answer(), "acquired");
    });
}

/// Four kinds of use with 2,500 sections each, half in Rust and half in Python.
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
        rust.send(&sections(1, rust_mode));
        python.send(&sections(2, python_mode));
        assert_eq!(python.answer(), "done", "{python_mode}{prefix}");
        assert_eq!(rust.answer(), "done", "{rust_mode}{prefix}");
        assert_eq!(Sections::open(&file).unwrap().count(), 2 * EACH);
        let lock_file = format!("{}a_b", if prefix.is_empty() { "" } else { "myapp-" });
        assert!(directory.path().join(&lock_file).exists(), "{lock_file}");
    }
}
