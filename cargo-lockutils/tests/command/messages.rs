//! Messages of the command about options and files that are misspelt, broken or in the wrong place.

use crate::project::{NOTHING, Project, manifest, stderr, stdout};

#[test]
fn our_options_may_stand_anywhere_before_the_dashes() {
    let project = Project::new();
    for arguments in [
        &["test", "-p", "p", "--deny-leaks"][..],
        &[
            "test",
            "-pp",
            "--test",
            "it",
            "--isolate",
            "binary",
            "second",
        ],
        &[
            "nextest",
            "second",
            "--isolate=test",
            "-j2",
            "--no-doctests",
        ],
    ] {
        project.forget();
        let output = project.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(project.was_seen("second"), "{arguments:?}");
    }
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_misspelt_option_is_told_by_us_with_the_one_that_was_meant() {
    let project = Project::new();
    for (arguments, meant) in [
        (&["test", "--isolte", "binary"][..], "--isolate"),
        (&["test", "-p", "p", "--deny-leak"], "--deny-leaks"),
        (&["nextest", "--no-doctest"], "--no-doctests"),
    ] {
        let output = project.run(arguments);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(
            printed.contains("unexpected argument") && printed.contains(&format!("'{meant}'")),
            "{printed}"
        );
    }
}

#[test]
fn a_broken_manifest_is_told_as_cargo_tells_it() {
    for (configuration, status) in [("", 101), ("[workspace.metadata.lockutils]\n", 2)] {
        let project = Project::new();
        project.write(
            "p/Cargo.toml",
            &manifest("p", &format!("[workspace]\n{configuration}broken = =\n")),
        );
        let output = project.run(&["test"]);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{printed}");
        assert!(!printed.contains("found no package"), "{printed}");
        // Cargo points at the place, over several lines.
        assert!(
            printed.contains("broken = =\n") && printed.contains('^'),
            "{printed}"
        );
    }
}

#[test]
fn a_misspelt_subcommand_is_not_answered_with_an_internal_one() {
    let project = Project::new();
    for (misspelt, meant) in [
        ("tset", "'test'"),
        ("builtin", ""),
        ("guardia", ""),
        ("test-runne", ""),
    ] {
        let printed = stderr(&project.run(&[misspelt]));
        assert!(
            printed.contains("unrecognized subcommand") && printed.contains(meant),
            "{printed}"
        );
        for internal in [
            "test-runner",
            "builtin-worker",
            "wrapper-worker",
            "guardian",
        ] {
            assert!(!printed.contains(internal), "{printed}");
        }
    }
}

#[test]
fn quiet_cargo_means_quiet_notes() {
    let project = Project::new();
    for quiet in ["-q", "--quiet", "-vq"] {
        let printed = stderr(&project.run(&["test", "--lib", quiet]));
        assert!(!printed.contains("lock file was used"), "{printed}");
    }
    assert!(stderr(&project.run(&["test", "--lib"])).contains("lock file was used"));
}

#[test]
fn help_is_a_subcommand_too() {
    let project = Project::new();
    let help = project.run(&["help", "stress"]);
    assert_eq!(help.status.code(), Some(0));
    assert_eq!(stdout(&help), stdout(&project.run(&["stress", "--help"])));
    assert!(stdout(&project.run(&["help"])).contains("  help "));
}

#[test]
fn verbose_and_dry_run_show_the_commands() {
    let project = Project::new();
    let output = project.run(&["test", "--dry-run", "-p", "p", "--", "--nocapture"]);
    let printed = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.starts_with("OSLO_LOCK_PATH=") && printed.ends_with(" test -p p -- --nocapture\n"),
        "{printed}"
    );
    let output = project.run(&["nextest", "--dry-run", "--isolate", "binary"]);
    let printed = stdout(&output);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains(" nextest run --config "),
        "{printed}"
    );
    assert!(lines[1].ends_with(" test --doc"), "{printed}");
    assert!(!project.was_seen("unit") && !project.temporary().join("../target").exists());
    let output = project.run(&["test", "-v", "--lib"]);
    assert!(
        stderr(&output).contains("lockutils: running OSLO_LOCK_PATH="),
        "{}",
        stderr(&output)
    );
    assert!(project.was_seen("unit"));
    assert_eq!(project.left_behind(), NOTHING);
}
