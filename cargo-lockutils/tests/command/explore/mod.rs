//! `explore` on locks with a known race, and on locks without one.

mod copies;
mod crashes;
mod interrupted;
mod jobs;
mod reports;
mod servers;
mod spinning;
mod states;
mod threads;
mod workers;

use std::fs;
use std::process::Output;

use crate::project::{NOTHING, Project, stderr, stdout};

/// Takes the lock by flock(2) and unlinks the file before it closes it; does not check the name
/// after locking.
const UNLINKS: &str = "
import fcntl, os
from lockutils_worker import serve
class Lock:
    def __init__(self, directory, name):
        self.path = directory + '/lock'
    def acquire(self):
        self.fd = os.open(self.path, os.O_CREAT | os.O_RDWR)
        fcntl.flock(self.fd, fcntl.LOCK_EX)
    def release(self):
        try:
            REMOVE
        finally:
            os.close(self.fd)
serve(Lock)
";

fn project(script: &str) -> Project {
    let project = Project::new();
    project.write("p/worker.py", script);
    let helper = include_str!("../../../../docs/workers/lockutils_worker.py");
    project.write("p/lockutils_worker.py", helper);
    project
}

/// Explores the worker of the project.
fn explore_worker(project: &Project, options: &[&str]) -> Output {
    project.run(&[&["explore"], options, &["--", "python3", "worker.py"]].concat())
}

fn explore(script: &str) -> (Project, Output) {
    let project = project(script);
    let output = explore_worker(
        &project,
        &[
            "--scenario",
            "contend",
            "--schedules",
            "40",
            "--duration",
            "60s",
            "--save",
            "found.txt",
        ],
    );
    (project, output)
}

/// Asserts the exit status of the command and parts of its output.
#[track_caller]
fn tells(output: &Output, status: i32, parts: &[&str]) {
    let printed = stdout(output);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{printed}{}",
        stderr(output)
    );
    for part in parts {
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
}

/// [`UNLINKS`], with its race.
fn race() -> String {
    UNLINKS.replace("REMOVE", "os.unlink(self.path)")
}

/// Asserts that the counterexample in `found.txt` is replayed five times out of five, by the same
/// steps.
#[track_caller]
fn is_replayed(project: &Project) {
    let again = project.run(&["replay", "found.txt", "--times", "5"]);
    let exactly = "5 of 5 runs reached the violation; 5 took exactly the steps in the file";
    tells(&again, 1, &[exactly]);
}

