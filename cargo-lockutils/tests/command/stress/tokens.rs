//! Fencing tokens: each acquisition has a greater one.

use std::path::Path;

use serde_json::Value;

use crate::project::{NOTHING, Project, stdout};
use crate::schema;
use crate::stress::verdict_is;

/// Locks by flock(2) with a token from a counter in the file. NEXT is the token after `n`.
const PYTHON: &str = r#"
import fcntl, os, sys
sys.path.insert(0, "HELPERS")
from lockutils_worker import serve

class Lock:
    def __init__(self, directory, name):
        self.path = f"{directory}/{name}"
    def acquire(self):
        self.file = open(self.path, "a+")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.file.seek(0)
        n = int(self.file.read() or 0) + 1
        self.file.truncate(0)
        self.file.write(str(n))
        self.file.flush()
        self.fencing_token = NEXT
    def release(self):
        self.file.close()

serve(Lock)
"#;

const SHELL: &str = r#"
lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME
exec 9>>"$lock"
acquire() {
  flock 9
  n=0; [ -s "$lock" ] && read -r n <"$lock"
  n=$((n + 1)); echo $n >"$lock"
  fencing_token=$((NEXT))
}
release() { flock -u 9; }
. HELPERS/lockutils_worker.sh
"#;

const JAVASCRIPT: &str = r#"
const { serve, directory, name } = require('HELPERS/lockutils_worker');
const fs = require('fs');
const file = `${directory}/${name}`;
serve({
  async tryAcquire() {
    try { fs.mkdirSync(file); } catch { return false; }
    let n = 0;
    try { n = Number(fs.readFileSync(`${file}-n`)); } catch {}
    n += 1;
    fs.writeFileSync(`${file}-n`, String(n));
    this.fencingToken = NEXT;
    return true;
  },
  async release() { fs.rmdirSync(file); },
});
"#;

fn project(file: &str, worker: &str, next: &str) -> Project {
    let helpers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/workers");
    let project = Project::new();
    let worker = worker.replace("HELPERS", helpers.to_str().unwrap());
    project.write(&format!("p/{file}"), &worker.replace("NEXT", next));
    project
}

const OPTIONS: [&str; 5] = ["stress", "--duration", "1s", "--scenario", "contend"];

#[test]
fn tokens_that_grow_are_right_and_others_break_the_fence() {
    for (program, file, worker) in [
        ("python3", "w.py", PYTHON),
        ("sh", "w.sh", SHELL),
        ("node", "w.js", JAVASCRIPT),
    ] {
        if program == "node" && std::process::Command::new(program).output().is_err() {
            continue; // Node is not installed everywhere
        }
        for (next, status, told) in [
            ("n", 0, "✔ contend"),
            ("1000000 - n", 1, "✘ contend        FENCE BROKEN"),
            ("5", 1, "✘ contend        FENCE BROKEN"),
        ] {
            let project = project(file, worker, next);
            let check = project.run(&["worker-check", "--", program, file]);
            verdict_is(&check, 0, &["the worker speaks the protocol"]);
            let output = project.run(&[&OPTIONS[..], &["--", program, file]].concat());
            verdict_is(&output, status, &[told]);
            assert_eq!(project.left_behind(), NOTHING);
        }
    }
}

#[test]
fn a_broken_fence_is_in_every_report() {
    let project = project("w.py", PYTHON, "7");
    let reports = ["--json", "--junit", "all.xml", "--html", "all.html"];
    let words = [&OPTIONS[..], &reports, &["--", "python3", "w.py"]].concat();
    let output = project.run(&words);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let schema = schema::strict("report.schema.json");
    let errors: Vec<String> = schema.iter_errors(&report).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let outcome = &report["outcomes"][0];
    assert_eq!(outcome["verdict"], "fence-broken");
    let reason = outcome["reason"].as_str().unwrap();
    assert!(
        reason.contains("with token 7, and later worker"),
        "{reason}"
    );
    let xml = std::fs::read_to_string(project.folder().join("all.xml")).unwrap();
    assert!(xml.contains("<failure") && xml.contains(reason), "{xml}");
}
