//! Locks that exclude but make waiters wait wrongly: `Stress` finds each defect within ten seconds.

// The locks and the faults here are those of Linux; `portable.rs` runs everywhere.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::Instant;

use lockutils_harness::prelude::*;
use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, Oslo, WaitLimit};

mod acquires_after_giving_up;
#[path = "../broken/gives_up_early.rs"]
#[allow(dead_code, reason = "the guarantee is for another test")]
mod gives_up_early;
mod loses_a_wake_up;
#[path = "../broken/releases_early.rs"]
#[allow(dead_code, reason = "the guarantee is for another test")]
mod releases_early;
#[path = "../broken/says_busy_though_free.rs"]
#[allow(dead_code, reason = "the guarantee is for another test")]
mod says_busy_though_free;
mod starves_one_waiter;
#[path = "../broken/times_out_early.rs"]
#[allow(dead_code, reason = "the guarantee is for another test")]
mod times_out_early;

/// Asserts that a run with the default options finds a violation with all `parts`.
fn is_found<L: Lock>(make: impl Fn(&Path) -> L, parts: &[&str]) {
    is_found_in_one_way(make, &[parts]);
}

/// Asserts that a run with the default options finds a violation with all parts of one of `ways`.
fn is_found_in_one_way<L: Lock>(make: impl Fn(&Path) -> L, ways: &[&[&str]]) {
    let directory = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let report = Stress::new().exercise(&make(directory.path()));
    let took = began.elapsed();
    let verdict = report.verdict();
    println!("found after {:.1} s: {verdict}", took.as_secs_f64());
    let Finding::Violated(story) = verdict else {
        panic!("not found: {report:?}");
    };
    let is_told = |parts: &&[&str]| parts.iter().all(|part| story.contains(part));
    assert!(
        ways.iter().any(is_told),
        "{ways:?} are missing in:\n{story}"
    );
}

#[test]
fn starves_one_waiter_is_found() {
    is_found(
        starves_one_waiter::make,
        &[
            "starved",
            "took the lock over from others",
            "its longest wait took",
            "requests the lock and waits",
        ],
    );
}

#[test]
fn times_out_early_is_found() {
    let parts = ["timeout", "was ready to wait for", "too early"];
    is_found(times_out_early::once_in_20, &parts);
    is_found(gives_up_early::make, &parts);
}

#[test]
fn acquires_after_giving_up_is_found() {
    // Nobody knows of what it acquires then, which the other process may notice first.
    let ways: [&[&str]; 2] = [
        &["given up", "gave up its wait"],
        &["no worker holds the lock"],
    ];
    is_found_in_one_way(acquires_after_giving_up::make, &ways);
}

#[test]
fn says_busy_though_free_is_found() {
    is_found(
        says_busy_though_free::once_in_50,
        &["refused", "the lock was free", "the lock answered `busy`"],
    );
}

#[test]
fn loses_a_wake_up_is_found() {
    is_found(
        loses_a_wake_up::make,
        &[
            "stuck",
            "has waited for the lock since",
            "was the last to hold it",
            "(futex)",
        ],
    );
}

#[test]
fn releases_early_is_found() {
    is_found(releases_early::make, &["entered while"]);
}

#[test]
fn our_own_locks_are_not_accused() {
    let directory = tempfile::tempdir().unwrap();
    Stress::new()
        .exercise(&Oslo::new(directory.path()))
        .assert_exclusive();
    Stress::new()
        .processes(2)
        .threads(2)
        .exercise(&Oslo::fair(directory.path()))
        .assert_exclusive();
}

/// flock(2): waits in the kernel, or polls every millisecond.
struct Flock {
    path: std::path::PathBuf,
    polls: bool,
}

impl Lock for Flock {
    fn run(
        &self,
        limit: WaitLimit,
        section: &mut dyn FnMut(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let file = std::fs::File::create(&self.path)?;
        let asked = Instant::now();
        if limit == WaitLimit::Forever && !self.polls {
            file.lock()?;
        } else {
            while file.try_lock().is_err() {
                match limit {
                    WaitLimit::NoWait => return Ok(Answer::Busy),
                    WaitLimit::AtMost(time) if asked.elapsed() >= time => {
                        return Ok(Answer::TimedOut);
                    }
                    _ => std::thread::sleep(std::time::Duration::from_millis(1)),
                }
            }
        }
        section();
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        guarantee != Guarantee::Fairness
    }
}

#[test]
fn other_correct_locks_are_not_accused() {
    for polls in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let lock = Flock { path, polls };
        Stress::new().exercise(&lock).assert_exclusive();
        let stress = Stress::new().processes(2).threads(2);
        stress.exercise(&lock).assert_exclusive();
    }
}

/// Asserts that 150 random programs find a violation with all `parts`; `|` separates alternatives.
#[cfg(feature = "proptest")]
fn is_found_by_programs<L: Lock>(make: impl Fn(&Path) -> L, parts: &[&str]) {
    use proptest::prelude::*;
    use proptest::test_runner::{TestError, TestRunner};
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let began = Instant::now();
    let outcome = runner.run(&programs(2..=3, 1..=3, 1..=8), |program| {
        let directory = tempfile::tempdir().unwrap();
        prop_assert!(program.run(&make(directory.path()))?.is_exclusive());
        Ok(())
    });
    let took = began.elapsed();
    match outcome {
        Err(TestError::Fail(why, _)) => {
            println!("programs: found after {:.1} s: {why}", took.as_secs_f64());
            for part in parts {
                let found = part.split('|').any(|one| why.message().contains(one));
                assert!(found, "{part} is missing in {why}");
            }
        }
        // The test has passed in a process of its own, which observed the failure.
        Ok(()) => assert!(std::env::var_os("LOCKUTILS_HARNESS_ALONE").is_none()),
        Err(other) => panic!("{other:?}"),
    }
}

#[cfg(feature = "proptest")]
mod by_programs {
    use super::*;

    #[test]
    fn starves_one_waiter() {
        is_found_by_programs(starves_one_waiter::make, &["starved"]);
    }

    #[test]
    fn times_out_early() {
        is_found_by_programs(times_out_early::once_in_20, &["timeout", "too early"]);
    }

    #[test]
    fn acquires_after_giving_up() {
        is_found_by_programs(acquires_after_giving_up::make, &["given up"]);
    }

    #[test]
    fn says_busy_though_free() {
        is_found_by_programs(says_busy_though_free::once_in_50, &["refused"]);
    }

    #[test]
    fn loses_a_wake_up() {
        // The death of its holder leaves it held, too. If the machine is slow, the run may end before
        // the waiter counts as stuck; then it is found held although nothing holds it.
        is_found_by_programs(loses_a_wake_up::make, &["stuck|orphan"]);
    }

    #[test]
    fn releases_early() {
        is_found_by_programs(releases_early::make, &["entered while"]);
    }
}
