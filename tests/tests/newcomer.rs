//! The crate in `newcomer/`, which is not of the workspace, uses the harness as the README says.

use std::path::Path;
use std::process::Command;

#[test]
fn a_crate_of_somebody_else_verifies_its_function_and_finds_its_mistake() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--lib", "--manifest-path"])
        .arg(here.join("newcomer/Cargo.toml"))
        .env("CARGO_TARGET_DIR", here.join("../target/newcomer"))
        .env_remove("OSLO_LOCK_PATH")
        .output()
        .expect("cargo");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("; 1 failed;"),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "tests::refresh_badly_is_safe ... FAILED",
        "tests::refresh_is_safe ... ok",
        "tests::refresh_is_safe_as_it_is ... ok",
        "tests::programs_exclude ... ok",
        "the lock let two in",
        "came in as well",
        "both were inside for",
        "cargo test -- --exact tests::refresh_badly_is_safe",
    ] {
        assert!(told.contains(part), "{part} is missing in:\n{told}");
    }
}
