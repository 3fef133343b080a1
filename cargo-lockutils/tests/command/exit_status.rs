//! The exit status is that of the command that was run; our own failures are 2, 126 and 127.

use crate::project::{NOTHING, Project, stderr};

#[test]
fn the_status_of_a_command_is_its_own() {
    let project = Project::new();
    for (command, status) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -TERM $$"], 128 + 15),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9),
        (&["no-such-command"], 127),
        (&["/etc/passwd"], 126),
    ] {
        let output = project.run(&[&["run", "--"], command].concat());
        assert_eq!(output.status.code(), Some(status), "{command:?}");
        assert_eq!(project.left_behind(), NOTHING, "{command:?}");
    }
}

#[test]
fn arguments_reach_cargo_as_they_are() {
    let project = Project::new();
    let output = project.run(&["test", "--test", "it", "--", "second", "--nocapture"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(project.was_seen("second") && !project.was_seen("integration"));
    let output = project.run(&["test", "--no-such-option"]);
    assert_eq!(output.status.code(), Some(1), "as cargo test itself");
}

#[test]
fn without_a_project_the_error_says_what_to_do() {
    let project = Project::new();
    let mut command = project.command(&["test"]);
    let output = command.current_dir(project.temporary()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let printed = stderr(&output);
    assert!(
        printed.starts_with("error: cargo found no package:"),
        "{printed}"
    );
    assert!(
        printed.contains("Cargo.toml") && !printed.contains("stack backtrace"),
        "{printed}"
    );
}

#[test]
fn a_temporary_folder_that_is_missing_is_named() {
    let project = Project::new();
    let mut command = project.command(&["run", "--", "true"]);
    let output = command.env("TMPDIR", "/no/such/folder").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let printed = stderr(&output);
    assert!(
        printed.contains("/no/such/folder") && printed.contains("TMPDIR"),
        "{printed}"
    );
}
