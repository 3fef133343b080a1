//! Workers without the capability `zygote`: copied where they can be, else started afresh.

use super::{explore_worker, project, tells};
use crate::project::{NOTHING, stdout};

/// A worker that speaks the protocol without the helper, with `BEFORE` before it is ready. The lock
/// breaks if the process number is not its own.
const PLAIN: &str = "
import fcntl, os, sys
path = os.environ['LOCKUTILS_DIR'] + '/' + os.environ['LOCKUTILS_NAME']
own = os.getpid()
BEFORE
print('ready', flush=True)
for line in sys.stdin:
    if line == '0 acquire\\n':
        if os.getpid() != own:
            print('0 error another process number', flush=True)
            continue
        fd = os.open(path, os.O_CREAT | os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        print('0 acquired', flush=True)
    elif line == '0 release\\n':
        REMOVE
        os.close(fd)
        print('0 released', flush=True)
";

/// Explores the worker with this code before it is ready; the output must contain these parts.
#[track_caller]
fn is_explored(before: &str, options: &[&str], status: i32, parts: &[&str]) -> String {
    let script = PLAIN.replace("BEFORE", before).replace("REMOVE", "pass");
    let project = project(&script);
    let output = explore_worker(&project, options);
    tells(&output, status, parts);
    assert_eq!(project.left_behind(), NOTHING);
    stdout(&output)
}

#[test]
fn a_worker_that_only_reads_is_copied() {
    let printed = is_explored(
        "",
        &["--scenario", "contend,die,respawn", "--schedules", "20"],
        0,
        &["✔ contend", "✔ die", "✔ respawn"],
    );
    assert!(!printed.contains("start afresh"), "{printed}");
}

#[test]
fn a_copied_worker_still_breaks() {
    let remove = "os.unlink(path) if os.path.exists(path) else None";
    let project = project(&PLAIN.replace("BEFORE", "").replace("REMOVE", remove));
    let output = explore_worker(&project, &["--scenario", "contend", "--save", "found.txt"]);
    tells(&output, 1, &["BROKEN after"]);
    super::is_replayed(&project);
}

#[test]
fn a_worker_that_copies_would_share_something_with_starts_afresh() {
    for (before, why) in [
        (
            "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
            "it has 2 threads",
        ),
        ("log = open('log', 'a')", "/log open"),
        (
            "import mmap; shared = mmap.mmap(-1, 4096)",
            "it shares memory",
        ),
        (
            "open(path + '.own', 'w').close()",
            "it has created files before it was ready",
        ),
        (
            "import subprocess; child = subprocess.Popen(['sleep', '100'])",
            "it has started others",
        ),
        (
            "import socket; pair = socket.socketpair()",
            "it has socket:",
        ),
    ] {
        let options = ["--scenario", "contend", "--schedules", "4"];
        let parts = ["workers start afresh for each schedule: ", why];
        is_explored(before, &options, 0, &parts);
    }
}
