//! The lock path reaches every kind of test, overrides the project's own, and is removed.

use crate::project::{NOTHING, Project, stderr, stdout};

#[test]
fn every_kind_of_test_sees_one_fresh_directory_that_is_removed() {
    let project = Project::new();
    let output = project.run(&["test"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let lock_path = project.seen("unit");
    assert!(lock_path.starts_with(project.temporary()));
    assert_eq!(project.seen("integration"), lock_path);
    assert_eq!(project.seen("doctest"), lock_path);
    assert_eq!(project.left_behind(), NOTHING);
    let printed = stderr(&output);
    assert!(
        printed.contains("4 lock files were used: lock-of-doctest, lock-of-integration"),
        "{printed}"
    );
}

#[test]
fn a_variable_that_the_project_forces_is_beaten() {
    for runner in ["test", "nextest"] {
        let project = Project::new();
        project.write(
            "p/.cargo/config.toml",
            "[env]\nOSLO_LOCK_PATH = { value = \"/nowhere\", force = true }\n",
        );
        let output = project.run(&[runner]);
        assert!(output.status.success(), "{runner}: {}", stderr(&output));
        for test in ["unit", "integration", "doctest"] {
            assert!(
                project.seen(test).starts_with(project.temporary()),
                "{runner}: {test} saw {:?}",
                project.seen(test)
            );
        }
    }
}

#[test]
fn the_directory_of_a_failed_run_is_removed_or_kept() {
    let project = Project::new();
    project.write("p/tests/bad.rs", "#[test] fn bad() { panic!() }");
    let output = project.run(&["test", "--test", "bad"]);
    assert_eq!(output.status.code(), Some(101));
    assert_eq!(project.left_behind(), NOTHING);
    let output = project.run(&["test", "--keep", "--test", "bad"]);
    assert_eq!(output.status.code(), Some(101));
    let kept = project.left_behind();
    assert_eq!(kept.len(), 1);
    assert!(
        stderr(&output).contains(&format!("kept the lock path {}", kept[0].display())),
        "{}",
        stderr(&output)
    );
    project.run(&["run", "--", "true"]);
    assert_eq!(project.left_behind(), kept, "a later run leaves it alone");
}

#[test]
fn a_directory_that_the_user_names_is_used_and_stays() {
    let project = Project::new();
    let mine = project.temporary().join("mine/locks");
    let output = project.run(&["test", "--lock-path", mine.to_str().unwrap(), "--lib"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(project.seen("unit"), mine);
    assert!(mine.join("lock-of-unit").exists());
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn run_and_show_env_name_a_directory() {
    let project = Project::new();
    let output = project.run(&[
        "run",
        "--",
        "sh",
        "-c",
        "test -d \"$OSLO_LOCK_PATH\" && stat -c %a \"$OSLO_LOCK_PATH\"",
    ]);
    assert_eq!(stdout(&output), "700\n");
    assert_eq!(project.left_behind(), NOTHING);
    let output = project.run(&["show-env"]);
    let left = project.left_behind();
    assert_eq!(
        stdout(&output),
        format!("export OSLO_LOCK_PATH='{}/locks'\n", left[0].display())
    );
}

#[test]
fn the_workspace_may_set_options_and_misspelt_ones_are_refused() {
    let project = Project::new();
    let manifest =
        "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    project.write(
        "p/Cargo.toml",
        &format!("{manifest}[workspace.metadata.lockutils]\nlock-path = \"target/locks\"\n"),
    );
    let output = project.run(&["test", "--lib"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(project.seen("unit").ends_with("p/target/locks"));
    project.write(
        "p/Cargo.toml",
        &format!("{manifest}[workspace.metadata.lockutils]\nlockpath = \"x\"\n"),
    );
    let output = project.run(&["test", "--lib"]);
    assert_eq!(output.status.code(), Some(2));
    let printed = stderr(&output);
    assert!(
        printed.contains("workspace.metadata.lockutils")
            && printed.contains("lockpath")
            && printed.contains("lock-path"),
        "{printed}"
    );
}