#[test]
fn a_race_is_found_told_kept_and_replayed() {
    let (project, output) = explore(&race());
    tells(
        &output,
        1,
        &[
            "BROKEN after",
            "which no longer has this name; ENTERS THE SECTION",
            "are in the section at once",
        ],
    );
    let kept = fs::read_to_string(project.folder().join("found.txt")).unwrap();
    assert!(kept.starts_with("lockutils counterexample 1\n"), "{kept}");
    let processor = format!("\nprocessor: {}\n", std::env::consts::ARCH);
    assert!(kept.contains(&processor), "{kept}");
    is_replayed(&project);
    // One of an older version; a slow machine is not to blame.
    let older = kept.replace(&processor, "\nlease: 20000\n");
    project.write("p/older.txt", &older);
    let older = project.run(&["replay", "older.txt", "--times", "1"]);
    tells(&older, 1, &["1 of 1 runs reached the violation"]);
    let elsewhere = kept.replace(&processor, "\nlease: 20000\nprocessor: m68k\n");
    project.write("p/elsewhere.txt", &elsewhere);
    let elsewhere = project.run(&["replay", "elsewhere.txt", "--times", "1"]);
    tells(&elsewhere, 1, &["1 took exactly the steps in the file"]);
    assert!(
        !stderr(&elsewhere).contains("m68k"),
        "{}",
        stderr(&elsewhere)
    );
    // With the repaired lock, the same schedule shows no violation.
    project.write("p/worker.py", &UNLINKS.replace("REMOVE", "pass"));
    let repaired = project.run(&["replay", "found.txt", "--times", "2"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", stdout(&repaired));
    assert!(stderr(&repaired).contains("the lock was repaired, or is not deterministic"));
    let repaired = project.run(&["replay", "elsewhere.txt", "--times", "2"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", stdout(&repaired));
    let told = stderr(&repaired);
    assert!(
        told.contains("the file was found on m68k, and on "),
        "{told}"
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_lock_without_a_race_has_none() {
    let (project, output) = explore(&UNLINKS.replace("REMOVE", "pass"));
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert!(
        stdout(&output).contains("no violation found: 40 schedules of 3 workers"),
        "{}",
        stdout(&output)
    );
    for lock in ["oslo", "flock", "ofd"] {
        let output = project.run(&[
            "explore",
            "--builtin",
            lock,
            "--schedules",
            "100",
            "--scenario",
            "contend,die",
        ]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}{}",
            stdout(&output),
            stderr(&output)
        );
    }
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn what_cannot_be_explored_or_replayed_says_why() {
    let project = Project::new();
    project.write("p/other.txt", "something else\n");
    for (arguments, printed) in [
        (
            &["replay", "other.txt"][..],
            "not a counterexample saved by `cargo lockutils explore`",
        ),
        (&["replay", "missing.txt"], "missing.txt: No such file"),
        (
            &["explore", "--", "no-such-lock"],
            "no-such-lock was not found",
        ),
        (
            &["explore", "--scenario", "pause", "--builtin", "flock"],
            "contend, die, crash, expire, respawn, remove, unlink, wrapper-kill",
        ),
    ] {
        let output = project.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(printed),
            "no `{printed}` in {}",
            stderr(&output)
        );
    }
}

#[test]
fn two_delays_and_three_workers_are_not_too_much() {
    let project = project(include_str!("../../../../tests/zoo/takeover_worker.py"));
    let output = explore_worker(
        &project,
        &["--scenario", "die", "--seed", "1", "--duration", "120s"],
    );
    let printed = stdout(&output);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{printed}{}",
        stderr(&output)
    );
    assert!(printed.contains("are in the section at once"), "{printed}");
    assert_eq!(project.left_behind(), NOTHING);
}

/// Takes over a lock whose file has not changed for a while, by a time that cannot be set back.
const TAKES_OVER: &str = "
import os, time
from lockutils_worker import serve
class Lock:
    def __init__(self, directory, name):
        self.path = directory + '/lock'
    def try_acquire(self):
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            pass
        try:
            if time.time() - os.stat(self.path).st_ctime > 0.4:
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        return False
    def release(self):
        os.unlink(self.path)
serve(Lock)
";

#[test]
fn a_dead_holder_grows_old_in_real_time_if_nothing_else_helps() {
    let project = project(TAKES_OVER);
    let output = explore_worker(
        &project,
        &[
            "--scenario",
            "die",
            "--schedules",
            "40",
            "--lease",
            "400ms",
            "--save",
            "found.txt",
        ],
    );
    tells(
        &output,
        1,
        &["because the lock reads file times that cannot be set back"],
    );
    let kept = fs::read_to_string(project.folder().join("found.txt")).unwrap();
    assert!(kept.contains("\nrest: "), "{kept}");
    let again = project.run(&["replay", "found.txt", "--times", "2"]);
    assert_eq!(again.status.code(), Some(1), "{}", stdout(&again));
}

/// Executes a program to which a seccomp filter refuses ptrace(2), as in a container.
const WITHOUT_PTRACE: &str = "
import ctypes, os, platform, struct, sys
PTRACE = {'x86_64': 101, 'aarch64': 117}[platform.machine()]
ALLOW, REFUSE = 0x7fff0000, 0x00050001
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, PTRACE), (0x06, 0, 0, REFUSE), (0x06, 0, 0, ALLOW)]
program = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
header = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', len(steps), ctypes.addressof(program)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0
assert prctl(22, 2, header, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn where_ptrace_is_refused_it_says_what_to_do() {
    let project = Project::new();
    project.write("p/without_ptrace.py", WITHOUT_PTRACE);
    let command = project.command(&["explore", "--builtin", "flock"]);
    let output = std::process::Command::new("python3")
        .arg("without_ptrace.py")
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(project.folder())
        .env("TMPDIR", project.temporary())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    let printed = stderr(&output);
    for part in [
        "ptrace must be allowed",
        "--cap-add=SYS_PTRACE",
        "ptrace_scope",
    ] {
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
    assert_eq!(project.left_behind(), NOTHING);
}
