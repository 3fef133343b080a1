//! The report files of `stress`.

use std::fs;

use serde_json::Value;

use crate::project::{Project, stderr};
use crate::schema;
use crate::stress::{SPIN, worker};

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
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["schema"], &report["verdict"], &report["seed"]),
        (&2.into(), &"broken".into(), &"0x5eed".into())
    );
    let verdicts: Vec<(&str, &str)> = report["outcomes"]
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
    let overlap = &report["outcomes"][1]["first_overlap"];
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
    assert!(!page.contains("the data of the report"));
    assert!(
        stderr(&output).contains("::error title=BROKEN under threads::fcntl (built in): "),
        "{}",
        stderr(&output)
    );
    assert!(read("summary.md").contains("| threads | BROKEN |"));
}

#[test]
fn the_json_is_as_its_schema_says() {
    let schema = schema::strict("report.schema.json");
    let project = Project::new();
    let mkdir = worker(SPIN, "mkdir \"$lock\" 2>/dev/null", "rmdir \"$lock\"");
    project.write("p/worker.sh", &mkdir);
    project.write(
        "p/fails.sh",
        &worker("echo \"$slot error no\"; continue", "false", "true"),
    );
    let mut verdicts = Vec::new();
    for arguments in [
        // Held, broken and not known; with and without waits.
        &["--duration", "2s", "--builtin", "fcntl"][..],
        &[
            "--scenario",
            "die",
            "--stuck-after",
            "2s",
            "--duration",
            "1s",
            "--",
            "sh",
            "worker.sh",
        ],
        &[
            "--scenario",
            "contend",
            "--duration",
            "1s",
            "--",
            "sh",
            "fails.sh",
        ],
        &[
            "--wrapper",
            "--scenario",
            "contend,wrapper-kill",
            "--duration",
            "1s",
            "--lease",
            "2s",
            "--",
            "flock",
            "-o",
            "{lock}",
            "{cmd}",
        ],
    ] {
        let output = project.run(&[&["stress", "--json"], arguments].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let wrong: Vec<String> = schema
            .iter_errors(&report)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let outcomes = report["outcomes"].as_array().unwrap();
        verdicts.extend(
            outcomes
                .iter()
                .map(|outcome| outcome["verdict"].to_string()),
        );
    }
    for verdict in ["held", "broken", "stuck", "not-known"] {
        assert!(verdicts.contains(&format!("{verdict:?}")), "{verdicts:?}");
    }
    // The schema does reject something.
    let mut report = serde_json::json!({"schema": 1});
    assert!(!schema.is_valid(&report));
    report["schema"] = 2.into();
    assert!(!schema.is_valid(&report));
}
