//! Names of files and commands cannot control the terminal, and survive quoting in every shell.

use std::fs;
use std::process::Command;

use crate::holder::{Holder, touch};
use crate::project::{Project, stderr, stdout};

const WILD: &str = "a\u{1b}[31mred\nremoved precious";

#[test]
fn no_escape_sequence_and_no_line_break_of_a_name_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    touch(directory.path(), &[WILD]);
    fs::write(directory.path().join("b\u{1b}]0;title\u{7}"), "not empty").unwrap();
    let path = directory.path().to_str().unwrap();
    let project = Project::new();
    for arguments in [
        &["ls", path][..],
        &["ls", "--all", path],
        &["clean", "--dry-run", path],
        &["clean", path],
    ] {
        // As on a terminal: otherwise all escape sequences are stripped anyway.
        let mut command = project.command(&[&["--color", "always"], arguments].concat());
        let output = command.env_remove("NO_COLOR").output().unwrap();
        let printed = stdout(&output) + &stderr(&output);
        assert!(
            !printed.contains("\u{1b}[31m") && !printed.contains('\u{7}'),
            "{printed:?}"
        );
        assert!(
            !printed
                .lines()
                .any(|line| line.starts_with("removed precious")),
            "{printed:?}"
        );
    }
}

#[test]
fn the_name_of_a_lock_that_is_held_is_printed_safely() {
    let directory = tempfile::tempdir().unwrap();
    let _holder = Holder::holding("flock", directory.path(), WILD);
    let path = directory.path().to_str().unwrap();
    let output = Project::new().run(&["--color", "always", "clean", path]);
    let printed = stdout(&output);
    assert!(
        printed.contains("red\u{fffd}removed precious stays: process"),
        "{printed:?}"
    );
    assert!(!printed.contains('\u{1b}'), "{printed:?}");
}

#[test]
fn notes_of_a_run_print_names_safely() {
    let project = Project::new();
    project.write(
        "p/tests/it.rs",
        &format!("#[test] fn wild() {{ p::record({WILD:?}); }}"),
    );
    let output = project.run(&["test", "--test", "it"]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed
            .contains("1 lock file was used: lock-of-a\u{fffd}[31mred\u{fffd}removed precious\n"),
        "{printed:?}"
    );
}

#[test]
fn only_lock_files_are_called_lock_files() {
    let directory = tempfile::tempdir().unwrap();
    touch(directory.path(), &["x", ".hidden"]);
    fs::write(directory.path().join("notes"), "precious").unwrap();
    let path = directory.path().to_str().unwrap();
    let project = Project::new();
    let printed = stdout(&project.run(&["ls", path]));
    assert_eq!(
        printed,
        "1 unused lock file: x\n2 other files are not lock files\n"
    );
    let printed = stdout(&project.run(&["ls", "--all", path]));
    assert!(
        printed.contains("notes\n  unused; not a lock file (not empty)\n"),
        "{printed}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&project.run(&["ls", "--json", path]))).unwrap();
    let is_lock_file: Vec<_> = json["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (&file["file"], &file["lock_file"]))
        .collect();
    assert_eq!(
        format!("{is_lock_file:?}"),
        "[(String(\".hidden\"), Bool(false)), (String(\"notes\"), Bool(false)), \
         (String(\"x\"), Bool(true))]"
    );
}

#[test]
fn lock_files_of_an_earlier_run_are_not_counted_as_used() {
    let project = Project::new();
    let mine = project.temporary().join("mine");
    fs::create_dir(&mine).unwrap();
    touch(&mine, &["old"]);
    let arguments = ["test", "--lock-path", mine.to_str().unwrap(), "--lib"];
    let printed = stderr(&project.run(&arguments));
    assert!(
        printed.contains("1 lock file is new: lock-of-unit"),
        "{printed}"
    );
    let printed = stderr(&project.run(&arguments));
    assert!(!printed.contains("lock file"), "{printed}");
}

/// The shells evaluate the output of `show-env` and print the result.
#[test]
fn every_shell_reads_the_path_as_it_is() {
    let project = Project::new();
    for name in [r"a\b", r"a'b\'c", "a b$HOME`x`\"", r"\\", "x\ty"] {
        let path = project.temporary().join(name);
        let path = path.to_str().unwrap();
        for (shell, format) in [
            ("sh", "sh"),
            ("bash", "sh"),
            ("zsh", "sh"),
            ("fish", "fish"),
        ] {
            let shown =
                stdout(&project.run(&["show-env", "--lock-path", path, "--format", format]));
            let script = format!("{shown}\nprintf %s \"$OSLO_LOCK_PATH\"");
            let output = Command::new(shell).args(["-c", &script]).output();
            let output =
                output.unwrap_or_else(|error| panic!("{shell}, which .ci/run installs: {error}"));
            assert_eq!(stdout(&output), path, "{shell}: {shown}");
        }
    }
}
