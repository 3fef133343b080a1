//! `ci/lockutils-ci`, the script that every service calls.

use std::process::{Command, Output};

use lockutils_tests::command::{Newcomer, text, workspace};

/// The script with a command in place of ours that exits with `codes`, one for each step.
fn script(codes: &str, variables: &[(&str, &str)]) -> Output {
    let newcomer = Newcomer::in_an_empty_folder();
    let fake = newcomer.folder().join("fake");
    std::fs::write(
        &fake,
        format!("echo \"called: $*\"\ncase $1 in {codes} esac\n"),
    )
    .unwrap();
    let mut command = Command::new("sh");
    command
        .arg(workspace().join("ci/lockutils-ci"))
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_EVENT_NAME")
        .env_remove("GITHUB_OUTPUT")
        .env("LOCKUTILS_COMMAND", format!("sh {}", fake.display()))
        .envs(variables.iter().copied());
    newcomer.run(command, newcomer.folder())
}

#[test]
fn every_step_runs_once_and_the_worst_decides() {
    for (codes, wanted) in [
        ("test) exit 0;; stress) exit 0;; explore) exit 0;;", 0),
        ("test) exit 101;; stress) exit 0;; explore) exit 0;;", 1),
        ("test) exit 0;; stress) exit 3;; explore) exit 2;;", 3),
        ("test) exit 0;; stress) exit 2;; explore) exit 0;;", 2),
        ("test) exit 2;; stress) exit 3;; explore) exit 1;;", 1),
    ] {
        let output = script(codes, &[]);
        assert_eq!(
            output.status.code(),
            Some(wanted),
            "{codes}: {}",
            text(&output)
        );
        assert_eq!(
            text(&output).matches("called: ").count(),
            3,
            "no retries: {}",
            text(&output)
        );
    }
}

#[test]
fn its_variables_become_arguments() {
    let variables = [
        ("LOCKUTILS_RUN", "stress"),
        ("LOCKUTILS_TIME", "90s"),
        ("LOCKUTILS_SEED", "7"),
        ("LOCKUTILS_ARTIFACTS", "a b"),
        ("LOCKUTILS_STRESS_ARGUMENTS", "--lock x"),
    ];
    let printed = text(&script("", &variables));
    let wanted =
        "called: stress --profile pull-request --artifacts a b --duration 90s --seed 7 --lock x\n";
    assert!(printed.contains(wanted), "{printed}");
    for (variable, value) in [
        ("GITHUB_EVENT_NAME", "schedule"),
        ("CI_PIPELINE_SOURCE", "schedule"),
    ] {
        let printed = text(&script(
            "",
            &[("LOCKUTILS_RUN", "explore"), (variable, value)],
        ));
        assert!(printed.contains("explore --profile nightly "), "{printed}");
    }
    let wrong = script("", &[("LOCKUTILS_RUN", "stres")]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong).contains("known: test, stress, explore"));
}
