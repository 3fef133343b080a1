//! `clean` removes unused files, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::holder::{Holder, opener, touch};
use crate::project::{Project, stderr, stdout};

fn clean(directory: &Path, options: &[&str]) -> Output {
    let directory = directory.to_str().unwrap();
    Project::new().run(&[&["clean"], options, &[directory]].concat())
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_nobody_uses_goes_and_what_somebody_uses_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    touch(path, &["a", "b", ".b.turnstile", ".gone.turnstile"]);
    let mut holders: Vec<Holder> = ["oslo", "ofd", "fcntl", "flock"]
        .map(|builtin| Holder::holding(builtin, path, builtin))
        .into();
    touch(path, &[".oslo.turnstile"]);
    let mut opener = Holder::holding("oslo", path, "opened");
    assert_eq!(opener.ask("release"), "0 released");
    let before = names(path);

    let output = clean(path, &["--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed = stdout(&output);
    assert!(
        printed.contains("would remove a\nwould remove b\n"),
        "{printed}"
    );
    assert_eq!(names(path), before, "nothing is removed");

    let output = clean(path, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let stay = [".oslo.turnstile", "fcntl", "flock", "ofd", "opened", "oslo"];
    assert_eq!(names(path), stay);
    let printed = stdout(&output);
    for words in [
        "removed a\nremoved b\n".to_owned(),
        format!("flock stays: process {} holds it: ", holders[3].pid()),
        format!("opened stays: process {} has it open: ", opener.pid()),
        "removed 2 lock files, 5 in use, 0 in doubt, 0 other files left alone\n".to_owned(),
    ] {
        assert!(printed.contains(&words), "no `{words}` in\n{printed}");
    }
    for holder in &mut holders {
        assert_eq!(holder.ask("release"), "0 released");
    }
    drop((holders, opener));
    clean(path, &[]);
    assert_eq!(names(path), Vec::<String>::new());
}

#[test]
fn what_is_no_lock_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    touch(path, &["target", ".hidden", "twice"]);
    fs::write(path.join("notes"), "precious").unwrap();
    fs::create_dir(path.join("folder")).unwrap();
    touch(&path.join("folder"), &["x"]);
    fs::hard_link(path.join("twice"), path.join("folder/again")).unwrap();
    std::os::unix::fs::symlink("target", path.join("link")).unwrap();
    nix::unistd::mkfifo(&path.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let output = clean(path, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        names(path),
        [".hidden", "fifo", "folder", "link", "notes", "twice"]
    );
    assert_eq!(names(&path.join("folder")), ["again", "x"]);
    let printed = stdout(&output);
    for words in [
        "notes stays: not a lock file (not empty)",
        "folder stays: not a lock file (a directory)",
        "link stays: not a lock file (a symbolic link)",
        "fifo stays: not a lock file (not a regular file)",
        "twice stays: not a lock file (a file of several names)",
        ".hidden stays: not a lock file (hidden)",
    ] {
        assert!(printed.contains(words), "no `{words}` in\n{printed}");
    }
}

/// Like Python's oslo: it opens the file, and locks it some time later.
#[test]
fn a_file_that_is_open_but_not_locked_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    touch(path, &["x"]);
    let mut opener = opener(&path.join("x"));
    let printed = stdout(&clean(path, &[]));
    assert_eq!(names(path), ["x"], "{printed}");
    let words = format!("x stays: process {} has it open: sh", opener.id());
    assert!(printed.contains(&words), "{printed}");
    drop(opener.stdin.take());
    opener.wait().unwrap();
    clean(path, &[]);
    assert_eq!(names(path), Vec::<String>::new());
}

#[test]
fn what_a_killed_run_left_is_removed_and_a_file_is_no_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    touch(path, &[".lockutils-clean-4711", "x"]);
    let output = clean(&path.join("x"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("not a directory"));
    clean(path, &[]);
    assert_eq!(names(path), Vec::<String>::new());
}

/// While workers acquire the lock repeatedly, cleaning never admits two of them: they check the
/// path after locking.
#[test]
fn cleaning_in_the_middle_of_a_trial_breaks_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "while :; do {} clean {} >/dev/null || exit; done",
        env!("CARGO_BIN_EXE_cargo-lockutils"),
        directory.path().display()
    );
    let mut cleaner = std::process::Command::new("sh")
        .args(["-c", &script])
        .spawn()
        .unwrap();
    let mut workers: Vec<Holder> = (0..3)
        .map(|_| Holder::start("oslo", directory.path(), "x"))
        .collect();
    let mut removed = 0;
    for round in 0..300 {
        let at = round % workers.len();
        // Other workers may find the lock busy or free, but never hold it as well.
        assert_eq!(workers[at].ask("acquire"), "0 acquired");
        let other = (at + 1) % workers.len();
        assert_eq!(workers[other].ask("try"), "0 busy", "round {round}");
        assert_eq!(workers[at].ask("release"), "0 released");
        if round % 30 == 29 {
            // New processes: the old ones keep the file open, so that it is never removed.
            workers = (0..3)
                .map(|_| Holder::start("oslo", directory.path(), "x"))
                .collect();
            crate::project::until("the file is removed", || {
                (!directory.path().join("x").exists()).then_some(())
            });
            removed += 1;
        }
    }
    cleaner.kill().unwrap();
    cleaner.wait().unwrap();
    assert_eq!(removed, 10);
}
