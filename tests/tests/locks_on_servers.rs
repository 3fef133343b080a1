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

/// The report has the keys as they are after each step, and whose they are.
#[test]
fn the_states_have_the_keys_of_the_server() {
    let base = tempfile::tempdir().expect("a folder");
    let found = base.path().join("found.txt");
    let output = explore_with("get-then-del", "expire", "100", &found, &["--json"]);
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let found = &report["outcomes"][0]["counterexample"];
    let steps = found["steps"].as_array().expect("steps");
    let mut keys = found["before"]["keys"].clone();
    assert_eq!(keys.as_array().map(Vec::len), Some(0), "{found:#}");
    let mut owners = Vec::new();
    for step in steps {
        let before = keys.clone();
        if let Some(after) = step.get("after") {
            keys = after["keys"].clone();
        }
        let owned = |keys: &serde_json::Value| keys[0]["owner"].as_u64();
        if step["fault"] == "expiry" {
            let worker = step["worker"].as_u64();
            assert!(worker.is_some() && owned(&before) == worker, "{found:#}");
            assert_eq!(keys.as_array().map(Vec::len), Some(0), "{found:#}");
            assert_eq!(step["after"]["workers"][0]["lease_over"], true);
        }
        if owned(&keys).is_some() && owned(&keys) != owned(&before) {
            owners.extend(owned(&keys));
            assert!(keys[0]["left_s"].as_u64().is_some_and(|left| left <= 10));
            assert_ne!(keys[0]["value"], "");
        }
    }
    // The third gets in although the second has a lease.
    owners.sort_unstable();
    assert_eq!(owners, [0, 1, 2], "{found:#}");
}

#[test]
fn an_overlap_with_a_stale_holder_alone_is_no_race() {
    let base = tempfile::tempdir().expect("a folder");
    for (kind, scenario, tells) in [
        ("script", "contend", "no violation found: 30 schedules"),
        ("library", "expire", "lease expired: 30 schedules"),
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
