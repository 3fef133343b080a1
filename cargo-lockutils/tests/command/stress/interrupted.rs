//! Whatever ends the command, findings are reported and nothing stays.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::project::{NOTHING, Project, signal, stderr, stdout, until};

#[test]
fn ctrl_c_prints_what_was_found_so_far() {
    let project = Project::new();
    let mut command = project.command(&[
        "stress",
        "--builtin",
        "fcntl",
        "--scenario",
        "threads,contend",
        "--duration",
        "10m",
    ]);
    let began = Instant::now();
    let (output, _) = project.ended_by(Signal::SIGINT, &mut command, || {
        project.until_a_worker_gets_the_lock();
    });
    let text = stdout(&output);
    assert!(
        text.contains("interrupted before everything was tested"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// Returns `true` if a process has the directory in its environment.
fn is_used(directory: &Path) -> bool {
    let needle = directory.as_os_str().as_bytes();
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment
            .windows(needle.len())
            .any(|window| window == needle)
    })
}

#[test]
fn ctrl_c_is_heard_while_a_worker_starts() {
    let project = Project::new();
    project.write("p/slow.sh", "touch started; sleep 1000\n");
    let mut command = project.command(&["stress", "--", "sh", "slow.sh"]);
    let (output, took) = project.ended_by(Signal::SIGINT, &mut command, || {
        until("the worker starts", || {
            project.folder().join("started").exists().then_some(())
        });
    });
    assert!(took < Duration::from_secs(15));
    let text = stderr(&output);
    assert!(
        text.contains("interrupted before the worker was ready"),
        "{text}"
    );
}

#[test]
fn sigkill_leaves_neither_a_process_nor_a_directory() {
    let project = Project::new();
    // The wrapper and its command are not children of this process, nor of a process that dies with
    // it.
    let mut command = project
        .command(&[
            "stress",
            "--scenario",
            "contend",
            "--duration",
            "10m",
            "--wrapper",
            "--",
            "setsid",
            "-w",
            "flock",
            "{lock}",
            "{cmd}",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    project.until_a_worker_gets_the_lock();
    let base = project.left_behind().pop().unwrap();
    assert!(is_used(&base));
    signal(&command, Signal::SIGKILL);
    command.wait().unwrap();
    until("nothing is left", || {
        (!base.exists() && !is_used(&base)).then_some(())
    });
}

#[test]
fn nobody_needs_to_read_to_the_end() {
    let project = Project::new();
    let mut command = project
        .command(&["stress", "--builtin", "flock", "--duration", "500ms"])
        .args(["--scenario", "contend"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(command.stdout.take());
    let output = command.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(0), "")
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_signal_that_ends_it_is_in_the_exit_status() {
    for (command, ready) in [("stress", true), ("stress", false), ("explore", false)] {
        let project = Project::new();
        project.write("p/slow.sh", "touch started; sleep 1000\n");
        let arguments: &[&str] = match ready {
            true => &[
                command,
                "--builtin",
                "flock",
                "--scenario",
                "contend",
                "--duration",
                "10m",
            ],
            false => &[command, "--", "sh", "slow.sh"],
        };
        let mut child = project.command(arguments);
        let (output, _) = project.ended_by(Signal::SIGTERM, &mut child, || match ready {
            true => project.until_a_worker_gets_the_lock(),
            false => until("the worker starts", || {
                project.folder().join("started").exists().then_some(())
            }),
        });
        let printed = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(143), "{command}: {printed}");
    }
}
