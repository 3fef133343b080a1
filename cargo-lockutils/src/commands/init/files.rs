//! The files that `init` writes, from templates.

use std::path::{Path, PathBuf};

use crate::cli::{Service, WorkerLanguage};

/// A file to write, and its description for the user.
pub struct NewFile {
    pub path: PathBuf,
    pub text: String,
    pub what: &'static str,
}

const PYTHON: &str = include_str!("templates/lock_worker.py");
const JAVASCRIPT: &str = include_str!("templates/lock_worker.js");
const SHELL: &str = include_str!("templates/lock_worker.sh");
const RUST: &str = include_str!("templates/lock_worker.rs");
const PYTHON_HELPER: &str = include_str!("templates/lockutils_worker.py");
const JAVASCRIPT_HELPER: &str = include_str!("templates/lockutils_worker.js");
const SHELL_HELPER: &str = include_str!("templates/lockutils_worker.sh");
const CONFIGURATION: &str = include_str!("templates/configuration.toml");
const GITHUB: &str = include_str!("templates/github.yml");
const GITLAB: &str = include_str!("templates/gitlab.yml");
const SCRIPT: &str = include_str!("templates/lockutils-ci");

/// Description of the helper modules, which are the same for every worker.
const HELPER: &str = "speaks the line protocol";

/// The worker, and the helper module beside it.
pub fn worker(language: WorkerLanguage, name: &str, folder: &Path) -> Vec<NewFile> {
    let file = |path: &str, text: &str, what| NewFile {
        path: folder.join(path),
        text: text.replace("@NAME@", name),
        what,
    };
    let worker = "acquires the lock, for stress and explore";
    match language {
        WorkerLanguage::Rust => vec![file("examples/lock_worker.rs", RUST, worker)],
        WorkerLanguage::Python => vec![
            file("lock_worker.py", PYTHON, worker),
            file("lockutils_worker.py", PYTHON_HELPER, HELPER),
        ],
        WorkerLanguage::JavaScript => vec![
            file("lock_worker.js", JAVASCRIPT, worker),
            file("lockutils_worker.js", JAVASCRIPT_HELPER, HELPER),
        ],
        WorkerLanguage::Shell => vec![
            file("lock_worker.sh", SHELL, worker),
            file("lockutils_worker.sh", SHELL_HELPER, HELPER),
        ],
    }
}

/// The table for the manifest.
pub fn configuration(table: &str, language: WorkerLanguage, name: &str) -> String {
    let lock = match language {
        WorkerLanguage::Rust => "example = \"lock_worker\"",
        WorkerLanguage::Python => "worker = \"python3 lock_worker.py\"",
        WorkerLanguage::JavaScript => "worker = \"node lock_worker.js\"",
        WorkerLanguage::Shell => "worker = \"sh lock_worker.sh\"",
    };
    let scenarios = match language {
        WorkerLanguage::Rust => {
            "# scenarios = [\"contend\", \"threads\", \"die\", \"respawn\"]    \
             # default: all that the lock supports"
        }
        WorkerLanguage::Python => {
            "scenarios = [\"contend\", \"threads\", \"die\", \"respawn\"]      \
             # default: all that the lock supports"
        }
        // The lock of these workers is a directory, which outlives its creator.
        _ => {
            "scenarios = [\"contend\", \"respawn\"]    \
             # add `die` if the lock survives the death of its holder"
        }
    };
    let explore = match language {
        WorkerLanguage::JavaScript | WorkerLanguage::Shell => {
            "explore = { scenarios = [\"contend\"], workers = 2 }"
        }
        _ => "# explore = { scenarios = [\"contend\"], workers = 2 }",
    };
    CONFIGURATION
        .replace(
            "# explore = { scenarios = [\"contend\"], workers = 2 }",
            explore,
        )
        .replace("@TABLE@", table)
        .replace("@NAME@", name)
        .replace("@LOCK@", lock)
        .replace("@SCENARIOS@", scenarios)
}

/// The workflow, in the repository, and the script that it calls, in the workspace. `install` is
/// the command that installs `cargo lockutils`.
pub fn ci(service: Service, repository: &Path, workspace: &Path, install: &str) -> Vec<NewFile> {
    let (path, text) = match service {
        Service::None => return Vec::new(),
        Service::GitHub => (".github/workflows/lockutils.yml", GITHUB),
        // The project's own file stays; it can include ours.
        Service::GitLab if repository.join(".gitlab-ci.yml").exists() => {
            ("lockutils.gitlab-ci.yml", GITLAB)
        }
        Service::GitLab => (".gitlab-ci.yml", GITLAB),
    };
    let below = workspace.strip_prefix(repository).unwrap_or(Path::new(""));
    let text = match below.to_str() {
        Some("") | None => text.to_owned(),
        Some(below) => in_folder(text, below),
    };
    vec![
        NewFile {
            path: repository.join(path),
            text: text.replace("@INSTALL@", install),
            what: "CI workflow: tests and trials",
        },
        NewFile {
            path: workspace.join("ci/lockutils-ci"),
            text: SCRIPT.to_owned(),
            what: "script that CI calls; it also runs here",
        },
    ]
}

/// The text for a workspace that is not at the root of its repository.
fn in_folder(text: &str, below: &str) -> String {
    text.replace(
        "    runs-on:",
        &format!("    defaults:\n      run:\n        working-directory: {below}\n    runs-on:"),
    )
    .replace(
        "          path: lockutils-artifacts",
        &format!("          path: {below}/lockutils-artifacts"),
    )
    .replace("  script:\n", &format!("  script:\n    - cd '{below}'\n"))
    .replace(
        "      - lockutils-artifacts\n",
        &format!("      - {below}/lockutils-artifacts\n"),
    )
    .replace(
        "junit: lockutils-artifacts/",
        &format!("junit: {below}/lockutils-artifacts/"),
    )
}
