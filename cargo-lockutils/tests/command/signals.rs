//! However the run ends, nothing of it lives on and no directory is removed under a living process.

use std::fs;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::project::{NOTHING, Project, until};

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn lives(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A project with a test that tells its process id and does not end.
fn endless() -> Project {
    let project = Project::new();
    project.write(
        "p/tests/endless.rs",
        "#[test] fn endless() { p::record(\"endless\"); p::record(&format!(\"pid-{}\", std::process::id()));\n\
         loop { std::thread::park() } }",
    );
    project
}

/// Starts the command and waits until the test runs; gives the id of the test's process.
fn start(project: &Project, arguments: &[&str]) -> (Child, Pid) {
    let command = project
        .command(arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let seen = project.folder().join("../seen");
    let test = until("the test runs", || {
        fs::read_dir(&seen).ok()?.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_prefix("pid-")?.parse().ok()
        })
    });
    (command, Pid::from_raw(test))
}

#[test]
fn a_signal_ends_the_tests_and_then_the_directory_goes() {
    for (signal, runner) in [
        (Signal::SIGINT, "test"),
        (Signal::SIGTERM, "test"),
        (Signal::SIGHUP, "test"),
        (Signal::SIGTERM, "nextest"),
    ] {
        let project = endless();
        let (mut command, test) = start(&project, &[runner, "--test", "endless"]);
        kill(pid(&command), signal).unwrap();
        let status = command.wait().unwrap();
        let expected = if runner == "nextest" {
            100
        } else {
            128 + signal as i32
        };
        assert_eq!(status.code(), Some(expected), "{runner} {signal}");
        assert!(!lives(test), "{runner} {signal}: the test lives on");
        assert_eq!(project.left_behind(), NOTHING, "{runner} {signal}");
    }
}

#[test]
fn after_sigkill_the_next_run_removes_the_directory_but_not_under_a_living_test() {
    let project = endless();
    let (mut command, test) = start(&project, &["test", "--test", "endless"]);
    kill(pid(&command), Signal::SIGKILL).unwrap();
    command.wait().unwrap();
    assert!(lives(test), "nobody was left to end it");
    project.run(&["run", "--", "true"]);
    assert!(
        project.seen("endless").exists(),
        "removed under a living test"
    );
    kill(test, Signal::SIGKILL).unwrap();
    until(
        "the test and cargo are gone, and the next run removes the directory",
        || {
            project.run(&["run", "--", "true"]);
            project.left_behind().is_empty().then_some(())
        },
    );
}

#[test]
fn a_second_signal_kills_what_ignores_the_first() {
    let project = Project::new();
    let ready = project.temporary().join("ready");
    let script = format!(
        "trap '' INT; touch {}; while :; do sleep 1; done",
        ready.display()
    );
    let mut command = project
        .command(&["run", "--", "sh", "-c", &script])
        .spawn()
        .unwrap();
    until("the script runs", || ready.exists().then_some(()));
    kill(pid(&command), Signal::SIGINT).unwrap();
    let code = until("it ends", || {
        let _ = kill(pid(&command), Signal::SIGINT);
        command.try_wait().unwrap()
    });
    assert_eq!(code.code(), Some(128 + 9));
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_daemon_that_still_uses_the_directory_keeps_it() {
    let project = Project::new();
    let file = project.temporary().join("pid");
    let script = format!(
        "setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' > /dev/null 2>&1 & while ! test -e {0}; do :; done",
        file.display()
    );
    let output = project.run(&["run", "--", "sh", "-c", &script]);
    let daemon = Pid::from_raw(fs::read_to_string(&file).unwrap().trim().parse().unwrap());
    let told = crate::project::stderr(&output);
    let left = project.left_behind();
    kill(daemon, Signal::SIGKILL).unwrap();
    assert!(told.contains("still uses it"), "{told}");
    assert_eq!(left.len(), 1);
    until("the next run removes it", || {
        project.run(&["run", "--", "true"]);
        project.left_behind().is_empty().then_some(())
    });
}
