//! The GitLab template: valid once its inputs are filled in, and its script, run for real, leaves
//! the JUnit report that GitLab reads.

use std::fs;
use std::path::Path;
use std::process::Command;

use lockutils_tests::command::{text, workspace};
use serde_json::Value;

use crate::action::with_a_broken_lock;
use crate::github::names;
use crate::yaml::{documents, is_valid};

/// The template after an `include` with these inputs.
fn included(inputs: &[(&str, &str)]) -> (tempfile::NamedTempFile, Value) {
    let template = workspace().join("ci/gitlab/lockutils.yml");
    let header = documents(&template).remove(0);
    let text = fs::read_to_string(&template).unwrap();
    let (_, mut body) = text
        .split_once("\n---\n")
        .map(|(a, b)| (a, b.to_owned()))
        .unwrap();
    for (name, input) in header["spec"]["inputs"].as_object().unwrap() {
        let given = inputs
            .iter()
            .find(|(input, _)| input == name)
            .map(|(_, value)| *value);
        let value = given.unwrap_or_else(|| input["default"].as_str().unwrap());
        body = body.replace(
            &format!("$[[ inputs.{name} ]]"),
            if value.is_empty() { "\"\"" } else { value },
        );
    }
    assert!(!body.contains("$[["), "{body}");
    let file = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
    fs::write(file.path(), body).unwrap();
    let job = documents(file.path()).remove(0)["lockutils"].clone();
    (file, job)
}

#[test]
fn the_template_is_valid_and_keeps_its_results() {
    let (file, job) = included(&[]);
    is_valid(file.path(), "vendor.gitlab-ci");
    assert_eq!(job["artifacts"]["when"], "always");
}

#[test]
fn the_script_leaves_a_report_for_merge_requests() {
    let script = workspace().join("ci/lockutils-ci");
    let (_file, job) = included(&[
        ("run", "stress explore"),
        ("script", &script.to_string_lossy()),
    ]);
    let newcomer = with_a_broken_lock();
    let mut shell = Command::new("bash");
    shell
        .args(["-e", "-c", job["script"][0].as_str().unwrap()])
        .envs([
            ("CI", "true"),
            ("GITLAB_CI", "true"),
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ]);
    for (name, value) in job["variables"].as_object().unwrap() {
        if name.starts_with("LOCKUTILS_") {
            shell.env(name, value.as_str().unwrap());
        }
    }
    let output = newcomer.run(shell, &newcomer.package());
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("section_start:") && printed.contains("section_end:"),
        "{printed}"
    );
    assert!(printed.contains("(profile pull-request)"), "{printed}");
    let folder = newcomer
        .package()
        .join(job["artifacts"]["paths"][0].as_str().unwrap());
    let pattern = Path::new(job["artifacts"]["reports"]["junit"].as_str().unwrap());
    let suffix = pattern
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .trim_start_matches('*');
    let reports: Vec<String> = names(&folder)
        .into_iter()
        .filter(|name| name.ends_with(suffix))
        .collect();
    assert_eq!(reports, ["explore-junit.xml", "stress-junit.xml"]);
    let report = fs::read_to_string(folder.join("stress-junit.xml")).unwrap();
    assert!(
        report.contains("<testcase name=\"contend\" classname=\"cache\"")
            && report.contains("<failure"),
        "{report}"
    );
}
