//! Directories for test binaries and for single tests, through cargo's target runner.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::project::{NOTHING, Project, stderr};

#[test]
fn each_binary_has_its_own_and_doctests_run_without_a_runner() {
    let project = Project::new();
    let output = project.run(&["test", "--isolate", "binary"]);
    let printed = stderr(&output);
    assert!(output.status.success(), "{printed}");
    let (unit, integration) = (project.seen("unit"), project.seen("integration"));
    assert_ne!(unit, integration);
    assert_eq!(project.seen("second"), integration);
    assert_eq!(unit.parent(), integration.parent());
    assert_eq!(unit.parent(), Some(&*project.seen("doctest")));
    assert!(!printed.contains("WARNING: No rustdoc"), "{printed}");
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn under_nextest_each_test_has_its_own() {
    let project = Project::new();
    let output = project.run(&["nextest", "--isolate", "test"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_ne!(project.seen("integration"), project.seen("second"));
    assert!(project.was_seen("doctest"));
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn nextest_runs_the_doctests_unless_told_not_to() {
    let project = Project::new();
    let output = project.run(&["nextest", "--no-doctests"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(project.was_seen("unit") && !project.was_seen("doctest"));
    assert!(project.run(&["nextest", "second"]).status.success());
    assert!(!project.was_seen("doctest"));
}

#[test]
fn cargo_test_cannot_isolate_tests_and_says_what_can() {
    let project = Project::new();
    let output = project.run(&["test", "--isolate", "test"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nextest --isolate test"));
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_runner_that_the_project_has_still_runs() {
    let project = Project::new();
    let runner = project.folder().join("runner");
    project.write(
        "p/runner",
        "#!/bin/sh\necho \"$1\" \"$OSLO_LOCK_PATH\" >> \"$(dirname \"$0\")/ran\"\n\
         shift\nexec \"$@\"\n",
    );
    fs::set_permissions(&runner, fs::Permissions::from_mode(0o755)).unwrap();
    let runner = runner.to_str().unwrap();
    project.write(
        "p/.cargo/config.toml",
        &format!("[target.'cfg(all())']\nrunner = [\"{runner}\", \"its argument\"]\n"),
    );
    let output = project.run(&["test", "--isolate", "binary", "--lib"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let ran = fs::read_to_string(project.folder().join("ran")).unwrap();
    assert_eq!(
        ran,
        format!("its argument {}\n", project.seen("unit").display())
    );
}
