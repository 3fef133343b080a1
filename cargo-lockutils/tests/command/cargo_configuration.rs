//! Projects whose configuration of cargo has settings that we set as well.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::project::{NOTHING, Project, stderr};

fn passes(project: &Project, arguments: &[&str]) -> String {
    project.forget();
    let output = project.run(arguments);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {printed}");
    assert_eq!(project.left_behind(), NOTHING, "{arguments:?}");
    printed
}

fn all_saw_ours(project: &Project) {
    for test in ["unit", "integration", "doctest"] {
        let seen = project.seen(test);
        assert!(
            seen.starts_with(project.temporary()),
            "{test} saw {}",
            seen.display()
        );
    }
}

#[test]
fn a_lock_path_that_the_project_sets_in_any_form_is_beaten() {
    let table = "[env]\nOSLO_LOCK_PATH = { value = \"/nowhere\", force = true }\n";
    let text = "[env]\nOSLO_LOCK_PATH = \"/nowhere\"\n";
    let relative = "env.OSLO_LOCK_PATH = { value = \"x\", relative = true }\n";
    for (file, configuration, runner) in [
        ("p/.cargo/config.toml", text, "test"),
        ("p/.cargo/config.toml", text, "nextest"),
        ("p/.cargo/config", text, "test"),
        (".cargo/config.toml", table, "nextest"),
        (".cargo/config.toml", relative, "test"),
    ] {
        let project = Project::new();
        project.write(file, configuration);
        passes(&project, &[runner]);
        all_saw_ours(&project);
    }
}

#[test]
fn a_lock_path_that_the_command_line_sets_is_beaten() {
    let project = Project::new();
    project.write(
        "p/forced.toml",
        "[env]\nOSLO_LOCK_PATH = { value = \"/nowhere\", force = true }\n",
    );
    for config in ["env.OSLO_LOCK_PATH=\"/nowhere\"", "forced.toml"] {
        for runner in ["test", "nextest"] {
            passes(&project, &[runner, "--config", config]);
            all_saw_ours(&project);
        }
    }
}

/// The target that is tested on this machine.
fn host() -> String {
    let output = std::process::Command::new("rustc")
        .arg("-vV")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap().to_owned()
}

/// A project with a runner that records that it ran.
fn with_runner() -> Project {
    let project = Project::new();
    let runner = project.folder().join("runner");
    project.write(
        "p/runner",
        "#!/bin/sh\necho \"$1\" >> \"$(dirname \"$0\")/ran\"\nshift\nexec \"$@\"\n",
    );
    fs::set_permissions(&runner, fs::Permissions::from_mode(0o755)).unwrap();
    project
}

/// Asserts that tests are isolated, and that the runner of the project ran with this argument.
fn is_composed(project: &Project, argument: &str) {
    assert_ne!(project.seen("unit"), project.seen("integration"));
    assert!(project.seen("unit").starts_with(project.temporary()));
    let ran = project.folder().join("ran");
    let lines = fs::read_to_string(&ran).expect("the runner ran");
    assert!(lines.lines().all(|line| line == argument), "{lines}");
    assert!(lines.lines().count() >= 2, "{lines}");
    fs::remove_file(ran).unwrap();
}

#[test]
fn a_runner_in_any_form_is_composed_with_ours() {
    let host = host();
    let project = with_runner();
    let runner = project.folder().join("runner");
    let runner = runner.display();
    for configuration in [
        format!("[target.{host}]\nrunner = \"{runner} text\"\n"),
        format!("[target.{host}]\nrunner = [\"{runner}\", \"text\"]\n"),
        format!("[target.'cfg(unix)']\nrunner = \"{runner} text\"\n"),
        format!("[target.'cfg(unix)']\nrunner = [\"{runner}\", \"text\"]\n"),
    ] {
        project.write("p/.cargo/config.toml", &configuration);
        for run in ["test", "nextest"] {
            passes(&project, &[run, "--isolate", "binary"]);
            is_composed(&project, "text");
        }
    }
}

#[test]
fn a_runner_of_the_command_line_is_composed_with_ours() {
    let host = host();
    let project = with_runner();
    project.write(
        "p/.cargo/config.toml",
        &format!("[target.{host}]\nrunner = \"false\"\n"),
    );
    let runner = project.folder().join("runner");
    let runner = runner.display();
    for (in_file, config) in [
        (true, format!("target.{host}.runner=\"{runner} line\"")),
        (
            false,
            format!("target.{host}.runner=[\"{runner}\", \"line\"]"),
        ),
        (true, format!("target.{host}.runner=\"./runner line\"")),
        (
            false,
            "target.'cfg(unix)'.runner=[\"./runner\", \"line\"]".to_owned(),
        ),
    ] {
        if !in_file {
            let _ = fs::remove_file(project.folder().join(".cargo/config.toml"));
        }
        let run = if in_file { "test" } else { "nextest" };
        passes(&project, &[run, "--isolate", "binary", "--config", &config]);
        is_composed(&project, "line");
    }
}

#[test]
fn a_runner_of_the_environment_is_composed_with_ours() {
    let project = with_runner();
    let name = format!(
        "CARGO_TARGET_{}_RUNNER",
        host().to_uppercase().replace('-', "_")
    );
    let value = format!("{} variable", project.folder().join("runner").display());
    for run in ["test", "nextest"] {
        let mut command = project.command(&[run, "--isolate", "binary"]);
        let output = command.env(&name, &value).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        is_composed(&project, "variable");
    }
}

/// The text form cannot have a blank in a path. Impossible combinations are reported, and nothing
/// runs without isolation.
#[test]
fn what_cannot_be_composed_is_said() {
    let project = with_runner();
    let folder = project.folder().join("a folder");
    fs::create_dir(&folder).unwrap();
    fs::rename(project.folder().join("runner"), folder.join("runner")).unwrap();
    project.write(
        "p/a folder/.cargo/config.toml",
        &format!("[target.{}]\nrunner = \"./runner text\"\n", host()),
    );
    let mut command = project.command(&["test", "--isolate", "binary"]);
    let output = command.current_dir(&folder).output().unwrap();
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("as a list"), "{printed}");
    assert!(!project.was_seen("unit"));
    assert_eq!(project.left_behind(), NOTHING);
}
