//! `ls` on locks that real processes hold and wait for.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::holder::{Holder, touch};
use crate::project::{Project, stderr, stdout};

fn document(directory: &Path) -> Value {
    let output = Project::new().run(&["ls", "--json", directory.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// (role, kind, mode, pid) of each user of `file`.
fn users(document: &Value, file: &str) -> Vec<(String, String, String, i64)> {
    let files = document["files"].as_array().unwrap();
    let entry = files.iter().find(|entry| entry["file"] == file);
    let users = entry.expect("the file is listed")["users"].as_array();
    let word = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    users
        .unwrap()
        .iter()
        .map(|user| {
            (
                word(&user["role"]),
                word(&user["kind"]),
                word(&user["mode"]),
                user["pid"].as_i64().unwrap_or(-1),
            )
        })
        .collect()
}

#[test]
fn holders_and_waiters_of_every_kind_are_told() {
    for (builtin, kind) in [
        ("oslo", "ofd"),
        ("ofd", "ofd"),
        ("fcntl", "posix"),
        ("flock", "flock"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let holder = Holder::holding(builtin, path, "x");
        let waiters = [(); 2].map(|()| Holder::waiting(builtin, path, "x"));
        let document = document(path);
        let user = |role: &str, holder: &Holder| {
            let is_seen = kind != "ofd" || role != "waits" || system_calls_may_be_seen();
            let pid = if is_seen { holder.pid() } else { -1 };
            (role.into(), kind.into(), "exclusive".into(), pid)
        };
        let mut expected = vec![user("holds", &holder)];
        expected.extend(waiters.iter().map(|waiter| user("waits", waiter)));
        expected[1..].sort_by_key(|user: &(String, String, String, i64)| user.3);
        let mut printed = users(&document, "x");
        printed.retain(|user| user.0 != "has-open" || system_calls_may_be_seen());
        assert_eq!(printed, expected, "{builtin}: {document:#}");
        assert_eq!(document["schema"], 1);
    }
}

#[test]
fn a_shared_lock_is_told_from_an_exclusive_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut readers = [(); 2].map(|()| flock_shared(&path.join("x")));
    let waiter = Holder::waiting("flock", path, "x");
    let user = |role: &str, mode: &str, pid| (role.into(), "flock".into(), mode.into(), pid);
    let mut pids = readers.each_ref().map(|reader| i64::from(reader.id()));
    pids.sort();
    let expected = [
        user("holds", "shared", pids[0]),
        user("holds", "shared", pids[1]),
        user("waits", "exclusive", waiter.pid()),
    ];
    assert_eq!(users(&document(path), "x"), expected);
    for reader in &mut readers {
        drop(reader.stdin.take());
        reader.wait().unwrap();
    }
}

/// A process that holds the file shared until its input ends.
fn flock_shared(file: &Path) -> Child {
    let mut flock = Command::new("flock");
    flock.args(["--shared", "--no-fork"]).arg(file);
    let mut child = flock
        .args(["sh", "-c", "echo held; read _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    child
}

/// Returns `true` if the system calls of a process that is not a child are visible, which is needed
/// to find the waiters for an OFD lock (Yama, ptrace(2)).
fn system_calls_may_be_seen() -> bool {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    nix::unistd::getuid().is_root() || scope.map_or(true, |scope| scope.trim() == "0")
}

#[test]
fn a_file_that_is_open_and_one_that_nobody_uses_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    touch(path, &["unused"]);
    let mut opener = Holder::holding("oslo", path, "x");
    assert_eq!(opener.ask("release"), "0 released");
    let document = document(path);
    let open = (
        "has-open".into(),
        "none".into(),
        "none".into(),
        opener.pid(),
    );
    assert_eq!(users(&document, "x"), [open]);
    assert_eq!(users(&document, "unused"), []);
    let started = document["files"][1]["users"][0]["process_started_unix"].as_f64();
    let now = document["at_unix"].as_f64().unwrap();
    assert!(
        (0.0..600.0).contains(&(now - started.unwrap())),
        "{document:#}"
    );
}

#[test]
fn the_table_fits_eighty_columns_and_names_everybody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir(path.join("deeper")).unwrap();
    touch(path, &["deeper/unused"]);
    let holder = Holder::holding("oslo", path, "image-cache");
    let waiter = Holder::waiting("fcntl", path, "image-cache");
    let project = Project::new();
    let mut command = project.command(&["ls"]);
    let output = command.env("OSLO_LOCK_PATH", path).output().unwrap();
    let table = stdout(&output);
    for words in [
        format!("  holds     {:>7}  OFD exclusive    ", holder.pid()),
        format!("  waits     {:>7}  POSIX exclusive  ", waiter.pid()),
        "also 1 unused lock file: deeper/unused".into(),
    ] {
        assert!(table.contains(&words), "no `{words}` in\n{table}");
    }
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(widest.unwrap() <= 80, "{table}");
}

/// An unprivileged user may not inspect our processes, but learns that the lock is held.
#[test]
fn what_other_users_hold_is_told_without_their_names() {
    const NOBODY: u32 = 65_534;
    if !nix::unistd::getuid().is_root() {
        return; // only root can change to another user
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let public = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(path, public).unwrap();
    // The built command may be in a folder that an unprivileged user cannot access.
    let program = path.join("program");
    fs::copy(env!("CARGO_BIN_EXE_cargo-lockutils"), &program).unwrap();
    let locks = path.join("locks");
    fs::create_dir(&locks).unwrap();
    let _holder = Holder::holding("oslo", &locks, "x");
    let posix = Holder::holding("fcntl", &locks, "y");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).arg(&locks).current_dir("/");
        command.uid(NOBODY).gid(NOBODY).output().unwrap()
    };
    let document: Value = serde_json::from_slice(&run(&["ls", "--json"]).stdout).unwrap();
    let entry = |kind: &str, pid| vec![("holds".into(), kind.into(), "exclusive".into(), pid)];
    assert_eq!(users(&document, "x"), entry("ofd", -1));
    assert_eq!(users(&document, "y"), entry("posix", posix.pid()));
    assert!(document["hidden_processes"].as_u64().unwrap() > 0);
    let output = run(&["ls"]);
    assert!(stdout(&output).contains("visible only to root"));
    assert!(
        stderr(&output).contains("run as root"),
        "{}",
        stderr(&output)
    );
    let output = run(&["clean"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(locks.join("x").exists() && locks.join("y").exists());
}

#[test]
fn the_lock_path_comes_from_a_configuration_file_or_is_asked_for() {
    let project = Project::new();
    let locks = project.temporary();
    touch(&locks, &["x"]);
    let ini = format!(
        "[DEFAULT]\nstate_path = {}\n[oslo_concurrency]\nlock_path = $state_path/tmp\n",
        locks.parent().unwrap().display()
    );
    project.write("nova.conf", &ini);
    let output = project.run(&["ls", "--all", "--config-file", "../nova.conf"]);
    assert_eq!(stdout(&output), "x\n  unused\n", "{}", stderr(&output));
    let output = project.run(&["ls"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("OSLO_LOCK_PATH"),
        "{}",
        stderr(&output)
    );
    let output = project.run(&["ls", "/no/such/path"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("/no/such/path"),
        "{}",
        stderr(&output)
    );
}
