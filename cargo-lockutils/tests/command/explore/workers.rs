//! Workers that misbehave: the report describes the worker, and says nothing about the lock.

use super::{UNLINKS, explore_worker, project, race, tells};
use crate::project::{NOTHING, Project, stderr, stdout};

/// Answers like a correct lock, except for the misbehaviour in `MODE`, which comes first.
const WORKER: &str = "
import os, sys
print('ready', flush=True)
for line in sys.stdin:
    open(os.environ['LOCKUTILS_DIR'] + '/lock', 'a').close()
    MODE
";

/// The exit status and the output for a worker with this misbehaviour.
fn printed(mode: &str) -> (i32, String) {
    let project = Project::new();
    project.write("p/worker.py", &WORKER.replace("MODE", mode));
    let output = explore_worker(&project, &["--scenario", "contend", "--schedules", "1"]);
    assert_eq!(project.left_behind(), NOTHING);
    let printed = stdout(&output);
    assert_eq!(stderr(&output), "", "{printed}");
    (output.status.code().unwrap(), printed)
}

#[track_caller]
fn is_not_known(mode: &str, why: &str) {
    let (status, printed) = printed(mode);
    assert!(printed.contains("not known"), "{printed}");
    assert!(printed.contains(why), "no `{why}` in {printed}");
    assert_eq!(status, 2, "{printed}");
}

#[test]
fn one_that_dies() {
    is_not_known("os._exit(7)", "worker 0 ended on its own");
    is_not_known(
        "sys.exit('no such lock')",
        "worker 0 ended on its own; its standard error ends with: no such lock",
    );
}

#[test]
fn one_that_computes_for_ever() {
    is_not_known(
        "while True: pass",
        "worker 0 has computed for 10 s without an answer or a system call that matters to a lock",
    );
}

#[test]
fn one_that_answers_something_else() {
    is_not_known(
        "print('0 what', flush=True)",
        "worker 0 does not answer; it printed a line outside the protocol: \"0 what\"",
    );
    is_not_known(
        "print('1 acquired', flush=True)",
        "it printed a line outside the protocol: \"1 acquired\"",
    );
    is_not_known("print('x' * 10**6, flush=True)", "xxx\"…");
}

#[test]
fn one_whose_lock_fails() {
    let (status, printed) = printed("print('0 error the server is gone', flush=True)");
    assert!(printed.contains("3 times: the server is gone"), "{printed}");
    assert_eq!(status, 3, "{printed}");
}

#[test]
fn one_that_waits_for_what_never_comes() {
    let (status, printed) = printed("os.read(os.pipe()[0], 1)");
    assert!(
        printed
            .contains("=> stuck: no worker is in the section, and workers 0, 1 and 2 wait forever"),
        "{printed}"
    );
    assert_eq!(status, 3, "{printed}");
}

#[test]
fn one_that_answers_what_was_not_asked() {
    is_not_known(
        "print('0 busy', flush=True)",
        "worker 0 answered `busy` when it was asked to acquire",
    );
}

#[test]
fn one_whose_lock_lies_elsewhere() {
    let elsewhere = "
import os, time
from lockutils_worker import serve
class Lock:
    def __init__(self, directory, name):
        pass
    def acquire(self):
        while True:
            try:
                return os.mkdir(FOLDER)
            except FileExistsError:
                time.sleep(0.001)
    def release(self):
        os.rmdir(FOLDER)
serve(Lock)
";
    let folder = tempfile::tempdir().unwrap();
    let held = folder.path().join("held");
    let project = project(&elsewhere.replace("FOLDER", &format!("{held:?}")));
    let output = explore_worker(&project, &["--scenario", "contend", "--schedules", "3"]);
    tells(
        &output,
        2,
        &["not known", "no call that touches the lock was seen"],
    );
}

#[test]
fn one_that_somebody_else_has_started() {
    let project = project(&race().replace("serve(Lock)", "Lock.forks = False\nserve(Lock)"));
    project.write("p/launch.sh", "python3 worker.py; exit $?");
    let output = project.run(&[
        "explore",
        "--scenario",
        "contend",
        "--schedules",
        "40",
        "--",
        "sh",
        "launch.sh",
    ]);
    tells(&output, 1, &["which no longer has this name"]);
}

#[test]
fn what_is_not_known_of_one_scenario_is_not_made_up_for_by_another() {
    let project = project(&UNLINKS.replace("REMOVE", "pass"));
    let output = explore_worker(
        &project,
        &["--scenario", "contend,remove", "--schedules", "3"],
    );
    tells(
        &output,
        2,
        &[
            "✔ contend   no violation found",
            "answered `unsupported` when it was asked to remove",
        ],
    );
}
