//! Locks with known behaviour.

use crate::project::{NOTHING, Project, stdout};
use crate::stress::{QUICK, SPIN, stress, verdict_is, worker};

#[test]
fn a_lock_that_does_nothing_is_broken_and_the_overlap_is_drawn() {
    let (project, output) = stress(&worker("true", "true", "true"), &QUICK);
    verdict_is(
        &output,
        1,
        &[
            "contend",
            "BROKEN",
            "entered while worker",
            "▔",
            "overlap: ",
            "rerun: cargo lockutils stress --seed 0x",
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
            "no worker has acquired the lock",
            "a new worker did not get it either",
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
    verdict_is(
        &all,
        0,
        &["! (unlink)", "✔ contend", "parentheses mark hazards"],
    );
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
