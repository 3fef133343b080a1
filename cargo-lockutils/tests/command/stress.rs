//! `stress` on locks whose behaviour is known, and on workers that misbehave.

use std::fs;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::project::{NOTHING, Project, stderr, stdout, until};

/// What `stress` says of a worker that is this shell script.
fn stress(script: &str, options: &[&str]) -> (Project, Output) {
    let project = Project::new();
    project.write("p/worker.sh", script);
    let output = project.run(&[&["stress"], options, &["--", "sh", "worker.sh"]].concat());
    (project, output)
}

/// A worker whose three verbs are these shell commands.
fn worker(acquire: &str, attempt: &str, release: &str) -> String {
    format!(
        "lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME; attempt() {{ {attempt}; }}\necho ready\n\
         while read -r slot verb rest; do case $verb in\n\
         acquire) {acquire}; echo \"$slot acquired\";;\n\
         try) if attempt; then echo \"$slot acquired\"; else echo \"$slot busy\"; fi;;\n\
         release) {release}; echo \"$slot released\";;\n\
         *) echo \"$slot unsupported\";; esac; done\n"
    )
}

const SPIN: &str = "until attempt; do sleep 0.001; done";

fn verdict_is(output: &Output, status: i32, words: &[&str]) {
    let (out, err) = (stdout(output), stderr(output));
    for word in words {
        assert!(
            out.contains(word) || err.contains(word),
            "no `{word}` in: {out}{err}"
        );
    }
    assert_eq!(output.status.code(), Some(status), "{out}{err}");
    assert!(!err.contains("panicked"), "{err}");
}

const QUICK: [&str; 4] = ["--scenario", "contend", "--duration", "500ms"];

