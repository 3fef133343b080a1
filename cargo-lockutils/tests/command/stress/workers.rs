//! Workers that misbehave.

use std::fs;

use crate::project::{NOTHING, Project, stderr, stdout};
use crate::stress::{QUICK, SPIN, stress, verdict_is, worker};

#[test]
fn what_cannot_be_tried_is_an_error_with_the_next_step() {
    let project = Project::new();
    for (arguments, printed) in [
        (
            &["--", "no-such-lock"][..],
            "no-such-lock was not found: check the spelling and PATH",
        ),
        (&["--wrapper", "--", "flock", "{lock}"], "has no {cmd}"),
        (
            &["--", "sh", "-c", "echo oh dear >&2; exit 3"],
            "exited with status 3 before printing `ready`; its standard error ends with: oh dear",
        ),
        (
            &["--", "sh", "-c", "exec yes nonsense"],
            "1000 lines without `ready`; its first line: nonsense",
        ),
        (
            &["--", "sh", "-c", "kill -SEGV $$"],
            "ended by SIGSEGV before printing `ready`",
        ),
        (
            &["--builtin", "flock", "--scenario", "explode"],
            "contend, threads, die",
        ),
        (
            &["--builtin", "flock", "--duration", "soon"],
            "a time is a number and a unit",
        ),
        (
            &["--builtin", "flock", "--html", "/no/such/folder/x.html"],
            "cannot write /no/such/folder/x.html",
        ),
        (&[], "no lock to test, and none is configured"),
    ] {
        let output = project.run(&[&["stress"], arguments].concat());
        verdict_is(&output, 2, &[printed]);
        assert_eq!(project.left_behind(), NOTHING, "{arguments:?}");
    }
    let unable = project.run(&["stress", "--builtin", "flock", "--scenario", "remove"]);
    verdict_is(&unable, 2, &["the worker does not offer `remove`"]);
}

#[test]
fn workers_that_misbehave_are_told_apart() {
    let answer = |acquire: &str, release: &str| {
        worker("true", "true", "true")
            .replace("echo \"$slot released\"", release)
            .replace("echo \"$slot acquired\"", acquire)
    };
    for (script, status, printed) in [
        (
            answer("echo \"$slot error no luck $$\"", "true"),
            2,
            "no worker ever acquired the lock: acquire: no luck",
        ),
        (
            answer(
                "echo \"$slot acquired\"; echo \"$slot acquired\"",
                "echo \"$slot released\"",
            ),
            2,
            "it answered `acquired` when nothing had been requested",
        ),
        (
            answer("echo \"$slot released\"", "true"),
            2,
            "it answered `released` when `acquire` had been requested",
        ),
        (answer("echo 7 acquired", "true"), 2, "there is no slot 7"),
        (
            answer("exit 4", "true"),
            2,
            "exited with status 4 while it was acquiring",
        ),
        (
            answer("echo \"$slot acquired\"; kill -ABRT $$", "true"),
            3,
            "ended by SIGABRT while it",
        ),
        (
            answer("exec >&-; sleep 100", "true"),
            2,
            "closed its standard output",
        ),
        (
            answer(
                "head -c 100000 /dev/zero; echo \"$slot acquired\"",
                "echo \"$slot released\"",
            ),
            2,
            "outside the protocol",
        ),
    ] {
        let (project, output) = stress(&script, &[&QUICK[..], &["--stuck-after", "2s"]].concat());
        let text = stdout(&output) + &stderr(&output);
        assert!(text.contains(printed), "no `{printed}` in: {text}");
        assert!(
            [status, 2, 3].contains(&output.status.code().unwrap()),
            "{text}"
        );
        assert!(
            !text.contains("BROKEN") && !text.contains("panicked"),
            "{text}"
        );
        assert_eq!(project.left_behind(), NOTHING);
    }
}

