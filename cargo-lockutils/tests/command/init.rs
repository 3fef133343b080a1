//! `init` in a virtual workspace, in a member, and with the library from a repository.

use std::fs;

use crate::project::{Project, manifest, stderr, stdout};

fn read(project: &Project, file: &str) -> String {
    let path = project.folder().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A repository with a virtual workspace in the folder `rust`, and a member in `rust/a`.
fn virtual_workspace() -> Project {
    let project = Project::of(&[
        ("p/.git/HEAD", ""),
        (
            "p/rust/Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"a\"]\n",
        ),
        ("p/rust/a/Cargo.toml", &manifest("a", "")),
        ("p/rust/a/src/lib.rs", ""),
    ]);
    fs::create_dir_all(project.folder().join("rust/a/src")).unwrap();
    project
}

fn init(project: &Project, folder: &str, arguments: &[&str]) -> std::process::Output {
    let mut command = project.command(&[&["init", "--yes"], arguments].concat());
    command
        .current_dir(project.folder().join(folder))
        .output()
        .unwrap()
}

#[test]
fn in_a_virtual_workspace_below_the_root_of_its_repository() {
    let project = virtual_workspace();
    let output = init(&project, "rust", &["--ci", "github"]);
    let printed = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        printed.contains("wrote ../.github/workflows/lockutils.yml"),
        "{printed}"
    );
    let workflow = read(&project, ".github/workflows/lockutils.yml");
    for part in [
        "working-directory: rust\n",
        "run: sh ci/lockutils-ci\n",
        "path: rust/lockutils-artifacts\n",
    ] {
        assert!(workflow.contains(part), "no `{part}` in {workflow}");
    }
    assert!(project.folder().join("rust/ci/lockutils-ci").exists());
    assert!(project.folder().join("rust/lock_worker.py").exists());
    assert!(read(&project, "rust/Cargo.toml").contains("[[workspace.metadata.lockutils.lock]]"));
    let output = init(&project, "rust", &["--worker", "rust"]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(
        printed.contains("run `init` in the directory of a package (a)"),
        "{printed}"
    );
}

#[test]
fn in_a_member_the_files_for_ci_go_where_the_service_reads_them() {
    let project = virtual_workspace();
    let output = init(&project, "rust/a", &["--ci", "gitlab", "--worker", "shell"]);
    let printed = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for part in [
        "wrote lock_worker.sh",
        "wrote ../../.gitlab-ci.yml",
        "wrote ../ci/lockutils-ci",
        "(cd .. && sh ci/lockutils-ci)",
    ] {
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
    let file = read(&project, ".gitlab-ci.yml");
    for part in [
        "- cd 'rust'\n",
        "- rust/lockutils-artifacts\n",
        "junit: rust/lockutils-artifacts/",
    ] {
        assert!(file.contains(part), "no `{part}` in {file}");
    }
    assert!(!project.folder().join("rust/a/ci").exists());
    // The locks of members are tested in the folder of the workspace.
    let mut command = project.command(&["stress", "--duration", "1s", "--scenario", "contend"]);
    let output = command
        .current_dir(project.folder().join("rust"))
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
}

#[test]
fn the_command_comes_from_where_the_library_does() {
    for (dependency, line) in [
        (
            "oslo-concurrency = { git = \"https://example.org/x.git\", branch = \"main\" }",
            "run: cargo install --locked --git https://example.org/x.git --branch main \
             cargo-lockutils\n",
        ),
        (
            "oslo-concurrency = \"0.1\"",
            "run: cargo install --locked cargo-lockutils\n",
        ),
        // Within the repository, by a relative path.
        (
            "oslo-concurrency = { path = \"../lockutils/oslo-concurrency\" }",
            "run: cargo install --locked --path '../lockutils/cargo-lockutils'\n",
        ),
    ] {
        let project = Project::of(&[
            (".git/HEAD", ""),
            (
                "p/Cargo.toml",
                &manifest("p", &format!("[dependencies]\n{dependency}\n[workspace]\n")),
            ),
            ("p/src/lib.rs", ""),
            ("lockutils/harness/Cargo.toml", ""),
            ("lockutils/cargo-lockutils/Cargo.toml", ""),
        ]);
        let output = init(&project, ".", &["--ci", "github", "--worker", "shell"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let workflow = read(&project, "../.github/workflows/lockutils.yml");
        assert!(workflow.contains(line), "no `{line}` in {workflow}");
        assert!(!stderr(&output).contains("if CI has no such folder"));
    }
}
