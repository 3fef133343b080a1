//! Several explorers at once, shards, and searches that continue.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{UNLINKS, explore_worker, project, race, tells};
use crate::project::{NOTHING, Project, stderr, stdout};

/// The report of an exploration of the project's worker.
fn report(project: &Project, options: &[&str]) -> Value {
    let options = [&["--json", "--scenario", "contend", "--seed", "7"], options].concat();
    let output = explore_worker(project, &options);
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}

/// The counts, the errors without paths, and the counterexample of a report. Times, inodes and paths
/// differ from run to run.
fn essence(report: Value) -> Value {
    let mut outcome = report["outcomes"][0].clone();
    for field in ["seconds", "again"] {
        outcome[field] = Value::Null;
    }
    for error in outcome["errors"].as_array_mut().unwrap() {
        error["text"] = Value::Null;
    }
    if let Some(found) = outcome["counterexample"].as_object_mut() {
        found.remove("before");
        found.remove("steps");
        // The change that helps is always the same.
        let nearest = &mut found["comparison"]["nearest"];
        assert!(nearest["difference"].is_string(), "{nearest:#}");
        nearest["before"] = Value::Null;
        nearest["steps"] = Value::Null;
    }
    outcome
}

#[test]
fn the_result_does_not_depend_on_the_number_of_explorers() {
    let project = project(&race());
    let alone = essence(report(&project, &["--jobs", "1", "--save", "found.txt"]));
    assert_eq!(alone["verdict"], "broken", "{alone:#}");
    for jobs in ["2", "3"] {
        let shared = report(&project, &["--jobs", jobs, "--save", "found.txt"]);
        assert_eq!(essence(shared), alone);
    }
    project.write("p/worker.py", &UNLINKS.replace("REMOVE", "pass"));
    let options = |jobs| ["--jobs", jobs, "--schedules", "130"];
    let alone = essence(report(&project, &options("1")));
    assert_eq!(alone["verdict"], "held", "{alone:#}");
    assert_eq!(essence(report(&project, &options("2"))), alone);
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn the_reports_of_shards_are_merged() {
    let project = project(&UNLINKS.replace("REMOVE", "pass"));
    for shard in ["1/2", "2/2"] {
        let options = [
            "--json",
            "--scenario",
            "contend",
            "--schedules",
            "30",
            "--shard",
        ];
        let output = explore_worker(&project, &[&options[..], &[shard]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let file = format!("p/{}.json", &shard[..1]);
        project.write(&file, &stdout(&output));
    }
    let merged = project.run(&["merge", "1.json", "2.json", "--junit", "all.xml"]);
    tells(
        &merged,
        0,
        &["no violation found: 60 schedules of 3 workers"],
    );
    let xml = fs::read_to_string(project.folder().join("all.xml")).unwrap();
    assert!(xml.contains("name=\"contend\""), "{xml}");
    let part = project.run(&["merge", "2.json", "--json"]);
    assert_eq!(part.status.code(), Some(2), "{}", stderr(&part));
    let part: Value = serde_json::from_str(&stdout(&part)).unwrap();
    let reason = &part["outcomes"][0]["reason"];
    assert_eq!(reason, "the report of shard 1/2 is missing", "{part:#}");
    let schema = crate::schema::strict("report.schema.json");
    let errors: Vec<String> = schema.iter_errors(&part).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let twice = project.run(&["merge", "1.json", "1.json"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(
        stderr(&twice).contains("was given twice"),
        "{}",
        stderr(&twice)
    );
    project.write("p/other.json", "{}");
    let other = project.run(&["merge", "other.json"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("not a report of `explore --json`"));
}

#[test]
fn a_search_that_is_interrupted_continues_to_the_same_result() {
    let project = project(&UNLINKS.replace("REMOVE", "pass"));
    let options = ["--schedules", "600", "--jobs", "2"];
    let whole = essence(report(&project, &options));
    let resumed = [&options[..], &["--resume", "search.json"]].concat();
    let mut command = project.command(&["explore", "--scenario", "contend", "--seed", "7"]);
    let command = command.args(&resumed).args(["--", "python3", "worker.py"]);
    let (output, _) = project.ended_by(Signal::SIGINT, command, || {
        project.until_a_worker_gets_the_lock();
    });
    assert_eq!(output.status.code(), Some(130), "{}", stdout(&output));
    let state = fs::read_to_string(project.folder().join("search.json")).unwrap();
    assert!(state.contains("\"open\""), "{state}");
    let continued = essence(report(&project, &resumed));
    assert_eq!(continued, whole);
    // Nothing is left to run.
    let again = essence(report(&project, &resumed));
    assert_eq!(again["schedules"], 600);
    let other = [&["--workers", "2"], &resumed[..]].concat();
    let other = explore_worker(&project, &[&["--scenario", "contend"], &other[..]].concat());
    assert_eq!(other.status.code(), Some(2));
    let told = stderr(&other);
    assert!(told.contains("3 workers instead of 2 workers"), "{told}");
    project.write("p/search.json", "{}");
    let damaged = explore_worker(&project, &["--resume", "search.json"]);
    assert_eq!(damaged.status.code(), Some(2));
    assert!(stderr(&damaged).contains("not saved by `explore`"));
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_violation_stays_found() {
    let project = project(&race());
    let options = [
        "--until-broken",
        "--resume",
        "search.json",
        "--save",
        "found.txt",
    ];
    let first = report(&project, &options);
    assert_eq!(first["verdict"], "broken", "{first:#}");
    fs::remove_file(project.folder().join("worker.py")).unwrap();
    project.write("p/worker.py", &UNLINKS.replace("REMOVE", "pass"));
    let again = report(&project, &options);
    assert_eq!(again["outcomes"], first["outcomes"]);
}

#[test]
fn until_broken_ends_when_everything_was_tried() {
    let project = project(&UNLINKS.replace("REMOVE", "pass"));
    let output = explore_worker(
        &project,
        &[
            "--scenario",
            "contend",
            "--strategy",
            "delays",
            "--workers",
            "2",
            "--until-broken",
        ],
    );
    tells(&output, 0, &["complete up to 3 delays"]);
}