#[test]
fn a_lock_that_holds_is_held_however_its_worker_chatters() {
    let flood = worker(
        "echo begin; echo 'oh dear' >&2; head -c 200000 /dev/zero | tr '\\0' x >&2; flock 9",
        "flock -n 9",
        "flock -u 9",
    );
    let script = format!("exec 9>>\"$LOCKUTILS_DIR/lock\"; trap '' TERM HUP\n{flood}sleep 1000\n");
    let (project, output) = stress(&script, &QUICK);
    verdict_is(
        &output,
        0,
        &[
            "✔ contend",
            "outside the protocol: \"begin\"",
            "were still running 3 s after the end of their input",
        ],
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn what_workers_leave_behind_is_ended() {
    let script =
        "setsid sh -c 'echo $$ > ../orphan; exec sleep 1000' </dev/null >/dev/null 2>&1 &\n"
            .to_owned()
            + &worker("flock 9", "flock -n 9", "flock -u 9")
                .replace("echo ready", "exec 9>>\"$LOCKUTILS_DIR/lock\"; echo ready");
    let (project, output) = stress(&script, &QUICK);
    verdict_is(&output, 0, &["held"]);
    let orphan = fs::read_to_string(project.folder().join("../orphan")).unwrap();
    assert!(!fs::exists(format!("/proc/{}", orphan.trim())).unwrap());
    assert_eq!(project.left_behind(), NOTHING);
}

const DEAF: &str = "</dev/null >/dev/null 2>&1";

#[test]
fn what_workers_leave_behind_is_ended_though_nothing_tells_whose_it_is() {
    let script = format!(
        "env -i setsid sh -c 'echo $$ > ../orphan; exec sleep 1000' {DEAF} &\n\
         until test -s ../orphan; do sleep 0.01; done\n"
    ) + &worker(SPIN, "mkdir \"$lock\" 2>/dev/null", "rmdir \"$lock\"");
    let (project, output) = stress(&script, &QUICK);
    verdict_is(&output, 0, &["held"]);
    let orphan = fs::read_to_string(project.folder().join("../orphan")).unwrap();
    assert!(!fs::exists(format!("/proc/{}", orphan.trim())).unwrap());
}

#[test]
fn a_worker_that_goes_into_the_background_is_told_so() {
    let script = format!(
        "({}) <&0 &\n",
        worker("true", "true", "true").replace("echo ready\n", "sleep 2; echo ready\n")
    );
    let (project, output) = stress(&script, &QUICK);
    verdict_is(
        &output,
        2,
        &[
            "exited with status 0 before printing `ready` (and left something running: a worker must stay in the foreground)",
        ],
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_worker_has_ended_though_something_that_it_started_keeps_its_output_open() {
    let script = "sleep 1000 &\n".to_owned()
        + &worker(SPIN, "mkdir \"$lock\" 2>/dev/null", "rmdir \"$lock\"");
    let (_, output) = stress(&script, &["--scenario", "respawn", "--duration", "3s"]);
    verdict_is(&output, 0, &["✔ respawn", "exit"]);
    let text = stdout(&output);
    assert!(!text.contains("kill") && !text.contains("error"), "{text}");
    // Each of the four would keep its place until the end.
    let exits = text.split(" exits").next().unwrap().rsplit(' ').next();
    assert!(
        exits.unwrap().parse::<u32>().is_ok_and(|exits| exits > 4),
        "{text}"
    );
}

#[test]
fn lines_that_are_not_of_the_protocol_may_be_many_if_the_others_come_as_well() {
    let chatty = worker(
        "head -c 6000 /dev/zero | tr '\\0' '\\n'; until attempt; do sleep 0.001; done",
        "mkdir \"$lock\" 2>/dev/null",
        "rmdir \"$lock\"",
    );
    let (_, output) = stress(&chatty, &["--scenario", "contend", "--duration", "2s"]);
    verdict_is(&output, 0, &["✔ contend", "outside the protocol"]);
}

#[test]
fn workers_may_be_more_than_descriptors_are_allowed_at_first() {
    let project = Project::new();
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -Sn 64 && exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_cargo-lockutils"))
        .args(["stress", "--builtin", "flock", "--workers", "40"])
        .args(QUICK)
        .env("TMPDIR", project.temporary())
        .output()
        .unwrap();
    verdict_is(&output, 0, &["✔ contend"]);
}
