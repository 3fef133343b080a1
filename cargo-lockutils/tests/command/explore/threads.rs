//! Workers with threads of their own, as most runtimes have.

use super::{explore, explore_worker, project, race, tells};
use crate::project::stdout;

/// A thread that does not use the lock, such as the monitor of Go's goroutines.
const HELPER: &str = "
import threading, time
def watch():
    while True:
        time.sleep(0.0005)
threading.Thread(target=watch, daemon=True).start()
";

/// Waits with a time limit for another thread, like `Thread.sleep` in Java, and polls again.
const WAITS_FOR_A_THREAD: &str = "
import os, threading
from lockutils_worker import serve
class Lock:
    def __init__(self, directory, name):
        self.path = directory + '/lock'
        self.released = threading.Event()
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    def acquire(self):
        while True:
            try:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL))
                return
            except FileExistsError:
                self.released.wait(0.002)
    def release(self):
        os.unlink(self.path)
serve(Lock)
";

#[test]
fn a_thread_that_only_sleeps_is_not_part_of_a_schedule() {
    let (in_init, helper) = (
        "        self.path",
        HELPER.trim().replace('\n', "\n        "),
    );
    let with_helper = format!("        {helper}\n{in_init}");
    let (project, output) = explore(&race().replacen(in_init, &with_helper, 1));
    tells(&output, 1, &[]);
    assert!(!stdout(&output).contains("sleep"), "{}", stdout(&output));
    // On a busy machine, the first thread may wait for the interpreter in one of the runs.
    let again = project.run(&["replay", "found.txt", "--times", "5"]);
    tells(&again, 1, &["5 of 5 runs reached the violation"]);
}

#[test]
fn a_wait_for_a_thread_with_a_time_limit_is_a_sleep() {
    let project = project(WAITS_FOR_A_THREAD);
    let output = explore_worker(
        &project,
        &["--scenario", "contend,respawn", "--schedules", "40"],
    );
    tells(&output, 0, &[]);
    let printed = stdout(&output);
    assert_eq!(
        printed.matches("no violation found: 40 schedules").count(),
        2,
        "{printed}"
    );
}
