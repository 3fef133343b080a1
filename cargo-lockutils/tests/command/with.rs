//! `with`: the same isolation for other commands that run tests.

use crate::project::{NOTHING, Project, manifest, stderr};

fn passes(project: &Project, arguments: &[&str]) -> String {
    project.forget();
    let output = project.run(arguments);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {printed}");
    assert_eq!(project.left_behind(), NOTHING, "{arguments:?}");
    printed
}

/// A project with a benchmark that is a program of its own.
fn with_benchmark() -> Project {
    let project = Project::new();
    project.write(
        "p/Cargo.toml",
        &manifest(
            "p",
            "[workspace]\n[[bench]]\nname = \"speed\"\nharness = false\n",
        ),
    );
    project.write("p/benches/speed.rs", "fn main() { p::record(\"speed\"); }");
    project
}

#[test]
fn benchmarks_are_isolated() {
    let project = with_benchmark();
    let printed = passes(&project, &["with", "--", "cargo", "bench"]);
    assert!(project.seen("speed").starts_with(project.temporary()));
    assert!(
        printed.contains("1 lock file was used: lock-of-speed"),
        "{printed}"
    );
    project.write(
        ".cargo/config.toml",
        "[env]\nOSLO_LOCK_PATH = { value = \"/nowhere\", force = true }\n",
    );
    passes(
        &project,
        &[
            "with", "--", "cargo", "bench", "--bench", "speed", "--", "x",
        ],
    );
    assert!(project.seen("speed").starts_with(project.temporary()));
}

/// A tool that calls cargo in its own way, as `cargo llvm-cov` does.
#[test]
fn a_tool_that_calls_cargo_has_isolated_binaries() {
    let project = Project::new();
    passes(
        &project,
        &[
            "with",
            "--isolate",
            "binary",
            "--",
            "sh",
            "-c",
            "cargo test --quiet",
        ],
    );
    assert_ne!(project.seen("unit"), project.seen("integration"));
    project.write(
        ".cargo/config.toml",
        "[env]\nOSLO_LOCK_PATH = { value = \"/nowhere\", force = true }\n",
    );
    let output = project.run(&["with", "--", "cargo", "llvm-cov"]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("remove `force`"), "{printed}");
}

#[test]
fn the_exit_status_is_that_of_the_command() {
    let project = Project::new();
    for (command, status) in [("exit 7", 7), ("kill -TERM $$", 143)] {
        let output = project.run(&["with", "--", "sh", "-c", command]);
        assert_eq!(output.status.code(), Some(status));
    }
    assert_eq!(
        project
            .run(&["with", "--", "no-such-command"])
            .status
            .code(),
        Some(127)
    );
}
