//! Ctrl-C: findings are reported soon, and nothing stays.

use std::process::Output;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::project::{Project, stdout};

/// A schedule may take far longer.
const SOON: Duration = Duration::from_secs(8);

/// Explores until a file of the lock exists, interrupts the command, and returns its output.
fn interrupted(project: &Project, lock: &[&str]) -> Output {
    let mut command =
        project.command(&["explore", "--scenario", "contend", "--schedules", "100000"]);
    let command = command.args(["--duration", "10m"]).args(lock);
    let (output, took) = project.ended_by(Signal::SIGINT, command, || {
        project.until_a_worker_gets_the_lock();
    });
    assert!(took < SOON, "{took:?}");
    assert_eq!(output.status.code(), Some(130), "{}", stdout(&output));
    output
}

#[test]
fn between_schedules() {
    let project = Project::new();
    let printed = stdout(&interrupted(&project, &["--builtin", "flock"]));
    assert!(printed.contains("interrupted before"), "{printed}");
}

#[test]
fn within_a_schedule_that_goes_nowhere() {
    let project = Project::new();
    project.write(
        "p/worker.py",
        "
import os, sys
print('ready', flush=True)
for line in sys.stdin:
    open(os.environ['LOCKUTILS_DIR'] + '/lock', 'a').close()
    while True: pass
",
    );
    let printed = stdout(&interrupted(&project, &["--", "python3", "worker.py"]));
    assert!(
        printed.contains("interrupted before a schedule was run"),
        "{printed}"
    );
}
