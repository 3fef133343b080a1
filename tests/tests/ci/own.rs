//! Our own workflow and the guides for contributors: they are valid, and everything that they call
//! exists.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use lockutils_tests::command::workspace;
use serde_json::Value;

use crate::yaml::{documents, is_valid};

const WORKFLOW: &str = ".github/workflows/ci.yml";

/// The output of `cargo metadata` for the workspace, without dependencies.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Complaints about a line of shell: a script that is missing or not executable, or an unknown
/// package or target of cargo.
fn complaints(line: &str, metadata: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let words: Vec<&str> = line.split_whitespace().collect();
    for word in &words {
        if word.starts_with("ci/") || word.starts_with(".ci/") {
            match fs::metadata(workspace().join(word)) {
                Ok(file) if file.permissions().mode() & 0o111 != 0 => {}
                Ok(_) => complaints.push(format!("{word} is no program, in: {line}")),
                Err(error) => complaints.push(format!("{word}: {error}, in: {line}")),
            }
        }
    }
    if !words.contains(&"cargo") {
        return complaints;
    }
    let packages = metadata["packages"].as_array().expect("packages");
    let targets = |kind: &str| -> BTreeSet<&str> {
        let all = packages
            .iter()
            .flat_map(|p| p["targets"].as_array().unwrap());
        all.filter(|target| target["kind"][0] == kind)
            .map(|target| target["name"].as_str().unwrap())
            .collect()
    };
    for pair in words.windows(2) {
        let known = match pair[0] {
            "-p" | "--package" => packages
                .iter()
                .map(|p| p["name"].as_str().unwrap())
                .collect(),
            "--test" => targets("test"),
            "--bench" => targets("bench"),
            "--bin" => targets("bin"),
            _ => continue,
        };
        if !known.contains(pair[1]) {
            complaints.push(format!("there is no `{} {}`, in: {line}", pair[0], pair[1]));
        }
    }
    complaints
}

#[test]
fn the_steps_of_our_workflow_call_what_is_there() {
    let file = workspace().join(WORKFLOW);
    is_valid(&file, "vendor.github-workflows");
    let workflow = documents(&file).remove(0);
    let metadata = metadata();
    let mut called = String::new();
    for (name, job) in workflow["jobs"].as_object().expect("jobs") {
        let steps = job["steps"].as_array().expect("steps");
        let scripts: Vec<&str> = steps.iter().filter_map(|s| s["run"].as_str()).collect();
        assert!(!scripts.is_empty(), "{name} runs nothing");
        for line in scripts.iter().flat_map(|script| script.lines()) {
            assert_eq!(
                complaints(line, &metadata),
                Vec::<String>::new(),
                "job {name}"
            );
            called += line;
            called += "\n";
        }
    }
    for script in [".ci/run", "ci/msrv", "ci/features", "ci/deny"] {
        assert!(called.contains(script), "no job calls {script}");
    }
}

#[test]
fn what_a_step_calls_in_vain_is_noticed() {
    let metadata = metadata();
    for line in [
        "ci/there-is-none --seconds 5",
        "ci/lib.sh",
        "cargo test -p no-such-package",
        "cargo test -p lockutils-tests --test no-such-test",
    ] {
        assert_eq!(complaints(line, &metadata).len(), 1, "{line}");
    }
}

/// The texts between backquotes, outside of fences.
fn code_spans(page: &str) -> Vec<String> {
    let mut fenced = false;
    let mut spans = Vec::new();
    for line in page.lines() {
        fenced ^= line.starts_with("```");
        if !fenced {
            spans.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    spans
}

#[test]
fn the_guides_for_contributors_name_what_is_there() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let text = fs::read_to_string(workspace().join(page)).expect("a page");
        let spans = code_spans(&text);
        for span in spans.iter().filter(|span| !span.ends_with(".sh")) {
            wrong.extend(complaints(span, &metadata));
        }
        for path in spans.iter().filter(|span| is_path(span)) {
            let bases = [
                "",
                "oslo-concurrency/src",
                "oslo-coordination/src",
                "harness/src",
                "cargo-lockutils/src",
            ];
            let there = |base: &&str| workspace().join(base).join(path).exists();
            if !bases.iter().any(there) {
                wrong.push(format!("{page} names {path}, which is not there"));
            }
        }
        for (_, after) in text
            .match_indices("](")
            .map(|(at, _)| text.split_at(at + 2))
        {
            let target = after.split(')').next().unwrap_or_default();
            if !target.contains("://") && !workspace().join(target).exists() {
                wrong.push(format!("{page} links to {target}, which is not there"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns `true` for a path of the tree, as opposed to a command, a pattern, or a build product.
fn is_path(span: &str) -> bool {
    let plain = !span.contains([' ', '*', '$', '[', ':']);
    let file = [".rs", ".md", ".sh", ".toml", ".txt"]
        .iter()
        .any(|end| span.ends_with(end));
    plain && (file || span.contains('/')) && !span.starts_with('/') && !span.starts_with("target/")
}
