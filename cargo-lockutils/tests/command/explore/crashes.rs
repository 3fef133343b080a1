//! Workers that are killed at any step, and wrappers.

use std::fs;

use serde_json::Value;

use super::{UNLINKS, explore_worker, project, tells};
use crate::project::{NOTHING, Project, stderr, stdout};
use crate::schema;

/// Creates a file and writes its process id to it. The file of a process that is gone is removed,
/// as is one that MAY_REMOVE says is old.
const PID_FILE: &str = "
import os, time
from lockutils_worker import serve
class Lock:
    def __init__(self, directory, name):
        self.path = directory + '/lock'
    def try_acquire(self):
        try:
            fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            os.write(fd, str(os.getpid()).encode())
            os.close(fd)
            return True
        except FileExistsError:
            pass
        try:
            old = os.stat(self.path).st_mtime
            with open(self.path) as file:
                text = file.read()
            if MAY_REMOVE or (text and not lives(int(text))):
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        return False
    def release(self):
        os.unlink(self.path)
def lives(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
serve(Lock)
";

/// Explores `crash` with few workers, so that the race of the removal is not found first.
fn explore_crash(project: &Project, options: &[&str]) -> std::process::Output {
    let crash = ["--scenario", "crash", "--save", "found.txt", "--seed", "1"];
    explore_worker(project, &[&crash, options].concat())
}

#[test]
fn a_pid_file_is_stuck_after_a_crash_before_its_id() {
    let project = project(&PID_FILE.replace("MAY_REMOVE", "False"));
    let output = explore_crash(&project, &["--json", "--schedules", "200"]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(output.status.code(), Some(3), "{report:#}");
    let errors = schema::strict("report.schema.json");
    let errors: Vec<String> = errors.iter_errors(&report).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let outcome = &report["outcomes"][0];
    assert_eq!(outcome["verdict"], "stuck-after-crash");
    assert!(
        outcome["crashes"]
            .as_u64()
            .is_some_and(|crashes| crashes > 0)
    );
    let shown = &outcome["counterexample"];
    let ending = shown["ending"].as_str().unwrap();
    let death = "worker 0 died in acquire, between creating lock and writing to it";
    assert!(ending.contains(death), "{ending}");
    let steps = shown["steps"].as_array().unwrap();
    let crashes: Vec<&Value> = steps
        .iter()
        .filter(|step| step["fault"] == "crash")
        .collect();
    assert_eq!(crashes.len(), 1, "{shown:#}");
    assert_eq!(crashes[0]["who"], "worker 0");
    let kept = fs::read_to_string(project.folder().join("found.txt")).unwrap();
    assert!(
        kept.contains("\nscenario: crash\n") && kept.contains("! "),
        "{kept}"
    );
    let again = project.run(&["replay", "found.txt", "--times", "5"]);
    let exactly = "5 of 5 runs reached the violation; 5 took exactly the steps in the file";
    tells(&again, 3, &[exactly, "stuck after a crash", death]);
    // The repaired lock is freed by the kernel.
    project.write("p/worker.py", &UNLINKS.replace("REMOVE", "pass"));
    let repaired = project.run(&["replay", "found.txt", "--times", "2"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", stdout(&repaired));
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_lock_with_a_stale_time_is_not_stuck() {
    let project = project(&PID_FILE.replace("MAY_REMOVE", "time.time() - old > 30"));
    let options = ["--workers", "2", "--strategy", "delays", "--schedules", "8"];
    let output = explore_crash(&project, &options);
    tells(
        &output,
        0,
        &["the lock was free again only some time after the crash: --lease explores"],
    );
    // With its lease, what happens afterwards is explored: two take it over.
    let options = ["--schedules", "400", "--lease", "30s", "--duration", "120s"];
    let output = explore_crash(&project, &options);
    tells(
        &output,
        1,
        &["is killed (SIGKILL)", "are in the section at once"],
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn locks_that_the_kernel_frees_hold_after_every_crash() {
    let project = project(&UNLINKS.replace("REMOVE", "pass"));
    let output = explore_crash(&project, &["--schedules", "60", "--crashes", "2"]);
    tells(
        &output,
        0,
        &["✔ crash     no violation found: 60 schedules"],
    );
    for lock in ["oslo", "oslo-fair", "flock", "ofd"] {
        let options = ["--schedules", "100", "--scenario", "crash"];
        let output = project.run(&[&["explore", "--builtin", lock], &options[..]].concat());
        tells(
            &output,
            0,
            &["✔ crash     no violation found: 100 schedules"],
        );
    }
    // The default schedule, in which nobody dies.
    let output = explore_crash(&project, &["--schedules", "1"]);
    tells(
        &output,
        0,
        &["no worker was killed: too few schedules were run"],
    );
    assert_eq!(project.left_behind(), NOTHING);
}

/// The parent of the worker dies with it, and does not reap it.
#[test]
fn a_dead_worker_behind_a_launcher_is_reaped() {
    let script = PID_FILE
        .replace("MAY_REMOVE", "False")
        .replace("serve(Lock)", "Lock.forks = False\nserve(Lock)");
    // The whole file appears at once, so only a worker that still seems to live is in the way.
    let script = script.replace(
        "            fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)\n            \
         os.write(fd, str(os.getpid()).encode())\n            os.close(fd)\n",
        "            own = self.path + str(os.getpid())\n            \
         with open(own, 'w') as file:\n                file.write(str(os.getpid()))\n            \
         os.link(own, self.path)\n",
    );
    assert!(script.contains("os.link"));
    let project = project(&script);
    project.write("p/launch.sh", "python3 worker.py; exit $?");
    let output = project.run(&[
        "explore",
        "--scenario",
        "crash",
        "--workers",
        "2",
        "--strategy",
        "delays",
        "--schedules",
        "10",
        "--",
        "sh",
        "launch.sh",
    ]);
    tells(&output, 0, &["no violation found: 10 schedules"]);
    assert!(
        !stdout(&output).contains("some time after"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_wrapper_dies_and_its_command_goes_on() {
    let project = Project::new();
    let explore = |words: &[&str]| {
        let options = [
            "--scenario",
            "wrapper-kill",
            "--schedules",
            "20",
            "--seed",
            "1",
        ];
        // With the lease, a slow machine is not to blame.
        let save = ["--save", "found.txt", "--lease", "20s", "--wrapper", "--"];
        project.run(&[&["explore"], &options[..], &save, words].concat())
    };
    // The command inherits the lock.
    let held = explore(&["flock", "{lock}", "{cmd}"]);
    tells(&held, 0, &["✔ wrapper-kill no violation found"]);
    let broken = explore(&["flock", "-o", "{lock}", "{cmd}"]);
    let parts = ["BROKEN after", "its wrapper is killed (SIGKILL)", "at once"];
    tells(&broken, 1, &parts);
    let again = project.run(&["replay", "found.txt", "--times", "5"]);
    let exactly = "5 of 5 runs reached the violation; 5 took exactly the steps in the file";
    tells(&again, 1, &[exactly]);
    let builtin = [
        "explore",
        "--scenario",
        "wrapper-kill",
        "--builtin",
        "flock",
    ];
    let none = project.run(&[&builtin[..], &["--schedules", "5"]].concat());
    tells(&none, 2, &["no wrapper to kill"]);
    assert_eq!(stderr(&none), "");
    assert_eq!(project.left_behind(), NOTHING);
}

/// The command is killed with its wrapper, so it does not overlap with the next one.
#[test]
fn a_command_that_dies_with_its_wrapper_is_not_in_the_section() {
    let project = Project::new();
    let script = "exec 9>\"$1\"; flock 9; setpriv --pdeathsig KILL \"$2\" 9>&-; exit $?";
    project.write("p/wrap.sh", script);
    let output = project.run(&[
        "explore",
        "--scenario",
        "wrapper-kill",
        "--schedules",
        "12",
        "--seed",
        "1",
        "--workers",
        "2",
        "--wrapper",
        "--",
        "sh",
        "wrap.sh",
        "{lock}",
        "{cmd}",
    ]);
    let printed = stdout(&output);
    assert!(!printed.contains("BROKEN"), "{printed}");
    assert_eq!(output.status.code(), Some(2), "{printed}");
}
