//! The crate in `newcomer/`, outside of the workspace, uses the harness as the README describes,
//! with every way to run tests.

use std::path::{Path, PathBuf};
use std::process::Command;

const ONE_IS_WRONG: &[&str] = &[
    "tests::refresh_badly_is_safe ... FAILED",
    "tests::refresh_is_safe ... ok",
    "tests::refresh_is_safe_as_it_is ... ok",
    "tests::refresh_is_safe_in_an_asynchronous_test ... ok",
    "tests::refresh_is_safe_in_cases::case_2_three ... ok",
    "tests::programs_exclude ... ok",
    "the lock let two holders in",
    "entered while",
    "overlap: ",
    "-- --exact tests::refresh_badly_is_safe",
];

/// One after the other, since they share a target directory.
#[test]
fn a_crate_of_somebody_else_verifies_its_function_and_finds_its_mistake() {
    let printed = cargo(&["test", "--locked", "--lib"]);
    assert_printed(&printed, "; 1 failed;");
    for part in ONE_IS_WRONG {
        assert_printed(&printed, part);
    }

    let printed = cargo(&[
        "test",
        "--lib",
        "--",
        "--test-threads=1",
        "refresh_is_safe_in",
    ]);
    assert_printed(&printed, "3 passed; 0 failed");

    let printed = cargo(&["test", "--doc"]);
    assert_printed(&printed, "1 passed; 0 failed");

    let printed = cargo(&["nextest", "run", "refresh_is_safe", "with_a_directory"]);
    assert_printed(&printed, "7 tests run: 7 passed");
}

fn assert_printed(printed: &str, part: &str) {
    assert!(printed.contains(part), "{part} is missing in:\n{printed}");
}

/// The output of cargo in the crate.
fn cargo(arguments: &[&str]) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target: PathBuf = here.join("../target/newcomer");
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(here.join("newcomer"))
        .env("CARGO_TARGET_DIR", target)
        .env_remove("OSLO_LOCK_PATH")
        .output()
        .expect("cargo");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
