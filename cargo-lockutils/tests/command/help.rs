//! Help, completions and man page come from one definition.

use crate::project::{Project, stdout};

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
