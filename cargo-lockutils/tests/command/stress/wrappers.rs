//! Commands that run another one under a lock.

use crate::project::{NOTHING, Project};
use crate::stress::verdict_is;

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
}

const CONTEND: [&str; 6] = [
    "stress",
    "--wrapper",
    "--scenario",
    "contend",
    "--duration",
    "1s",
];

#[test]
fn a_wrapper_that_gives_up_is_run_again() {
    let project = Project::new();
    let flock = ["--", "flock", "-n", "-E", "75", "{lock}", "{cmd}"];
    let printed = project.run(&[&CONTEND[..], &["--busy-status", "75"], &flock].concat());
    verdict_is(&printed, 0, &["✔ contend", "held"]);
    let untold = project.run(&[&CONTEND[..], &flock].concat());
    verdict_is(
        &untold,
        3,
        &[
            "exited with status 75 without running the command",
            "if that means that the lock is busy: --busy-status 75",
        ],
    );
}

#[test]
fn a_wrapper_may_run_its_command_in_the_background_or_never() {
    let project = Project::new();
    let script = "flock {lock} {cmd} >/dev/null 2>&1 &";
    let background = project.run(&[&CONTEND[..], &["--", "sh", "-c", script]].concat());
    verdict_is(&background, 0, &["✔ contend", "held"]);
    let never = project.run(&[&CONTEND[..], &["--", "sh", "-c", "true {cmd}"]].concat());
    verdict_is(
        &never,
        2,
        &["exited with status 0 without running the command"],
    );
    assert_eq!(project.left_behind(), NOTHING);
}
