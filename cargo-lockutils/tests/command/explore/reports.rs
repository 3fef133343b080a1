//! The reports of `explore` for programs: JSON, HTML and JUnit XML.

use std::fs;

use serde_json::Value;

use super::{UNLINKS, explore_worker, project};
use crate::project::{NOTHING, stderr, stdout};
use crate::schema;

#[test]
fn every_strategy_finds_it_and_the_reports_show_it() {
    let project = project(&UNLINKS.replace("REMOVE", "os.unlink(self.path)"));
    for strategy in ["delays", "pct", "random", "depth-first"] {
        let output = explore_worker(
            &project,
            &[
                "--scenario",
                "contend",
                "--strategy",
                strategy,
                "--seed",
                "1",
                "--schedules",
                "3000",
                "--duration",
                "100s",
                "--json",
                "--html",
                "found.html",
                "--junit",
                "found.xml",
            ],
        );
        assert_eq!(
            output.status.code(),
            Some(1),
            "{strategy}: {}",
            stderr(&output)
        );
        let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let outcome = &report["outcomes"][0];
        assert_eq!(outcome["verdict"], "broken");
        assert_eq!(outcome["strategy"], strategy);
        let shown = &outcome["counterexample"];
        assert!(
            shown["switches"].as_u64().unwrap() <= 6,
            "{strategy}: {shown}"
        );
        assert_eq!(shown["same"], shown["runs"], "{strategy}");
        let inside = |step: &serde_json::Value| step["inside"] == true;
        assert!(
            shown["steps"]
                .as_array()
                .unwrap()
                .last()
                .is_some_and(inside)
        );
        let page = fs::read_to_string(project.folder().join("found.html")).unwrap();
        assert!(
            page.contains("are in the section at once") && !page.contains("the data of the report")
        );
        let xml = fs::read_to_string(project.folder().join("found.xml")).unwrap();
        assert!(
            xml.contains("<failure") && xml.contains("are in the section at once"),
            "{xml}"
        );
    }
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn the_json_is_as_its_schema_says() {
    let schema = schema::strict("report.schema.json");
    for (deed, word) in [
        ("pass", "held"),
        ("os.unlink(self.path)", "broken"),
        ("os.read(os.pipe()[0], 1)", "stuck"),
        ("raise OSError('no')", "errors"),
        ("os._exit(1)", "not-known"),
    ] {
        let project = project(&UNLINKS.replace("REMOVE", deed));
        let output = explore_worker(
            &project,
            &[
                "--json",
                "--scenario",
                "contend",
                "--schedules",
                "40",
                "--duration",
                "20s",
            ],
        );
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(report["verdict"], word, "{report:#}");
        let errors: Vec<String> = schema
            .iter_errors(&report)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}\n{report:#}", errors.join("\n"));
        let status = report["exit_status"].as_i64().map(|status| status as i32);
        assert_eq!(status, output.status.code());
    }
}
