//! Cargo's own arguments, in every form that cargo accepts.

use crate::project::{NOTHING, Project, stderr, stdout};

#[test]
fn short_options_joined_to_their_value_leave_the_doctests_in() {
    let project = Project::new();
    for arguments in [
        &["-v"][..],
        &["-j2"],
        &["-pp"],
        &["-rj1"],
        &["-j", "num-cpus"],
        &["-j=2", "--retries=1"],
        &["--no-fail-fast", "--", "--nocapture"],
        &["run"],
        &["run", "-pp"],
    ] {
        project.forget();
        let output = project.run(&[&["nextest"], arguments].concat());
        let printed = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {printed}");
        for test in ["unit", "integration", "doctest"] {
            assert!(project.was_seen(test), "{arguments:?}: {test} {printed}");
        }
    }
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn doctests_that_are_left_out_are_told_of() {
    let project = Project::new();
    for (arguments, word) in [
        (&["second"][..], "`second`"),
        (&["-E", "test(second)"], "`--filterset`"),
        (&["--test", "it"], "`--test`"),
        (&["--", "--skip", "unit"], "`--skip`"),
    ] {
        project.forget();
        let output = project.run(&[&["nextest"], arguments].concat());
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {printed}");
        let sentence = format!("doctests skipped: {word} selects tests");
        assert!(printed.contains(&sentence), "no `{sentence}` in {printed}");
        assert!(!project.was_seen("doctest"));
    }
}

#[test]
fn after_failures_doctests_run_if_cargo_is_to_go_on() {
    let project = Project::new();
    project.write("p/tests/bad.rs", "#[test] fn bad() { panic!() }");
    let output = project.run(&["nextest"]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(100), "{printed}");
    assert!(
        printed.contains("doctests skipped, because tests failed"),
        "{printed}"
    );
    assert!(!project.was_seen("doctest"));
    let output = project.run(&["nextest", "--no-fail-fast"]);
    assert_eq!(output.status.code(), Some(100), "{}", stderr(&output));
    assert!(project.was_seen("doctest"));
}
