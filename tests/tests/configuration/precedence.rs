//! Precedence: the call, the scope, `set_defaults`, the ini file, the environment.

use std::fs;

use crate::{configuration, process};

#[test]
fn each_source_goes_before_the_ones_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let folder = |name: &str| directory.path().join(name).display().to_string();
    let ini = configuration(
        directory.path(),
        format!("[oslo_concurrency]\nlock_path = {}\n", folder("ini")).as_bytes(),
    );
    let mut process = process(&folder("environment"));
    assert_eq!(process.ask("lock-path"), folder("environment"));
    assert_eq!(process.ask(&format!("configure {ini}")), "done");
    assert_eq!(process.ask("lock-path"), folder("ini"));
    let defaults = folder("defaults");
    assert_eq!(process.ask(&format!("set-defaults {defaults}")), "done");
    assert_eq!(process.ask("lock-path"), defaults);
    let scope = folder("scope");
    assert_eq!(process.ask(&format!("enter-scope {scope}")), "done");
    assert_eq!(process.ask("lock-path"), scope);
    assert_eq!(process.ask("lock-path-of-a-new-thread"), defaults);

    // The lock files are there, too.
    let call = folder("call");
    assert_eq!(process.ask(&format!("acquire-in x {call}")), "acquired");
    assert_eq!(process.ask("acquire y"), "acquired");
    assert_eq!(process.ask("leave-scope"), "done");
    assert_eq!(process.ask("acquire z"), "acquired");
    let found = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(directory.path().join(folder))
            .into_iter()
            .flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    assert_eq!(
        (found("call"), found("scope")),
        (vec!["x".into()], vec!["y".into()])
    );
    assert_eq!(found("defaults"), ["z"]);
    assert!(found("ini").is_empty() && found("environment").is_empty());
}

#[test]
fn a_file_that_is_read_later_goes_before_and_one_that_is_refused_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = process("/from/the/environment");
    let mut configure = |text: &str| {
        let file = configuration(directory.path(), text.as_bytes());
        let answer = process.ask(&format!("configure {file}"));
        (answer, process.ask("lock-path"))
    };
    let done = |path: &str| ("done".to_owned(), path.to_owned());
    let one = configure("[oslo_concurrency]\nlock_path = /one\n");
    assert_eq!(one, done("/one"));
    assert_eq!(configure("[DEFAULT]\nlock_path = /no\n"), done("/one"));
    let text = "[oslo_concurrency]\nlock_path = /two\ndisable_process_locking = perhaps\n";
    let (answer, path) = configure(text);
    assert!(
        answer.contains("line 3") && answer.contains("perhaps"),
        "{answer}"
    );
    assert_eq!(path, "/one");
    assert_eq!(
        configure("[oslo_concurrency]\nlock_path = /two\n"),
        done("/two")
    );
    let empty = configure("[oslo_concurrency]\nlock_path =\n");
    assert_eq!(empty, done("/from/the/environment"));
}

#[test]
fn without_any_an_external_lock_is_refused_with_what_to_do() {
    let mut process = process("");
    assert_eq!(process.ask("lock-path"), "none");
    let answer = process.ask("acquire x");
    assert!(answer.contains("OSLO_LOCK_PATH"), "{answer}");
}

#[test]
fn process_locking_can_be_turned_off_and_on_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let (mut one, mut other) = (process(path), process(path));
    assert_eq!(one.ask("acquire x"), "acquired");
    assert_eq!(other.ask("try x"), "busy");
    let off = "[oslo_concurrency]\ndisable_process_locking = True\n";
    let off = configuration(directory.path(), off.as_bytes());
    assert_eq!(other.ask(&format!("configure {off}")), "done");
    assert_eq!(other.ask("try x"), "acquired");
    assert_eq!(other.ask("release x"), "released");
    assert_eq!(other.ask("disable-process-locking false"), "done");
    assert_eq!(other.ask("try x"), "busy");
}
