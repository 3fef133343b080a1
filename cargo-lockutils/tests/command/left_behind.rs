//! Leftovers of tests: processes, locks, directories that may not be entered.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::project::{NOTHING, Project, stderr, stdout, until};

/// A project with a test that starts a process that outlives it, in an environment of its own.
fn outliving() -> Project {
    let project = Project::new();
    project.write(
        "p/tests/outliving.rs",
        r#"
        #[test] fn outliving() {
            let child = std::process::Command::new("/bin/sleep").arg("1000").env_clear()
                .stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null()).spawn().unwrap();
            p::record(&format!("pid-{}", child.id()));
        }
        "#,
    );
    project
}

fn recorded(project: &Project) -> Pid {
    let seen = project.folder().join("../seen");
    let pid = fs::read_dir(seen).unwrap().flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_prefix("pid-")?.parse().ok()
    });
    Pid::from_raw(pid.expect("the test has run"))
}

#[test]
fn a_process_that_outlives_its_test_is_ended() {
    let project = outliving();
    for runner in ["test", "nextest"] {
        project.forget();
        let output = project.run(&[runner, "--deny-leaks", "--test", "outliving"]);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{runner}: {printed}");
        assert!(
            printed.contains("ending what the run left behind"),
            "{runner}: {printed}"
        );
        let pid = recorded(&project);
        let gone = kill(pid, None).is_err();
        let _ = kill(pid, Signal::SIGKILL);
        assert!(gone, "{runner}: {pid} lives on");
        assert_eq!(project.left_behind(), NOTHING);
    }
}

#[test]
fn a_lock_that_outlives_its_test_is_a_leak_under_nextest_as_well() {
    let project = Project::new();
    project.write(
        "p/tests/leaky.rs",
        r#"
        #[test] fn leaky() {
            let directory = std::env::var("OSLO_LOCK_PATH").unwrap();
            let file = std::path::Path::new(&directory).join("device");
            std::fs::write(&file, "").unwrap();
            let mut child = std::process::Command::new("flock")
                .arg(&file).args(["sh", "-c", "echo held > held; exec > /dev/null; sleep 1000"])
                .stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null()).spawn().unwrap();
            while !std::path::Path::new("held").exists() {
                assert!(child.try_wait().unwrap().is_none());
            }
        }
        "#,
    );
    let report = project.temporary().join("report.json");
    let output = project.run(&[
        "nextest",
        "--deny-leaks",
        "--test",
        "leaky",
        "--report",
        report.to_str().unwrap(),
    ]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("leak: device is still held by process"),
        "{printed}"
    );
    assert_eq!(project.left_behind(), NOTHING);
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["exit_status"], 1);
    assert_eq!(json["runs"][0]["used"], serde_json::json!(["device"]));
    assert_eq!(json["runs"][0]["leaks"][0]["file"], "device");
    assert!(json["runs"][0]["leaks"][0]["pid"].is_i64(), "{json}");
}

/// The command with arguments, without root's right to enter directories that forbid it.
fn without_privileges(project: &Project, arguments: &[&str]) -> Command {
    let mut command = Command::new(match nix::unistd::getuid().is_root() {
        true => "setpriv",
        false => "env",
    });
    if nix::unistd::getuid().is_root() {
        command.args([
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search",
        ]);
    }
    command
        .arg(env!("CARGO_BIN_EXE_cargo-lockutils"))
        .args(arguments)
        .current_dir(project.folder())
        .env("TMPDIR", project.temporary())
        .env("CARGO_TARGET_DIR", project.temporary().join("../target"));
    command
}

#[test]
fn a_directory_that_may_not_be_entered_is_removed() {
    let project = Project::new();
    project.write(
        "p/tests/closed.rs",
        r#"
        use std::os::unix::fs::PermissionsExt;
        #[test] fn closed() {
            let directory = std::env::var("OSLO_LOCK_PATH").unwrap();
            let path = std::path::Path::new(&directory).join("closed");
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("file"), "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0)).unwrap();
            assert!(std::fs::read_dir(&path).is_err(), "the test needs an unprivileged user");
        }
        "#,
    );
    let output = without_privileges(&project, &["test", "--test", "closed"])
        .output()
        .unwrap();
    let printed = stderr(&output) + &stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(project.left_behind(), NOTHING, "{printed}");
}

#[test]
fn what_cannot_be_removed_changes_nothing_of_the_exit_status() {
    let project = Project::new();
    // A temporary folder that becomes read-only.
    let script = "chmod 500 \"$TMPDIR\"";
    let output = without_privileges(&project, &["run", "--", "sh", "-c", script])
        .output()
        .unwrap();
    fs::set_permissions(project.temporary(), fs::Permissions::from_mode(0o700)).unwrap();
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("remove it by hand"), "{printed}");
}

#[test]
fn show_env_can_be_undone() {
    let project = Project::new();
    let shown = stdout(&project.run(&["show-env"]));
    let path = shown
        .trim()
        .trim_start_matches("export OSLO_LOCK_PATH='")
        .trim_end_matches('\'');
    assert!(fs::metadata(path).unwrap().is_dir());
    let mut command = project.command(&["show-env", "--unset"]);
    let output = command.env("OSLO_LOCK_PATH", path).output().unwrap();
    assert_eq!(
        stdout(&output),
        "unset OSLO_LOCK_PATH\n",
        "{}",
        stderr(&output)
    );
    assert_eq!(project.left_behind(), NOTHING);
    // A directory of another owner stays.
    let mine = project.temporary().join("mine");
    fs::create_dir(&mine).unwrap();
    let mut command = project.command(&["show-env", "--unset", "--format", "fish"]);
    let output = command.env("OSLO_LOCK_PATH", &mine).output().unwrap();
    assert_eq!(stdout(&output), "set -e OSLO_LOCK_PATH\n");
    assert!(mine.is_dir() && stderr(&output).contains("did not create it"));
}

#[test]
fn a_lock_path_removed_by_hand_takes_its_parent_along_and_kept_ones_go_when_asked() {
    let project = Project::new();
    project.run(&["show-env"]);
    let first = project.left_behind().pop().unwrap();
    fs::remove_dir_all(first.join("locks")).unwrap();
    project.run(&["show-env"]);
    assert!(!first.exists(), "the next run removes what is left");
    let kept = project.left_behind();
    assert_eq!(kept.len(), 1);
    let printed = stdout(&project.run(&["clean", "--runs"]));
    assert!(
        printed.contains("stays: kept by") && kept[0].exists(),
        "{printed}"
    );
    let printed = stdout(&project.run(&["clean", "--runs", "--kept", "--dry-run"]));
    assert!(
        printed.contains("would remove 1 directory") && kept[0].exists(),
        "{printed}"
    );
    let output = project.run(&["clean", "--runs", "--kept"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_run_that_goes_on_is_left_alone() {
    let project = Project::new();
    let mut command = project.command(&["run", "--", "sh", "-c", "echo > started; read _"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    until("it runs", || {
        project.folder().join("started").exists().then_some(())
    });
    let printed = stdout(&project.run(&["clean", "--runs", "--kept"]));
    assert!(
        printed.contains("stays: its run is still going on"),
        "{printed}"
    );
    assert_eq!(project.left_behind().len(), 1);
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(project.left_behind(), NOTHING);
}
