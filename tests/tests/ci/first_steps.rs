//! A new user's way from an empty folder to a lock that CI tests.

use std::time::{Duration, Instant};

use lockutils_tests::command::{Newcomer, text};

use crate::github::{Job, names};
use crate::yaml::{documents, is_valid};

fn succeeds(newcomer: &Newcomer, arguments: &[&str]) -> String {
    let output = newcomer.cargo(arguments);
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        text(&output)
    );
    text(&output)
}

#[test]
fn from_an_empty_folder_to_a_green_job() {
    let began = Instant::now();
    let newcomer = Newcomer::in_an_empty_folder();
    newcomer.begins();
    let printed = succeeds(&newcomer, &["lockutils", "init", "--ci", "github", "--yes"]);
    for part in [
        "wrote examples/lock_worker.rs",
        "wrote .github/workflows/lockutils.yml",
        "Next:",
        "cargo lockutils stress",
    ] {
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
    newcomer.hurries();

    let printed = succeeds(&newcomer, &["lockutils", "test"]);
    assert!(
        printed.contains("it_is_refreshed ... ok")
            && printed.contains("1 lock file was used: cache"),
        "{printed}"
    );
    let printed = succeeds(
        &newcomer,
        &["lockutils", "stress", "--profile", "pull-request"],
    );
    assert!(
        printed.contains("✔ contend") && printed.contains("✔ die") && printed.contains("✔ cache"),
        "{printed}"
    );
    let printed = succeeds(
        &newcomer,
        &["lockutils", "explore", "--profile", "pull-request"],
    );
    assert!(
        printed.contains("✔ contend   no violation found") && printed.contains("✔ cache"),
        "{printed}"
    );

    let workflow = newcomer.package().join(".github/workflows/lockutils.yml");
    is_valid(&workflow, "vendor.github-workflows");
    let file = documents(&workflow).remove(0);
    let mut job = Job::new(&newcomer, "pull_request");
    job.values.insert(
        "github.event_name == 'schedule' && 'nightly' || 'pull-request'".into(),
        "pull-request".into(),
    );
    let steps = file["jobs"]["locks"]["steps"].as_array().unwrap();
    let mut ran = Vec::new();
    for step in steps {
        let name = step["name"].as_str().unwrap_or_default();
        if name.starts_with("Install") {
            // A release build; `ci/packages` runs `cargo install`.
            let command = step["run"].as_str().unwrap();
            assert!(
                command.starts_with("cargo install --locked --path '")
                    && command.ends_with("/cargo-lockutils'"),
                "{command}"
            );
        } else if job.step(step).is_some() {
            ran.push(name);
        }
    }
    assert_eq!(ran, ["Tests and locks"]);
    assert!(!job.failed, "{}", job.said);
    job.is_within_limits();
    assert!(
        job.said
            .contains("passed: test stress explore (profile pull-request)"),
        "{}",
        job.said
    );
    let kept = steps.last().unwrap();
    assert_eq!(kept["if"], "always()");
    let folder = newcomer
        .package()
        .join(kept["with"]["path"].as_str().unwrap());
    assert_eq!(
        names(&folder),
        [
            "explore-junit.xml",
            "explore-seed.txt",
            "explore.html",
            "explore.json",
            "stress-junit.xml",
            "stress-seed.txt",
            "stress.html",
            "stress.json"
        ]
    );
    assert!(
        began.elapsed() < Duration::from_secs(600),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn nothing_is_overwritten_unless_it_is_forced() {
    let newcomer = Newcomer::in_an_empty_folder();
    newcomer.begins();
    newcomer.write("lockutils_worker.py", "mine");
    let arguments = [
        "lockutils",
        "init",
        "--worker",
        "python",
        "--ci",
        "gitlab",
        "--lock",
        "db",
    ];
    let refused = newcomer.cargo(&arguments);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused).contains("lockutils_worker.py already exists; nothing was written"),
        "{}",
        text(&refused)
    );
    assert!(!newcomer.package().join("lock_worker.py").exists());
    assert!(!newcomer.read("Cargo.toml").contains("lockutils.lock"));

    let printed = succeeds(&newcomer, &[&arguments[..], &["--force"]].concat());
    assert!(printed.contains("wrote .gitlab-ci.yml"), "{printed}");
    assert_ne!(newcomer.read("lockutils_worker.py"), "mine");
    is_valid(
        &newcomer.package().join(".gitlab-ci.yml"),
        "vendor.gitlab-ci",
    );
    let printed = succeeds(
        &newcomer,
        &[
            "lockutils",
            "stress",
            "--duration",
            "1s",
            "--scenario",
            "contend",
        ],
    );
    assert!(printed.contains("✔ db"), "{printed}");

    // Once it is configured, the manifest is the user's.
    let before = newcomer.read("Cargo.toml");
    let printed = succeeds(&newcomer, &[&arguments[..], &["--force"]].concat());
    assert!(
        printed.contains("already exists and was left unchanged"),
        "{printed}"
    );
    assert_eq!(newcomer.read("Cargo.toml"), before);
}

#[test]
fn every_worker_that_init_writes_speaks_the_protocol() {
    for (language, worker) in [
        ("shell", &["sh", "lock_worker.sh"]),
        ("javascript", &["node", "lock_worker.js"]),
        ("python", &["python3", "lock_worker.py"]),
    ] {
        if language == "javascript"
            && std::process::Command::new("node")
                .arg("--version")
                .output()
                .is_err()
        {
            continue;
        }
        let newcomer = Newcomer::in_an_empty_folder();
        newcomer.begins();
        succeeds(
            &newcomer,
            &["lockutils", "init", "--worker", language, "--ci", "none"],
        );
        let printed = succeeds(
            &newcomer,
            &[&["lockutils", "worker-check", "--"], &worker[..]].concat(),
        );
        assert!(
            printed.contains("the worker speaks the protocol"),
            "{printed}"
        );
        let printed = succeeds(&newcomer, &["lockutils", "stress", "--duration", "2s"]);
        assert!(printed.contains("✔ cache"), "{printed}");
        assert!(!newcomer.package().join("ci").exists());
    }
}

/// Runs a command on a terminal of its own and answers each question, which ends with `]: `.
const TERMINAL: &str = r#"
import os, pty, sys
answers = sys.argv[1].split(",")
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
said = asked = b""
while True:
    try:
        said = os.read(terminal, 4096)
    except OSError:
        break
    sys.stdout.buffer.write(said)
    asked += said
    if asked.endswith(b"]: "):
        os.write(terminal, answers.pop(0).encode() + b"\n")
        asked = b""
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn on_a_terminal_it_asks() {
    let newcomer = Newcomer::in_an_empty_folder();
    newcomer.begins();
    let mut command = std::process::Command::new("python3");
    command.args([
        "-c",
        TERMINAL,
        "db,pyton,python,none",
        "cargo",
        "lockutils",
        "init",
    ]);
    let output = newcomer.run(command, &newcomer.package());
    let printed = text(&output);
    assert!(output.status.success(), "{printed}");
    assert!(
        printed.contains("one of: rust, python, javascript, shell"),
        "{printed}"
    );
    assert!(
        printed.contains("wrote lock_worker.py") && !printed.contains(".github"),
        "{printed}"
    );
    assert!(newcomer.read("Cargo.toml").contains("name = \"db\""));
}
