//! `[workspace.metadata.lockutils]` and `[package.metadata.lockutils]`: the locks that are tested
//! by default.

use std::fs;

use crate::project::{NOTHING, Project, stderr, stdout};

/// A lock that does nothing, in the folder in which it is configured.
const NO_LOCK: &str = "echo ready
while read -r slot verb rest; do case $verb in
acquire|try) echo \"$slot acquired\";;
release) echo \"$slot released\";;
*) echo \"$slot unsupported\";; esac; done
";

fn project(configuration: &str) -> Project {
    let project = Project::new();
    let manifest = fs::read_to_string(project.folder().join("Cargo.toml")).unwrap();
    project.write("p/Cargo.toml", &format!("{manifest}{configuration}"));
    project.write("p/no_lock.sh", NO_LOCK);
    project
}

const TWO_LOCKS: &str = r#"
[[workspace.metadata.lockutils.lock]]
name = "good"
builtin = "flock"
scenarios = ["contend"]
expect = { contend = "held" }
[[package.metadata.lockutils.lock]]
name = "bad"
worker = "sh no_lock.sh"
scenarios = ["contend"]
expect = { contend = "broken" }
[workspace.metadata.lockutils.profiles.quick]
duration = "500ms"
seed = 7
"#;

#[test]
fn every_configured_lock_is_tried_and_what_is_expected_is_no_failure() {
    let project = project(TWO_LOCKS);
    // Report paths are relative to the folder in which the command is called, wherever the lock
    // runs.
    let output = project
        .command(&["stress", "--profile", "quick", "--artifacts", "../kept"])
        .current_dir(project.folder().join("src"))
        .output()
        .unwrap();
    let printed = stdout(&output);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{printed}{}",
        stderr(&output)
    );
    for part in ["✔ good", "✔ bad  as expected", "seed 0x7", "✘ contend"] {
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
    let kept = |name: &str| fs::read_to_string(project.folder().join("kept").join(name)).unwrap();
    assert_eq!(kept("stress-seed.txt"), "0x7\n");
    let json: serde_json::Value = serde_json::from_str(&kept("stress.json")).unwrap();
    assert_eq!(json["reports"][0]["name"], "good");
    assert_eq!(json["reports"][1]["expectations"][0]["found"], "broken");
    assert_eq!(json["exit_status"], 0);
    let junit = kept("stress-junit.xml");
    assert!(
        junit.contains("--lock bad") && junit.contains("failures=\"0\""),
        "{junit}"
    );
    assert!(kept("stress-bad.html").contains("no_lock.sh"));
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn what_differs_from_what_is_expected_fails() {
    let held = project(&TWO_LOCKS.replace("\"broken\"", "\"held\""));
    let output = held.run(&["stress", "--profile", "quick", "--lock", "bad"]);
    let printed = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("✘ bad  contend: held was expected, broken was found"),
        "{printed}"
    );
    assert!(!printed.contains("flock"), "{printed}");

    let broken = project(&TWO_LOCKS.replace("\"held\"", "\"broken\""));
    let output = broken.run(&["stress", "--profile", "quick", "--lock", "good"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));

    let unknown = project(&TWO_LOCKS.replace("\"held\"", "\"held\", die = \"held\""));
    let output = unknown.run(&["stress", "--lock", "good"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("`expect` names `die`, which is not one of its `scenarios`"),
        "{}",
        stderr(&output)
    );
}

fn without_exploring_flock(configuration: &str) -> String {
    let flock = "builtin = \"flock\"";
    configuration.replace(flock, &format!("{flock}\nexplore = {{ skip = true }}"))
}

#[test]
fn explore_tries_the_configured_locks_too() {
    let explored = TWO_LOCKS.replace(
        "expect = { contend = \"broken\" }",
        "explore = { scenarios = [\"contend\"], expect = { contend = \"broken\" } }",
    );
    let project = project(&without_exploring_flock(&explored));
    let output = project
        .command(&["explore", "--schedules", "5", "--profile", "quick"])
        .current_dir(project.folder().join("src"))
        .output()
        .unwrap();
    let printed = stdout(&output);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{printed}{}",
        stderr(&output)
    );
    assert!(
        printed.contains("✔ bad") && !printed.contains("flock"),
        "{printed}"
    );
    let kept = project.folder().join("src/lockutils-bad-contend.txt");
    let text = fs::read_to_string(kept).unwrap();
    assert!(text.contains("lock: -- sh no_lock.sh\n"), "{text}");
}

#[test]
fn locks_that_are_not_to_be_explored_are_no_failure() {
    let project = project(&without_exploring_flock(TWO_LOCKS));
    let output = project.run(&["explore", "--lock", "good"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("nothing to explore"), "{said}");
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_what_was_meant() {
    for (configuration, parts) in [
        (
            "[workspace.metadata.lockutils]\nisolat = 'run'",
            [
                "[workspace.metadata.lockutils] in ",
                "did you mean `isolate`?",
            ],
        ),
        (
            "[[package.metadata.lockutils.lock]]\nname = 'x'\nbuiltn = 'flock'",
            ["at `lock[0].builtn`", "did you mean `builtin`?"],
        ),
        (
            "[[package.metadata.lockutils.lock]]\nname = 'x'",
            [
                "configured lock `x`",
                "one of `example`, `worker`, `wrapper` and `builtin`",
            ],
        ),
        (
            "[[package.metadata.lockutils.lock]]\nname = '../x'\nbuiltin = 'flock'",
            ["invalid name `../x`", "letters, digits"],
        ),
        ("", ["none is configured", "cargo lockutils init"]),
    ] {
        let output = project(configuration).run(&["stress"]);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        for part in parts {
            assert!(printed.contains(part), "no `{part}` in {printed}");
        }
    }
    let project = project(TWO_LOCKS);
    for (arguments, part) in [
        (["stress", "--profile", "quik"], "did you mean `quick`?"),
        (["stress", "--lock", "gud"], "known: good, bad"),
        (
            ["explore", "--profile", "nigthly"],
            "did you mean `nightly`?",
        ),
        (
            ["explore", "--scenario", "contnd"],
            "did you mean `contend`?",
        ),
    ] {
        let output = project.run(&arguments);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
}

#[test]
fn the_seed_is_kept_before_anything_is_tried() {
    for command in ["stress", "explore"] {
        let project = project("");
        let arguments = [
            command,
            "--artifacts",
            "kept",
            "--seed",
            "0x5eed",
            "--",
            "sh",
            "-c",
            "exit 1",
        ];
        let output = project.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let file = project.folder().join(format!("kept/{command}-seed.txt"));
        assert_eq!(fs::read_to_string(file).unwrap(), "0x5eed\n");
    }
}

#[test]
fn arguments_of_every_test_run_are_configured() {
    let project = project("[workspace.metadata.lockutils]\ntest-arguments = ['--lib']");
    let output = project.run(&["test", "unit"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(project.was_seen("unit") && !project.was_seen("integration"));
}

#[test]
fn what_is_not_known_of_a_configured_lock_is_no_success() {
    let one = "[[package.metadata.lockutils.lock]]\nname = \"good\"\nbuiltin = \"flock\"\n";
    let project = project(one);
    let output = project.run(&["stress", "--duration", "0s"]);
    let printed = stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("✘ good  not known"), "{printed}");
    // Scenarios that the configuration names, and one that cannot be tested.
    let named = one.to_owned() + "scenarios = [\"contend\", \"remove\"]\n";
    project.write(
        "p/Cargo.toml",
        &(crate::project::manifest("p", "[workspace]\n") + &named),
    );
    let output = project.run(&["stress", "--duration", "500ms"]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
}
