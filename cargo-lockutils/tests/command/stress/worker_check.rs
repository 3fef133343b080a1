//! Reports about workers that violate the protocol.

use crate::project::{NOTHING, Project};
use crate::stress::{SPIN, verdict_is, worker};

#[test]
fn worker_check_says_what_is_wrong() {
    let project = Project::new();
    project.write(
        "p/good.sh",
        &worker(SPIN, "mkdir \"$lock\" 2>/dev/null", "rmdir \"$lock\""),
    );
    let good = project.run(&["worker-check", "--", "sh", "good.sh"]);
    verdict_is(&good, 0, &["the worker speaks the protocol"]);
    project.write(
        "p/bad.sh",
        &worker("true", "true", "true").replace("echo \"$slot unsupported\"", "exit 1"),
    );
    let bad = project.run(&["worker-check", "--", "sh", "bad.sh"]);
    verdict_is(
        &bad,
        1,
        &[
            "✘ `0 try` is refused while another worker holds it",
            "it must answer `0 unsupported`",
            "docs/reference/protocol.md",
        ],
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn worker_check_knows_what_may_be_offered_and_what_sharing_means() {
    let project = Project::new();
    let mkdir = worker(SPIN, "mkdir \"$lock\" 2>/dev/null", "rmdir \"$lock\"");
    let shares = mkdir
        .replace("echo ready", "echo ready shared threats")
        .replace("*) echo", "*read) echo \"$slot acquired\";;\n*) echo")
        .replace("rmdir \"$lock\"", "rmdir \"$lock\" 2>/dev/null");
    project.write("p/shares.sh", &shares);
    let output = project.run(&["worker-check", "--", "sh", "shares.sh"]);
    verdict_is(
        &output,
        1,
        &[
            "`threats` is not a capability; known: threads, timeout, shared",
            "✘ `0 try` is refused while another worker shares it",
            "✘ `0 try-read` is refused while another worker holds it",
            "do both workers use one lock, in LOCKUTILS_DIR and named LOCKUTILS_NAME?",
        ],
    );
}
