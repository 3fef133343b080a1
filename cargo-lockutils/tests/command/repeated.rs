//! Repeated test runs, each with another seed.

use std::fs;

use crate::project::{NOTHING, Project, stderr};

/// A project with a test that records its seed, and fails the third time.
fn fails_at_third() -> Project {
    let project = Project::new();
    project.write(
        "p/tests/third.rs",
        r#"
        #[test] fn third() {
            use std::io::Write;
            let mut options = std::fs::File::options();
            let mut seeds = options.append(true).create(true).open("seeds").unwrap();
            let variable = |name| std::env::var(name).unwrap();
            let (seed, path) = (variable("LOCKUTILS_SEED"), variable("OSLO_LOCK_PATH"));
            writeln!(seeds, "{seed} {path}").unwrap();
            assert_ne!(std::fs::read_to_string("seeds").unwrap().lines().count(), 3);
        }
        "#,
    );
    project
}

fn seeds(project: &Project) -> Vec<(String, String)> {
    let text = fs::read_to_string(project.folder().join("seeds")).unwrap();
    let _ = fs::remove_file(project.folder().join("seeds"));
    let words = text.lines().map(|line| line.split_once(' ').unwrap());
    words
        .map(|(seed, path)| (seed.to_owned(), path.to_owned()))
        .collect()
}

#[test]
fn until_failure_stops_there_and_tells_how_to_repeat_it() {
    let project = fails_at_third();
    let output = project.run(&["test", "--until-failure", "--test", "third"]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(101), "{printed}");
    let seeds = seeds(&project);
    assert_eq!(seeds.len(), 3);
    assert!(seeds[0].0 != seeds[1].0 && seeds[1].0 != seeds[2].0);
    assert!(
        seeds[0].1 != seeds[1].1 && seeds[1].1 != seeds[2].1,
        "a directory each"
    );
    let again = format!(
        "1 of 3 runs failed: run 3 (seed {0}, exit status 101); rerun: cargo lockutils test --seed {0} --test third",
        seeds[2].0
    );
    assert!(printed.contains(&again), "no `{again}` in {printed}");
    assert!(printed.contains("lockutils: run 2, seed 0x"), "{printed}");
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn a_number_of_runs_are_all_run_and_reported() {
    let project = fails_at_third();
    let report = project.temporary().join("report.json");
    let report = report.to_str().unwrap();
    let arguments = [
        "test", "--runs", "4", "--seed", "0x7", "--report", report, "--test", "third",
    ];
    let output = project.run(&arguments);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(101), "{printed}");
    let seeds = seeds(&project);
    assert_eq!((seeds.len(), seeds[0].0.as_str()), (4, "0x7"), "{printed}");
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    let runs = json["runs"].as_array().unwrap();
    let statuses: Vec<_> = runs
        .iter()
        .map(|run| run["exit_status"].as_i64().unwrap())
        .collect();
    assert_eq!(
        (statuses.as_slice(), &json["exit_status"]),
        (&[0, 0, 101, 0][..], &serde_json::json!(101))
    );
    assert_eq!(runs[0]["seed"], "0x7");
    let output = project.run(&["test", "--runs", "2", "--test", "it"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stderr(&output).contains("all 2 runs passed"),
        "{}",
        stderr(&output)
    );
    assert_eq!(project.run(&["test", "--runs", "0"]).status.code(), Some(2));
}

#[test]
fn a_run_that_is_interrupted_is_none_that_failed() {
    let project = Project::new();
    let script = "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; \
                  test $n = 0 || kill -INT $PPID; sleep 0.1; exit 0";
    let output = project.run(&["with", "--runs", "100", "--", "sh", "-c", script]);
    let printed = stderr(&output);
    assert!(printed.contains("interrupted in run 2"), "{printed}");
    assert_eq!(output.status.code(), Some(130), "{printed}");
    assert!(!printed.contains("failed"), "{printed}");
    assert_eq!(project.left_behind(), NOTHING);
}
