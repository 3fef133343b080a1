//! The composite action: its file is valid, and its steps, run for real, have the promised results.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use lockutils_tests::command::{Newcomer, folder, text, workspace};
use serde_json::Value;

use crate::github::{Job, names};
use crate::yaml::{complaints, documents, is_valid};

/// A lock that does nothing.
pub const NO_LOCK: &str = "echo ready
while read -r slot verb rest; do case $verb in
acquire|try) echo \"$slot acquired\";;
release) echo \"$slot released\";;
*) echo \"$slot unsupported\";; esac; done
";

pub fn with_a_broken_lock() -> Newcomer {
    let newcomer = Newcomer::in_an_empty_folder();
    fs::create_dir(newcomer.package()).unwrap();
    newcomer.write("src/lib.rs", "");
    newcomer.write("no_lock.sh", NO_LOCK);
    newcomer.write(
        "Cargo.toml",
        "[package]\nname = \"cache\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
         [[package.metadata.lockutils.lock]]\nname = \"cache\"\nworker = \"sh no_lock.sh\"\n\
         scenarios = [\"contend\"]\n\
         explore = { scenarios = [\"contend\"], workers = 2 }\n",
    );
    newcomer.hurries();
    newcomer
}

/// Runs the steps of the action with these inputs.
fn act<'a>(newcomer: &'a Newcomer, event: &str, inputs: &[(&str, &str)]) -> (Job<'a>, Value) {
    let file = workspace().join("ci/action.yml");
    let action = documents(&file).remove(0);
    let mut job = Job::new(newcomer, event);
    job.set(
        "GITHUB_ACTION_PATH",
        &workspace().join("ci").to_string_lossy(),
    );
    for (name, input) in action["inputs"].as_object().unwrap() {
        let default = input["default"].as_str().unwrap_or_default();
        job.values
            .insert(format!("inputs.{name}"), default.to_owned());
    }
    for (name, value) in inputs {
        let old = job
            .values
            .insert(format!("inputs.{name}"), (*value).to_owned());
        assert!(old.is_some(), "the action has no input {name}");
    }
    for step in action["runs"]["steps"].as_array().unwrap() {
        match step["uses"].as_str() {
            Some("actions/cache@v4") => {
                // As if an earlier run had left it there.
                let path = job.filled(step["with"]["path"].as_str().unwrap());
                let key = job.filled(step["with"]["key"].as_str().unwrap());
                assert!(
                    key.starts_with("lockutils-Linux-X64-") && key.len() > 50,
                    "{key}"
                );
                let bin = std::path::Path::new(&path).join("bin");
                fs::create_dir_all(&bin).unwrap();
                fs::copy(
                    folder().join("cargo-lockutils"),
                    bin.join("cargo-lockutils"),
                )
                .unwrap();
            }
            Some("actions/upload-artifact@v4") => {
                assert_eq!(step["if"], "always()", "results are kept whatever happens");
                let path = job.filled(step["with"]["path"].as_str().unwrap());
                assert_eq!(
                    path,
                    job.temp().join("lockutils-artifacts").to_string_lossy()
                );
            }
            Some(other) => panic!("what is {other}?"),
            None => {
                job.step(step);
            }
        }
    }
    (job, action)
}

#[test]
fn the_file_is_valid() {
    let file = workspace().join("ci/action.yml");
    is_valid(&file, "vendor.github-actions");
    // The check can fail.
    let broken = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("using: composite", "usng: composite");
    fs::write(broken.path(), text).unwrap();
    assert!(complaints(broken.path(), "vendor.github-actions").is_some());
    for script in ["ci/lockutils-ci", "ci/lockutils-install"] {
        let mode = fs::metadata(workspace().join(script))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111, "{script}");
    }
}

#[test]
fn a_lock_that_breaks_fails_the_job_and_is_told_with_what_replays_it() {
    let newcomer = with_a_broken_lock();
    let (job, action) = act(&newcomer, "pull_request", &[("run", "stress explore")]);
    assert!(job.failed, "{}", job.said);
    job.is_within_limits();
    let kept = names(&job.temp().join("lockutils-artifacts"));
    assert_eq!(
        kept,
        [
            "explore-junit.xml",
            "explore-seed.txt",
            "explore.html",
            "explore.json",
            "lockutils-cache-contend.txt",
            "stress-junit.xml",
            "stress-seed.txt",
            "stress.html",
            "stress.json"
        ]
    );
    let summary = job.summary();
    for part in [
        "begins with seed `0x1`",
        "BROKEN: `cache`",
        "| contend | BROKEN |",
        "cargo lockutils replay - <<'END'",
    ] {
        assert!(summary.contains(part), "no `{part}` in {summary}");
    }
    let errors = job.annotations();
    assert!(
        errors
            .iter()
            .any(|line| line.starts_with("::error title=BROKEN under contend::cache: ")),
        "{errors:?}"
    );
    for (name, output) in action["outputs"].as_object().unwrap() {
        let value = job.filled(output["value"].as_str().unwrap());
        match name.as_str() {
            "status" => assert_eq!(value, "1"),
            "failed" => assert_eq!(value, "stress(1) explore(1)"),
            "stress-seed" | "explore-seed" => assert_eq!(value, "0x1"),
            other => panic!("what is {other}?"),
        }
    }
    // A single command, copied from the summary, on a developer's machine.
    let begin = summary.find("cargo lockutils replay -").unwrap();
    let command = &summary[begin..begin + summary[begin..].find("```").unwrap()];
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    let again = newcomer.run(shell, &newcomer.package());
    let printed = text(&again);
    assert_eq!(again.status.code(), Some(1), "{printed}");
    assert!(
        printed
            .contains("10 of 10 runs reached the violation; 10 took exactly the steps in the file"),
        "{printed}"
    );
}

#[test]
fn locks_that_hold_make_a_green_job_and_a_schedule_makes_it_long_with_a_new_seed() {
    let newcomer = with_a_broken_lock();
    let manifest = newcomer.read("Cargo.toml");
    newcomer.write(
        "Cargo.toml",
        &manifest.replace("worker = \"sh no_lock.sh\"", "builtin = \"flock\""),
    );
    let (job, _) = act(&newcomer, "schedule", &[]);
    assert!(!job.failed, "{}", job.said);
    assert_eq!(job.annotations(), Vec::<&str>::new());
    assert!(
        job.said
            .contains("passed: test stress explore (profile nightly)"),
        "{}",
        job.said
    );
    let seed = &job.values["steps.run.outputs.stress-seed"];
    assert!(seed.starts_with("0x") && seed != "0x1", "{seed}");
    assert!(job.summary().contains(seed));
    let (job, _) = act(
        &newcomer,
        "push",
        &[("run", "stress"), ("seed", "0x5eed"), ("time", "1s")],
    );
    assert!(
        job.summary().contains("begins with seed `0x5eed`"),
        "{}",
        job.summary()
    );
}
