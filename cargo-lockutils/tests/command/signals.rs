//! However the run ends, none of its processes lives on, and no directory is removed under a living
//! process.

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

/// A project with a test that records its process id and does not end.
fn endless() -> Project {
    let project = Project::new();
    project.write(
        "p/tests/endless.rs",
        "#[test] fn endless() { p::record(\"endless\");\n\
         p::record(&format!(\"pid-{}\", std::process::id()));\n\
         loop { std::thread::park() } }",
    );
    project
}

/// Starts the command and waits until the test runs; returns the id of the test's process.
fn start(project: &Project, arguments: &[&str]) -> (Child, Pid) {
    let command = project
        .command(arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    (command, recorded_pid(project))
}

fn recorded_pid(project: &Project) -> Pid {
    let seen = project.folder().join("../seen");
    let test = until("the test runs", || {
        fs::read_dir(&seen).ok()?.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_prefix("pid-")?.parse().ok()
        })
    });
    Pid::from_raw(test)
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
fn after_sigkill_a_guardian_ends_the_tests_and_removes_the_directory() {
    for runner in ["test", "nextest"] {
        let project = endless();
        let (mut command, test) = start(&project, &[runner, "--test", "endless"]);
        kill(pid(&command), Signal::SIGKILL).unwrap();
        command.wait().unwrap();
        until("the test ends", || (!lives(test)).then_some(()));
        until("the directory goes", || {
            project.left_behind().is_empty().then_some(())
        });
    }
}

/// Other programs may use a directory that the user names; they live on.
#[test]
fn after_sigkill_only_processes_of_the_run_are_ended() {
    let project = endless();
    let mine = project.temporary().join("mine");
    fs::create_dir(&mine).unwrap();
    let mut other = std::process::Command::new("sleep")
        .arg("1000")
        .env("OSLO_LOCK_PATH", &mine)
        .spawn()
        .unwrap();
    let lock_path = [
        "test",
        "--lock-path",
        mine.to_str().unwrap(),
        "--test",
        "endless",
    ];
    let (mut command, test) = start(&project, &lock_path);
    kill(pid(&command), Signal::SIGKILL).unwrap();
    command.wait().unwrap();
    until("the test ends", || (!lives(test)).then_some(()));
    assert!(lives(pid(&other)) && mine.is_dir());
    other.kill().unwrap();
    other.wait().unwrap();
}

/// The guardian may be killed as well, for instance when a container ends.
#[test]
fn what_is_left_without_a_guardian_the_next_run_removes_but_not_under_a_living_test() {
    let project = endless();
    let (mut command, test) = start(&project, &["test", "--test", "endless"]);
    let guardian = until("the guardian", || guardian_of(pid(&command)));
    kill(guardian, Signal::SIGKILL).unwrap();
    until("the guardian ends", || (!lives(guardian)).then_some(()));
    kill(pid(&command), Signal::SIGKILL).unwrap();
    command.wait().unwrap();
    assert!(lives(test), "no guardian was left to end it");
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

/// The guardian of the inner run cleans up after it, and the guardian of the outer one does not end
/// it.
#[test]
fn after_sigkill_a_run_within_a_run_leaves_nothing_either() {
    let project = Project::new();
    let pid_file = project.temporary().join("pid");
    let inner = format!(
        "echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000",
        pid_file.display()
    );
    let program = env!("CARGO_BIN_EXE_cargo-lockutils");
    let mut command = project
        .command(&["run", "--", program, "run", "--", "sh", "-c", &inner])
        .spawn()
        .unwrap();
    let sleeper = until("the inner command runs", || {
        fs::read_to_string(&pid_file).ok()?.trim().parse().ok()
    });
    assert_eq!(project.left_behind().len(), 2);
    kill(pid(&command), Signal::SIGKILL).unwrap();
    command.wait().unwrap();
    until("the inner command ends", || {
        (!lives(Pid::from_raw(sleeper))).then_some(())
    });
    until("both directories go", || {
        project.left_behind().is_empty().then_some(())
    });
}

fn guardian_of(command: Pid) -> Option<Pid> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent: i32 = stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()?;
        let is_it = parent == command.as_raw() && stat.contains("(lockutils-guard)");
        is_it.then(|| Pid::from_raw(pid))
    })
}

#[test]
fn a_closed_terminal_ends_the_tests_and_the_directory_goes() {
    for runner in ["test", "nextest"] {
        let project = endless();
        let (master, slave) = terminal();
        let program = env!("CARGO_BIN_EXE_cargo-lockutils");
        let mut command = std::process::Command::new("setsid");
        command
            .args(["--ctty", "--wait", program, runner, "--test", "endless"])
            .current_dir(project.folder())
            .env("TMPDIR", project.temporary())
            .env("CARGO_TARGET_DIR", project.temporary().join("../target"))
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave);
        let mut child = command.spawn().unwrap();
        // The copies of the slave that the builder keeps.
        drop(command);
        let test = recorded_pid(&project);
        assert!(!project.left_behind().is_empty());
        // The kernel sends SIGHUP, and nothing can be written any more, not even the note about
        // used lock files.
        drop(master);
        until("the test ends", || (!lives(test)).then_some(()));
        until("the directory goes", || {
            project.left_behind().is_empty().then_some(())
        });
        let code = child.wait().unwrap().code();
        // Nextest itself may fail because it cannot write.
        let is_theirs =
            code == Some(129) || (runner == "nextest" && matches!(code, Some(100 | 134)));
        assert!(is_theirs, "{runner}: {code:?}");
    }
}

/// Both ends of a new terminal. No other child may inherit the master, which would keep it open.
fn terminal() -> (nix::pty::PtyMaster, fs::File) {
    use nix::fcntl::OFlag;
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = nix::pty::posix_openpt(flags).unwrap();
    nix::pty::grantpt(&master).unwrap();
    nix::pty::unlockpt(&master).unwrap();
    let mut options = fs::File::options();
    options.read(true).write(true);
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, OFlag::O_NOCTTY.bits());
    let slave = options.open(nix::pty::ptsname_r(&master).unwrap()).unwrap();
    (master, slave)
}

/// Standard error that fails for another reason: the command continues.
#[test]
fn notes_that_cannot_be_written_are_no_failure() {
    let project = Project::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    // Without --quiet, cargo itself would exit with 101.
    let mut command = project.command(&["run", "--", "no-such-command"]);
    let status = command.stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(127));
    assert_eq!(project.left_behind(), NOTHING);
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
        "setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' > /dev/null 2>&1 & \
         while ! test -e {0}; do :; done",
        file.display()
    );
    let output = project.run(&["run", "--", "sh", "-c", &script]);
    let daemon = Pid::from_raw(fs::read_to_string(&file).unwrap().trim().parse().unwrap());
    let printed = crate::project::stderr(&output);
    let left = project.left_behind();
    kill(daemon, Signal::SIGKILL).unwrap();
    assert!(printed.contains("still uses it"), "{printed}");
    assert_eq!(left.len(), 1);
    until("the next run removes it", || {
        project.run(&["run", "--", "true"]);
        project.left_behind().is_empty().then_some(())
    });
}
