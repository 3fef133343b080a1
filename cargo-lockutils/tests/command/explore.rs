//! `explore` on locks whose race is known, and on locks that have none.

use std::fs;

use crate::project::{NOTHING, Project, stderr, stdout};

/// Takes the lock by flock(2) and unlinks the file before it closes it, without a look at the name after locking.
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

fn explore(script: &str) -> (Project, std::process::Output) {
    let project = Project::new();
    project.write("p/worker.py", script);
    let helper = include_str!("../../../docs/workers/lockutils_worker.py");
    project.write("p/lockutils_worker.py", helper);
    let output = project.run(&[
        "explore",
        "--scenario",
        "contend",
        "--schedules",
        "40",
        "--budget",
        "60s",
        "--save",
        "found.txt",
        "--",
        "python3",
        "worker.py",
    ]);
    (project, output)
}

#[test]
fn a_race_is_found_told_kept_and_replayed() {
    let (project, output) = explore(&UNLINKS.replace("REMOVE", "os.unlink(self.path)"));
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{told}{}", stderr(&output));
    for part in [
        "BROKEN after",
        "locks a file that no longer has this name; IS IN THE SECTION",
        "are in the section at once",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    let kept = fs::read_to_string(project.folder().join("found.txt")).unwrap();
    assert!(kept.starts_with("lockutils counterexample 1\n"), "{kept}");
    let again = project.run(&["replay", "found.txt", "--times", "5"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stdout(&again).contains("5 of 5 runs came to it; 5 took exactly the steps of the file"),
        "{}",
        stdout(&again)
    );
    // The lock is repaired: the same schedule leads nowhere.
    project.write("p/worker.py", &UNLINKS.replace("REMOVE", "pass"));
    let repaired = project.run(&["replay", "found.txt", "--times", "2"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", stdout(&repaired));
    assert!(stderr(&repaired).contains("it was repaired, or is not deterministic"));
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
        stdout(&output).contains("nothing found 40 schedules of 3 parties"),
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
    for (arguments, told) in [
        (
            &["replay", "other.txt"][..],
            "is it a file that `cargo lockutils explore --save` wrote?",
        ),
        (&["replay", "missing.txt"], "missing.txt: No such file"),
        (
            &["explore", "--", "no-such-lock"],
            "no-such-lock was not found",
        ),
        (
            &["explore", "--scenario", "pause", "--builtin", "flock"],
            "contend, die, remove, unlink",
        ),
    ] {
        let output = project.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(told),
            "no `{told}` in {}",
            stderr(&output)
        );
    }
}
