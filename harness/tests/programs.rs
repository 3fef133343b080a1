//! Random programs with our locks and with a broken one.

// The locks and the faults here are those of Linux; `portable.rs` runs everywhere.
#![cfg(target_os = "linux")]

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

use lockutils_harness::prelude::*;
use lockutils_harness::testing::conformance::{Answer, Lock, Oslo, WaitLimit};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestError, TestRunner};

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn programs_exclude(program in programs(2..=3, 1..=3, 1..=8)) {
        let directory = tempfile::tempdir().unwrap();
        prop_assert!(program.run(&Oslo::new(directory.path()))?.is_exclusive());
    }

    #[test]
    fn programs_exclude_fairly(program in programs(2..=3, 1..=2, 1..=6)) {
        let directory = tempfile::tempdir().unwrap();
        prop_assert!(program.run(&Oslo::fair(directory.path()))?.is_exclusive());
    }
}

/// Does not check the path after locking: broken if the lock file is removed.
struct Unchecked(PathBuf);

impl Lock for Unchecked {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        if limit != WaitLimit::Forever {
            return Ok(Answer::Unsupported);
        }
        let file = File::create(&self.0)?;
        file.lock()?;
        section();
        Ok(Answer::Ran)
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

/// The regression file of the test that fails on purpose.
const REGRESSIONS: &str = "LOCKUTILS_TEST_REGRESSIONS";

#[test]
#[ignore = "fails on purpose, for the test below"]
fn fails_with_a_program_that_removes() {
    let Ok(file) = std::env::var(REGRESSIONS) else {
        return;
    };
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 5_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file.leak()))),
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&programs(3..=3, 1..=2, 4..=10), |program| {
        let directory = tempfile::tempdir().unwrap();
        let lock = Unchecked(directory.path().join("lock"));
        prop_assert!(program.run(&lock)?.is_exclusive());
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}"); // like proptest!
    }
}

#[test]
fn a_failing_test_ends_with_one_minimal_input_and_one_seed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("regressions.txt");
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "fails_with_a_program_that_removes"])
        .env(REGRESSIONS, &file)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{stdout}");
    let inputs: Vec<&str> = stdout.split("minimal failing input:").skip(1).collect();
    assert_eq!(inputs.len(), 1, "{stdout}");
    assert!(inputs[0].contains("Remove"), "{stdout}");
    let regressions = std::fs::read_to_string(&file).unwrap();
    let seeds = regressions.lines().filter(|line| line.starts_with("cc "));
    assert_eq!(seeds.count(), 1, "{regressions}");
}

#[test]
fn a_broken_lock_is_caught_with_a_program_that_removes_and_little_else() {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&programs(3..=3, 1..=2, 4..=10), |program| {
        let directory = tempfile::tempdir().unwrap();
        let lock = Unchecked(directory.path().join("lock"));
        prop_assert!(program.run(&lock)?.is_exclusive());
        Ok(())
    });
    match outcome {
        Err(TestError::Fail(why, program)) => {
            assert!(why.message().contains("let two holders in"), "{why}");
            assert!(format!("{program:?}").contains("Remove"), "{program:?}");
        }
        // The test has passed in a process of its own, which observed the failure.
        Ok(()) => assert!(std::env::var_os("LOCKUTILS_HARNESS_ALONE").is_none()),
        Err(other) => panic!("{other:?}"),
    }
}
