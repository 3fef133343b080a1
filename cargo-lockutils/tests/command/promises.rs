//! `cargo lockutils promises`: the card of a service, and what it says if there is none.

use crate::project::{Project, stderr, stdout};

#[test]
fn a_directory_keeps_what_it_promises() {
    let project = Project::new();
    let url = format!("file://{}/p/locks?tokens=true", project.folder().display());
    let output = project.run(&["promises", &url]);
    let card = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{card}{}", stderr(&output));
    for line in [
        "exclusion           one holder, for as long as it lives",
        "✔ threads, tasks, busy",
        "✔ tokens",
        "no violation found in 14 of 14 trials",
    ] {
        assert!(card.contains(line), "{card}");
    }
}

#[test]
fn the_promises_alone_need_no_service() {
    let project = Project::new();
    let output = project.run(&["promises", "--no-trials", "redis://127.0.0.1:1"]);
    let card = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        card.contains("failover            the lock may have two holders"),
        "{card}"
    );
    assert!(!card.contains("trials"), "{card}");
}

#[test]
fn a_service_that_does_not_answer_is_named() {
    let project = Project::new();
    let mut command = project.command(&["promises"]);
    let output = command
        .env("OSLO_COORDINATION_URL", "redis://:s3cret@127.0.0.1:1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let printed = stderr(&output);
    assert!(
        printed.starts_with("error: nothing was tried: cannot connect to 127.0.0.1:1: "),
        "{printed}"
    );
    assert!(!printed.contains("s3cret"), "{printed}");
    assert!(stdout(&output).contains("exclusion"), "the promises remain");
}

#[test]
fn an_error_says_what_to_write() {
    let project = Project::new();
    for (url, advice) in [
        (None, "set OSLO_COORDINATION_URL"),
        (Some("localhost"), "redis://host:6379"),
        (Some("redus://h"), "there are file://, etcd3+http://"),
    ] {
        let mut command = project.command(&["promises"]);
        let output = command
            .args(url)
            .env_remove("OSLO_COORDINATION_URL")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{url:?}");
        let printed = stderr(&output);
        assert!(printed.contains(advice), "{printed}");
    }
}
