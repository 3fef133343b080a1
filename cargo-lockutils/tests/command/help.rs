//! Help, completions and man page come from one definition.

use std::process::Stdio;

use crate::project::{Project, stderr, stdout};

#[test]
fn help_names_every_subcommand() {
    let project = Project::new();
    let help = stdout(&project.run(&["--help"]));
    let man = stdout(&project.run(&["man"]));
    let completions = stdout(&project.run(&["completions", "bash"]));
    for subcommand in [
        "test",
        "nextest",
        "run",
        "ls",
        "clean",
        "show-env",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("  {subcommand} ")), "{help}");
        assert!(completions.contains(subcommand), "{subcommand}");
        assert!(man.replace("\\-", "-").contains(subcommand), "{subcommand}");
    }
    assert!(!help.contains("test-runner"), "{help}");
}

#[test]
fn an_option_that_does_not_exist_is_not_taken_for_a_lock() {
    let project = Project::new();
    for (command, similar) in [
        (["stress", "--jsn"], Some("--json")),
        (["explore", "--schedule"], Some("--schedules")),
        (["run", "--kep"], Some("--keep")),
        (["worker-check", "--all"], None),
    ] {
        let output = project.run(&command);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(
            printed.contains(&format!("unexpected argument '{}'", command[1])),
            "{printed}"
        );
        if let Some(similar) = similar {
            assert!(printed.contains(&format!("'{similar}'")), "{printed}");
        }
    }
    // After the first word, everything belongs to the lock's command.
    let output = project.run(&["run", "sh", "--json"]);
    assert!(!stderr(&output).contains("unexpected argument"));
}

#[test]
fn nobody_needs_to_read_what_is_printed() {
    let project = Project::new();
    let folder = project.folder().to_str().unwrap().to_owned();
    project.write("p/lock", "");
    for arguments in [
        vec!["man"],
        vec!["completions", "zsh"],
        vec!["ls", "--all", &folder],
        vec!["ls", "--json", &folder],
        vec!["clean", "--dry-run", &folder],
        vec!["show-env", "--lock-path", &folder],
        vec!["init", "--yes", "--force"],
        vec![
            "explore",
            "--builtin",
            "flock",
            "--schedules",
            "1",
            "--json",
        ],
    ] {
        let mut command = project.command(&arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn what_was_asked_for_and_cannot_be_written_is_an_error() {
    let project = Project::new();
    for arguments in [["man"].as_slice(), &["completions", "fish"], &["show-env"]] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = project
            .command(arguments)
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains("cannot write to standard output"));
    }
}

#[test]
fn it_also_answers_when_called_directly() {
    let program = env!("CARGO_BIN_EXE_cargo-lockutils");
    let output = std::process::Command::new(program)
        .args(["run", "--", "sh", "-c", "echo $OSLO_LOCK_PATH"])
        .output()
        .unwrap();
    assert!(stdout(&output).contains("cargo-lockutils-"));
}

#[test]
fn colours_are_left_out_when_nobody_can_see_them() {
    let project = Project::new();
    let plain = project.run(&["run", "--", "no-such-command"]);
    assert!(!plain.stderr.contains(&0x1b));
    let coloured = project
        .command(&["--color", "always", "run", "--", "no-such-command"])
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert!(coloured.stderr.contains(&0x1b));
}
