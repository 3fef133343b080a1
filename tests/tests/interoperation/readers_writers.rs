//! `InterProcessReaderWriterLock` and fasteners' lock of that name on one file.

use lockutils_tests::sections::Sections;

use crate::{each_way, pair};

#[test]
fn readers_share_and_writers_exclude_across_the_languages() {
    each_way(|mut one, mut other| {
        for process in [&mut one, &mut other] {
            assert_eq!(process.ask("keep x"), "kept");
        }
        assert_eq!(one.ask("read x"), "acquired");
        assert_eq!(other.ask("try-write x"), "busy");
        assert_eq!(other.ask("try-read x"), "acquired");
        assert_eq!(one.ask("release x"), "released");
        assert_eq!(one.ask("try-write x"), "busy");
        assert_eq!(other.ask("release x"), "released");
        assert_eq!(one.ask("try-write x"), "acquired");
        assert_eq!(other.ask("try-read x"), "busy");
        assert_eq!(other.ask("try-write x"), "busy");
        assert_eq!(one.ask("release x"), "released");
        assert_eq!(other.ask("try-write x"), "acquired");
    });
}

#[test]
fn they_exclude_exclusive_locks_on_the_same_file_too() {
    each_way(|mut one, mut other| {
        for process in [&mut one, &mut other] {
            assert_eq!(process.ask("keep x"), "kept");
        }
        assert_eq!(one.ask("acquire x"), "acquired");
        assert_eq!(other.ask("try-read x"), "busy");
        assert_eq!(one.ask("release x"), "released");
        assert_eq!(other.ask("read x"), "acquired");
        assert_eq!(one.ask("try x"), "busy");
    });
}

#[test]
fn the_death_of_a_reader_or_writer_lets_the_other_language_in() {
    for hold in ["read x", "write x"] {
        each_way(|mut one, mut other| {
            assert_eq!(one.ask("keep x"), "kept");
            assert_eq!(other.ask("keep x"), "kept");
            assert_eq!(one.ask(hold), "acquired");
            assert_eq!(other.ask("try-write x"), "busy", "{hold}");
            other.send("write x");
            one.kill();
            assert_eq!(other.answer(), "acquired", "{hold}");
        });
    }
}

/// Two processes of each language; a third of the sections write.
#[test]
fn sections_of_writers_overlap_with_nothing() {
    const EACH: u64 = 900;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sections");
    drop(Sections::open(&file).unwrap());
    let ((one, two), (three, four)) = (pair(directory.path()), pair(directory.path()));
    let mut processes = [one, two, three, four];
    for (me, process) in (1..).zip(&mut processes) {
        process.send(&format!(
            "read-write-sections x {} {EACH} {me}",
            file.display()
        ));
    }
    for (me, process) in (1..).zip(&processes) {
        assert_eq!(process.answer(), "done", "process {me}");
    }
    assert_eq!(Sections::open(&file).unwrap().count(), 4 * EACH / 3);
}
