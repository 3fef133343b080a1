//! A lock that is still held after the tests is reported, with its process and command.

use crate::project::{NOTHING, Project, stderr};

/// A project with a test that leaves a process behind that holds a lock.
fn leaky() -> Project {
    let project = Project::new();
    project.write(
        "p/tests/leaky.rs",
        r#"
        #[test] fn leaky() {
            let directory = std::env::var("OSLO_LOCK_PATH").unwrap();
            let file = std::path::Path::new(&directory).join("device");
            std::fs::write(&file, "").unwrap();
            let child = std::process::Command::new("flock")
                .arg(&file).args(["sh", "-c", "echo held; sleep 1000"])
                .stdout(std::process::Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            let mut output = std::io::BufReader::new(child.stdout.unwrap());
            std::io::BufRead::read_line(&mut output, &mut line).unwrap();
            assert_eq!(line, "held\n");
        }
        "#,
    );
    project
}

#[test]
fn a_leak_is_told_and_ended() {
    let project = leaky();
    let output = project.run(&["test", "--test", "leaky"]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("leak: device is still held by process"),
        "{printed}"
    );
    assert!(printed.contains("flock"), "{printed}");
    assert!(
        printed.contains("ending what the run left behind"),
        "{printed}"
    );
    assert_eq!(project.left_behind(), NOTHING);
}

#[test]
fn leaks_can_be_denied() {
    let project = leaky();
    let output = project.run(&["test", "--deny-leaks", "--test", "leaky"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let output = project.run(&["test", "--deny-leaks", "--test", "it"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