#[test]
fn a_lock_that_does_nothing_is_broken_and_the_overlap_is_drawn() {
    let (project, output) = stress(&worker("true", "true", "true"), &QUICK);
    verdict_is(
        &output,
        1,
        &[
            "contend",
            "BROKEN",
            "came in as well",
            "▔",
            "both in for",
            "again: cargo lockutils stress --seed 0x",
        ],
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_lock_that_excludes_is_held_and_stuck_when_its_holder_dies() {
    let mkdir = worker(SPIN, "mkdir \"$lock\" 2>/dev/null", "rmdir \"$lock\"");
    let (_, output) = stress(&mkdir, &QUICK);
    verdict_is(&output, 0, &["✔ contend", "held"]);
    let options = [
        "--scenario",
        "die",
        "--duration",
        "1s",
        "--stuck-after",
        "2s",
    ];
    let (project, output) = stress(&mkdir, &options);
    verdict_is(
        &output,
        3,
        &[
            "✘ die",
            "stuck",
            "nobody has got the lock",
            "nor did a fresh worker",
        ],
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn hazards_count_only_when_they_are_named() {
    let project = Project::new();
    let unlink = ["stress", "--builtin", "ofd", "--duration", "1s"];
    let named = project.run(&[&unlink[..], &["--scenario", "unlink"]].concat());
    verdict_is(&named, 1, &["✘ unlink", "BROKEN"]);
    let all = project.run(&[&unlink[..], &["--stuck-after", "5s"]].concat());
    verdict_is(&all, 0, &["! (unlink)", "✔ contend", "in brackets"]);
    let denied = project.run(&[&unlink[..], &["--deny-hazards"]].concat());
    verdict_is(&denied, 1, &["✘ unlink"]);
}

#[test]
fn built_in_locks_show_what_they_are_known_for() {
    let project = Project::new();
    for (lock, scenario, status) in [
        ("oslo", "remove", 0),
        ("oslo", "reopen", 0),
        ("oslo", "fork", 0),
        ("fcntl", "threads", 1),
        ("fcntl", "reopen", 1),
        ("flock", "threads", 0),
        ("flock", "fork", 1),
        ("ofd", "die", 0),
    ] {
        let output = project.run(&[
            "stress",
            "--builtin",
            lock,
            "--scenario",
            scenario,
            "--duration",
            "1s",
        ]);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{lock} {scenario}: {}",
            stdout(&output)
        );
    }
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_wrapper_is_tried_with_our_own_command_in_it() {
    let project = Project::new();
    let flock = ["--", "flock", "{lock}", "{cmd}"];
    let held = project.run(
        &[
            &[
                "stress",
                "--wrapper",
                "--duration",
                "2s",
                "--scenario",
                "contend,die,wrapper-kill",
            ],
            &flock[..],
        ]
        .concat(),
    );
    verdict_is(&held, 0, &["✔ contend", "✔ die", "✔ wrapper-kill"]);
    let open = [
        "stress",
        "--wrapper",
        "--duration",
        "1s",
        "--scenario",
        "wrapper-kill",
        "--",
        "flock",
        "-o",
        "{lock}",
        "{cmd}",
    ];
    verdict_is(&project.run(&open), 1, &["✘ wrapper-kill", "BROKEN"]);
    let script = [
        "stress",
        "--wrapper",
        "--duration",
        "1s",
        "--scenario",
        "contend",
        "--",
        "sh",
        "-c",
        "exec flock {lock} -c '{cmd}'",
    ];
    verdict_is(&project.run(&script), 0, &["✔ contend"]);
    let gives_up = [
        "stress",
        "--wrapper",
        "--busy-status",
        "1",
        "--duration",
        "1s",
        "--scenario",
        "contend",
        "--",
        "flock",
        "-n",
        "{lock}",
        "{cmd}",
    ];
    verdict_is(
        &project.run(&gives_up),
        3,
        &["errors", "let it wait for the lock"],
    );
}

#[test]
fn what_cannot_be_tried_is_an_error_with_the_next_step() {
    let project = Project::new();
    for (arguments, told) in [
        (
            &["--", "no-such-lock"][..],
            "no-such-lock was not found: check its spelling and PATH",
        ),
        (&["--wrapper", "--", "flock", "{lock}"], "has no {cmd}"),
        (
            &["--", "sh", "-c", "echo oh dear >&2; exit 3"],
            "exited with status 3 before it said `ready`; its standard error ends: oh dear",
        ),
        (
            &["--", "sh", "-c", "exec yes nonsense"],
            "1000 lines without saying `ready`; it said: nonsense",
        ),
        (
            &["--", "sh", "-c", "kill -SEGV $$"],
            "ended by SIGSEGV before it said `ready`",
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
            "/no/such/folder/x.html cannot be written",
        ),
        (&[], "no lock is named, and none is configured"),
    ] {
        let output = project.run(&[&["stress"], arguments].concat());
        verdict_is(&output, 2, &[told]);
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
    for (script, status, told) in [
        (
            answer("echo \"$slot error no luck $$\"", "true"),
            2,
            "nobody ever got the lock: acquire: no luck",
        ),
        (
            answer(
                "echo \"$slot acquired\"; echo \"$slot acquired\"",
                "echo \"$slot released\"",
            ),
            2,
            "it said `acquired` when nothing had been asked",
        ),
        (
            answer("echo \"$slot released\"", "true"),
            2,
            "it said `released` when `acquire` had been asked",
        ),
        (answer("echo 7 acquired", "true"), 2, "there is no slot 7"),
        (
            answer("exit 4", "true"),
            2,
            "exited with status 4 while it was asked to acquire",
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
            "not of the protocol",
        ),
    ] {
        let (project, output) = stress(&script, &[&QUICK[..], &["--stuck-after", "2s"]].concat());
        let text = stdout(&output) + &stderr(&output);
        assert!(text.contains(told), "no `{told}` in: {text}");
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
            "not of the protocol: \"begin\"",
            "had not left 1 s after the end of their input",
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

#[test]
fn ctrl_c_prints_what_was_found_so_far() {
    let project = Project::new();
    let began = Instant::now();
    let command = project
        .command(&[
            "stress",
            "--builtin",
            "fcntl",
            "--scenario",
            "threads,contend",
            "--duration",
            "10m",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("somebody gets the lock", || {
        let base = project.left_behind().pop()?;
        let mut files = fs::read_dir(base.join("locks/contend/locks")).ok()?;
        files.next().map(drop)
    });
    kill(Pid::from_raw(command.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = command.wait_with_output().unwrap();
    let text = stdout(&output);
    assert!(
        text.contains("interrupted before everything was tried"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn every_report_has_the_same_verdicts() {
    let project = Project::new();
    let output = project
        .command(&[
            "stress",
            "--builtin",
            "fcntl",
            "--duration",
            "2s",
            "--scenario",
            "contend,threads,unlink",
            "--json",
            "--junit",
            "j.xml",
            "--html",
            "h.html",
            "--seed",
            "0x5eed",
        ])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", project.folder().join("summary.md"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let card: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&card["schema"], &card["verdict"], &card["seed"]),
        (&1.into(), &"broken".into(), &"0x5eed".into())
    );
    let verdicts: Vec<(&str, &str)> = card["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|outcome| {
            (
                outcome["scenario"].as_str().unwrap(),
                outcome["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            ("contend", "held"),
            ("threads", "broken"),
            ("unlink", "broken")
        ]
    );
    let overlap = &card["outcomes"][1]["first_overlap"];
    assert!(overlap["at_ns"].as_u64().unwrap() >= overlap["first"]["from_ns"].as_u64().unwrap());
    let read = |file: &str| fs::read_to_string(project.folder().join(file)).unwrap();
    assert!(
        read("j.xml").contains("tests=\"3\"") && read("j.xml").contains("failures=\"2\""),
        "{}",
        read("j.xml")
    );
    let page = read("h.html");
    assert!(
        page.contains("\"scenario\":\"threads\"") && !page.contains("http://")
            || page.contains("www.w3.org")
    );
    assert!(!page.contains("the data of the card"));
    assert!(
        stderr(&output).contains("::error title=BROKEN under threads::fcntl (built in): "),
        "{}",
        stderr(&output)
    );
    assert!(read("summary.md").contains("| threads | BROKEN |"));
}

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
            "it has to answer `0 unsupported`",
            "docs/reference/protocol.md",
        ],
    );
    assert_eq!(project.left_behind(), NOTHING);
}
