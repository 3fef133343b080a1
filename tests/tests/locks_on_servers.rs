//! `explore` on locks of the zoo that are on a server which the command starts.

use std::process::{Command, Output};

use lockutils_tests::command::{folder, text, workspace};
use lockutils_tests::{debian, python};

/// Explores a lock on Redis in one scenario. The lease of the locks is 10 s.
fn explore(kind: &str, scenario: &str, schedules: &str, found: &std::path::Path) -> Output {
    explore_with(kind, scenario, schedules, found, &[])
}

fn explore_with(
    kind: &str,
    scenario: &str,
    schedules: &str,
    found: &std::path::Path,
    options: &[&str],
) -> Output {
    debian::provide("redis-server", "redis-server").expect("redis-server");
    Command::new(folder().join("cargo-lockutils"))
        .args([
            "lockutils",
            "explore",
            "--servers",
            "redis",
            "--scenario",
            scenario,
        ])
        .args([
            "--schedules",
            schedules,
            "--duration",
            "120s",
            "--seed",
            "7",
            "--save",
        ])
        .arg(found)
        .args(options)
        .arg("--")
        .arg(python::environment(&["redis==8.1.0"]))
        .args(["redis_locks_worker.py", kind])
        .env("PYTHONPATH", workspace().join("docs/workers"))
        .current_dir(workspace().join("tests/zoo"))
        .output()
        .expect("the command")
}

#[track_caller]
fn is_broken_and_replayed(kind: &str, scenario: &str, story: &[&str]) {
    let base = tempfile::tempdir().expect("a folder");
    let found = base.path().join("found.txt");
    let output = explore(kind, scenario, "100", &found);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for part in story {
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
    let again = Command::new(folder().join("cargo-lockutils"))
        .args(["lockutils", "replay", "--times", "5"])
        .arg(&found)
        .env("PYTHONPATH", workspace().join("docs/workers"))
        .current_dir(workspace().join("tests/zoo"))
        .output()
        .expect("the command");
    let printed = text(&again);
    assert!(
        printed.contains("5 of 5 runs reached the violation"),
        "{printed}"
    );
}

#[test]
fn a_watch_without_a_transaction_lets_two_in() {
    is_broken_and_replayed(
        "watch",
        "contend",
        &["request WATCH", "the server answers nil"],
    );
}

#[test]
fn a_stale_holder_that_deletes_the_lock_of_the_next_one_lets_a_third_in() {
    let story = ["its lease runs out", "request DEL", "ENTERS THE SECTION"];
    is_broken_and_replayed("get-then-del", "expire", &story);
}

#[test]
fn a_token_that_is_drawn_after_the_lock_breaks_the_fence() {
    let story = [
        "FENCE BROKEN after",
        "its lease runs out",
        "ENTERS THE SECTION with token 2",
        "worker 0 has token 2 (step 7), and worker 1",
    ];
    is_broken_and_replayed("token-after", "expire", &story);
}

#[test]
fn an_overlap_with_a_stale_holder_alone_is_no_race() {
    let base = tempfile::tempdir().expect("a folder");
    for (kind, scenario, tells) in [
        ("script", "contend", "no violation found: 30 schedules"),
        ("library", "expire", "lease expired: 30 schedules"),
        ("token-in-script", "expire", "lease expired: 30 schedules"),
        ("script", "crash", "no violation found: 30 schedules"),
    ] {
        let output = explore(kind, scenario, "30", &base.path().join("found.txt"));
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(0), "{kind}: {printed}");
        assert!(printed.contains(tells), "{kind}: {printed}");
    }
}

/// Each explorer has a server of its own, which its workers have used before they were ready.
#[test]
fn the_result_does_not_depend_on_the_number_of_explorers() {
    let base = tempfile::tempdir().expect("a folder");
    let counts = |jobs: &str| {
        let options = ["--strategy", "depth-first", "--jobs", jobs];
        let found = base.path().join("found.txt");
        let output = explore_with("library", "expire", "60", &found, &options);
        let printed = text(&output);
        let count = printed.lines().find(|line| line.contains("the lease had"));
        count
            .map(str::to_owned)
            .unwrap_or_else(|| panic!("{printed}"))
    };
    assert_eq!(counts("1"), counts("3"));
}
