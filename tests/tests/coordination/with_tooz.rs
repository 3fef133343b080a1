//! Rust and Python's tooz on the same locks of the same service.

use std::time::Instant;

use lockutils_tests::conversation::Conversation;
use lockutils_tests::sections::Sections;
use lockutils_tests::tooz;

use crate::engines::{Service, redis, with_files};
use crate::rust;

const LEASE: &str = "3";

/// The URLs for Rust and for Python.
fn urls(service: &Service) -> (String, String) {
    let url = &service.url;
    let ours = match service.sessions {
        true => format!("{url}&tooz=1"),
        false => url.clone(),
    };
    (ours, url.split("?tokens").next().unwrap().to_owned())
}

/// Runs the test with each engine, with Rust first and Python second, and the other way round.
fn each_way(test: impl Fn(&Service, Conversation, Conversation)) {
    for python_first in [false, true] {
        for service in with_files(LEASE) {
            let (ours, theirs) = urls(&service);
            println!("{ours}, Python first: {python_first}");
            let pair = (rust(&ours), tooz::worker(&theirs));
            let (one, other) = if python_first { (pair.1, pair.0) } else { pair };
            test(&service, one, other);
        }
    }
}

#[test]
fn each_sees_the_hold_of_the_other_as_busy() {
    each_way(|_, mut one, mut other| {
        assert_eq!(one.ask("acquire x"), "acquired");
        assert_eq!(other.ask("try x"), "busy");
        assert_eq!(other.ask("try y"), "acquired");
        // Longer than a lease: both renew theirs.
        std::thread::sleep(std::time::Duration::from_secs(4));
        assert_eq!(other.ask("try x"), "busy");
        assert_eq!(one.ask("check x"), "held");
        assert_eq!(one.ask("release x"), "released");
        assert_eq!(other.ask("try x"), "acquired");
        assert_eq!(one.ask("try x"), "busy");
    });
}

/// At once, or with the lease.
#[test]
fn each_gets_the_lock_when_the_other_is_killed() {
    each_way(|_, mut one, mut other| {
        assert_eq!(one.ask("acquire x"), "acquired");
        assert_eq!(other.ask("try x"), "busy");
        other.send("acquire x");
        one.kill();
        assert_eq!(other.answer(), "acquired");
    });
}

/// Rust and Python enter this many sections each, on each engine.
fn never_overlap(each: u64) {
    for service in with_files(LEASE) {
        let began = Instant::now();
        let directory = tempfile::tempdir().unwrap();
        let sections = directory.path().join("sections");
        drop(Sections::open(&sections).unwrap());
        let (ours, theirs) = urls(&service);
        let (mut rust, mut python) = (rust(&ours), tooz::worker(&theirs));
        rust.send(&format!("sections x {} {each} 1", sections.display()));
        python.send(&format!("sections x {} {each} 2", sections.display()));
        assert_eq!(rust.answer(), "done");
        assert_eq!(python.answer(), "done");
        assert_eq!(Sections::open(&sections).unwrap().count(), 2 * each);
        println!(
            "{}: {each} sections each in {:.1?}",
            service.url,
            began.elapsed()
        );
    }
}

#[test]
fn sections_never_overlap() {
    never_overlap(300);
}

#[test]
#[ignore = "takes minutes: cargo test -p lockutils-tests --test coordination -- --ignored two_thousand"]
fn two_thousand_sections_never_overlap() {
    never_overlap(2_000);
}

/// A value of another kind under the key is refused, not overwritten.
#[test]
fn a_key_of_another_type_is_refused() {
    let service = redis(LEASE);
    let mut rust = rust(&service.url);
    service.command(&["lpush", "_tooz_x_lock", "1"]);
    let answer = rust.ask("try x");
    assert!(
        answer.contains("the server refused the request"),
        "{answer}"
    );
}
