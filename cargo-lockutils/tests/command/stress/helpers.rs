//! The helpers in `docs/workers`: a worker of a few lines, for a simple lock.

use std::path::Path;

use crate::project::{NOTHING, Project};
use crate::stress::verdict_is;

/// Checks and tests a worker, given as the name and text of a file in which HELPERS stands for the
/// folder of the helpers.
fn tried(program: &str, file: &str, text: &str, scenarios: &str, printed: &[&str]) {
    let helpers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/workers");
    let project = Project::new();
    project.write(
        &format!("p/{file}"),
        &text.replace("HELPERS", helpers.to_str().unwrap()),
    );
    let check = project.run(&["worker-check", "--", program, file]);
    verdict_is(&check, 0, &["the worker speaks the protocol"]);
    let options = ["stress", "--duration", "2s", "--scenario", scenarios];
    let output = project.run(&[&options[..], &["--", program, file]].concat());
    verdict_is(&output, 0, printed);
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn python_asks_again_for_a_lock_that_cannot_wait_and_prints_where_it_may() {
    let worker = r#"
import os, sys
sys.path.insert(0, "HELPERS")
from lockutils_worker import serve

class Lock:
    forks = False
    def __init__(self, directory, name):
        self.file = f"{directory}/{name}"
    def try_acquire(self):
        print("this is not of the protocol")
        try:
            os.close(os.open(self.file, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True
    def release(self):
        os.system("echo nor is this")
        os.remove(self.file)

serve(Lock)
"#;
    let held = ["✔ contend", "✔ threads", "✔ respawn"];
    tried("python3", "w.py", worker, "contend,threads,respawn", &held);
}

#[test]
fn python_answers_whatever_the_library_raises() {
    let worker = r#"
import sys
sys.path.insert(0, "HELPERS")
from lockutils_worker import serve

class Lock:
    def __init__(self, directory, name): pass
    def acquire(self): sys.exit("the library gives up")
    def release(self): pass

serve(Lock)
"#;
    let helpers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/workers");
    let project = Project::new();
    project.write(
        "p/w.py",
        &worker.replace("HELPERS", helpers.to_str().unwrap()),
    );
    let options = ["stress", "--duration", "1s", "--scenario", "threads"];
    let output = project.run(&[&options[..], &["--", "python3", "w.py"]].concat());
    verdict_is(&output, 2, &["acquire: SystemExit: the library gives up"]);
}

#[test]
fn shell_asks_again_and_shares() {
    let worker = r#"
lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME
exec 9>>"$lock"
try() { echo trying; flock -n 9; }
release() { flock -u 9; }
read_lock() { flock -s 9; }
try_read() { flock -sn 9; }
. HELPERS/lockutils_worker.sh
"#;
    tried(
        "sh",
        "w.sh",
        worker,
        "contend,respawn",
        &["✔ contend", "✔ respawn"],
    );
}

#[test]
fn javascript_has_tasks_for_threads() {
    if std::process::Command::new("node")
        .arg("--version")
        .output()
        .is_err()
    {
        return; // Node is not installed everywhere
    }
    let worker = r#"
const { serve, directory, name } = require('HELPERS/lockutils_worker');
const fs = require('fs');
const file = `${directory}/${name}`;
serve(() => ({
  async tryAcquire() {
    console.log('this is not of the protocol');
    try { fs.closeSync(fs.openSync(file, 'wx')); } catch { return false; }
    return true;
  },
  async release() { fs.unlinkSync(file); },
}));
"#;
    let held = ["✔ contend", "✔ threads"];
    tried("node", "w.js", worker, "contend,threads", &held);
}
