//! Projects of other shapes than one library: we run what plain cargo runs, with the same exit
//! status.

use std::process::Output;

use crate::project::{NOTHING, Project, library, manifest, program, stderr, stdout};

/// A program at the root, and a library that is another member.
fn program_and_library() -> Project {
    Project::of(&[
        (
            "p/Cargo.toml",
            &manifest("p", "[workspace]\nmembers = [\"lib_a\"]\n"),
        ),
        ("p/src/main.rs", &program("of_main")),
        ("p/lib_a/Cargo.toml", &manifest("lib_a", "")),
        ("p/lib_a/src/lib.rs", &library("lib_a", "doctest", "of_lib")),
    ])
}

/// Two programs that are the default, and a library that is not.
fn default_programs() -> Project {
    Project::of(&[
        (
            "p/Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\", \"lib_a\"]\n\
             default-members = [\"a\", \"b\"]\n",
        ),
        ("p/a/Cargo.toml", &manifest("a", "")),
        ("p/a/src/main.rs", &program("of_a")),
        ("p/b/Cargo.toml", &manifest("b", "")),
        ("p/b/src/main.rs", &program("of_b")),
        ("p/lib_a/Cargo.toml", &manifest("lib_a", "")),
        ("p/lib_a/src/lib.rs", &library("lib_a", "doctest", "of_lib")),
    ])
}

fn passes(project: &Project, arguments: &[&str]) -> Output {
    project.forget();
    let output = project.run(arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}{}",
        stdout(&output),
        stderr(&output)
    );
    assert_eq!(project.left_behind(), NOTHING, "{arguments:?}");
    output
}

const RUNS: [&[&str]; 3] = [&["test"], &["test", "--isolate", "binary"], &["nextest"]];

#[test]
fn programs_without_a_library_have_no_doctests_and_that_is_no_failure() {
    for (project, more, seen, doctests) in [
        (program_and_library(), &[][..], "of_main", false),
        (program_and_library(), &["-p", "p"], "of_main", false),
        (program_and_library(), &["-pp"], "of_main", false),
        (program_and_library(), &["--workspace"], "of_lib", true),
        (
            program_and_library(),
            &["--workspace", "--exclude", "lib_*"],
            "of_main",
            false,
        ),
        (program_and_library(), &["-plib_a"], "of_lib", true),
        (default_programs(), &[], "of_b", false),
        (default_programs(), &["-p", "b@0.1.0"], "of_b", false),
        (default_programs(), &["--all"], "of_a", true),
    ] {
        for run in RUNS {
            passes(&project, &[run, more].concat());
            assert!(project.was_seen(seen), "{run:?} {more:?}");
            assert_eq!(project.was_seen("doctest"), doctests, "{run:?} {more:?}");
        }
    }
}

#[test]
fn the_package_of_the_folder_is_the_one_that_is_tested() {
    let project = default_programs();
    for run in RUNS {
        project.forget();
        let mut command = project.command(run);
        let output = command
            .current_dir(project.folder().join("lib_a"))
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{run:?}: {}",
            stderr(&output)
        );
        assert!(
            project.was_seen("of_lib") && project.was_seen("doctest"),
            "{run:?}"
        );
        assert!(!project.was_seen("of_a"), "{run:?}");
        passes(
            &project,
            &[run, &["--manifest-path", "b/Cargo.toml"]].concat(),
        );
        assert!(
            project.was_seen("of_b") && !project.was_seen("doctest"),
            "{run:?}"
        );
    }
}

#[test]
fn doctests_of_edition_2024_have_a_process_each_under_isolation() {
    let once = "//! ```\n//! static ONCE: std::sync::Once = std::sync::Once::new();\n\
                //! assert!(!std::env::vars().any(|(name, _)| name == \"SET\"));\n\
                //! unsafe { std::env::set_var(\"SET\", \"1\") };\n//! p::record(\"doctest\");\n//!
                //! ```\n";
    let project = Project::new();
    project.write(
        "p/Cargo.toml",
        &manifest("p", "[workspace]\n").replace("2021", "2024"),
    );
    let text = library("p", "first", "unit");
    project.write(
        "p/src/lib.rs",
        &format!(
            "{once}//!\n{}//!\n{text}",
            once.replace("doctest", "another")
        ),
    );
    let output = passes(&project, &["test", "--isolate", "binary"]);
    let printed = stderr(&output) + &stdout(&output);
    assert!(!printed.contains("WARNING: No rustdoc"), "{printed}");
    let unit = project.seen("unit");
    for doctest in ["doctest", "another", "first"] {
        assert_eq!(unit.parent(), Some(&*project.seen(doctest)), "{doctest}");
    }
}

/// Cargo builds examples along with the tests, so that broken ones are noticed.
#[test]
fn a_broken_example_fails_under_isolation_as_without() {
    let project = Project::new();
    project.write("p/examples/broken.rs", "fn main() { no_such_function() }");
    let plain = project.cargo(&["test"]).status.code();
    assert_eq!(plain, Some(101));
    for run in [&["test"][..], &["test", "--isolate", "binary"]] {
        assert_eq!(project.run(run).status.code(), plain, "{run:?}");
    }
}

#[test]
fn nothing_is_run_under_isolation_if_nothing_is_to_be() {
    let project = Project::new();
    let manifest = manifest(
        "p",
        "[workspace]\n[workspace.metadata.lockutils]\nisolate = \"binary\"\n",
    );
    passes(&project, &["test", "--isolate", "binary", "--no-run"]);
    project.write("p/Cargo.toml", &manifest);
    passes(&project, &["test", "--no-run"]);
    passes(&project, &["nextest", "--no-run"]);
    assert!(!project.was_seen("unit") && !project.was_seen("doctest"));
}

/// `cargo test --doc` runs even doctests that the manifest turns off, which `cargo test` does not.
#[test]
fn doctests_that_a_package_turns_off_are_not_run() {
    let off = "[lib]\ndoctest = false\ncrate-type = [\"cdylib\", \"rlib\"]\n";
    let project = Project::of(&[
        (
            "p/Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"off\", \"on\"]\n",
        ),
        ("p/off/Cargo.toml", &manifest("off", off)),
        ("p/off/src/lib.rs", &library("off", "turned_off", "of_off")),
        ("p/on/Cargo.toml", &manifest("on", "")),
        ("p/on/src/lib.rs", &library("on", "doctest", "of_on")),
    ]);
    for (more, doctest) in [
        (&["--workspace"][..], true),
        (&["-poff"], false),
        (&["-j1"], true),
    ] {
        for run in RUNS {
            passes(&project, &[run, more].concat());
            assert!(!project.was_seen("turned_off"), "{run:?} {more:?}");
            assert_eq!(project.was_seen("doctest"), doctest, "{run:?} {more:?}");
        }
    }
}
