//! Commands that take too long.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use oslo_concurrency::processutils::{Error, execute};

use crate::{lives, until};

fn pid_in(file: &Path) -> u32 {
    until("a pid is written", || {
        let text = fs::read_to_string(file).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    })
}

#[test]
fn it_ends_at_its_timeout_and_is_reaped() {
    let began = Instant::now();
    let mut process = None;
    let error = execute(["sleep", "1000"])
        .timeout(Duration::from_millis(300))
        .attempts(5)
        .on_execute(|running| process = Some(running.clone()))
        .run()
        .unwrap_err();
    let took = began.elapsed();
    let Error::Timeout {
        timeout,
        left_running: None,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(*timeout, Duration::from_millis(300));
    assert!(
        took >= *timeout && took < Duration::from_secs(60),
        "{took:?}"
    );
    assert!(
        error
            .to_string()
            .starts_with("`sleep 1000` did not end within 300ms and was killed"),
        "{error}"
    );
    let gone = process.unwrap().signal(0).unwrap_err();
    assert_eq!(
        gone.raw_os_error(),
        Some(nix::libc::ESRCH),
        "it has been waited for"
    );
}

#[test]
fn what_it_has_started_is_killed_as_well_and_what_it_has_said_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = r#"echo working; echo token=abc >&2; sleep 1000 & echo $! > "$1"; wait"#;
    let mut grandchild = 0;
    let error = execute(["sh", "-c", script, "sh"])
        .arg(&file)
        .timeout(Duration::from_millis(1))
        .on_execute(|_| grandchild = pid_in(&file))
        .run()
        .unwrap_err();
    let Error::Timeout { stdout, stderr, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(
        (stdout.as_str(), stderr.as_str()),
        ("working\n", "token=***\n")
    );
    until("the grandchild is dead", || {
        (!lives(grandchild)).then_some(())
    });
}

#[test]
fn a_command_that_never_stops_writing_ends_as_well() {
    let error = execute(["yes"])
        .timeout(Duration::from_millis(50))
        .run_binary()
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }));
}

#[test]
fn a_child_that_left_and_keeps_the_outputs_open_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = r#"setsid sh -c 'echo $$ > "$1"; exec sleep 1000' sh "$1" & exit 0"#;
    let mut escaped = 0;
    let error = execute(["sh", "-c", script, "sh"])
        .arg(&file)
        .timeout(Duration::from_millis(500))
        .on_execute(|_| escaped = pid_in(&file))
        .run()
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(lives(escaped), "it has left the process group");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(escaped.cast_signed()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
}

#[test]
fn input_that_is_not_taken_does_not_outlast_the_timeout() {
    let error = execute(["sleep", "1000"])
        .process_input(vec![0; 4 << 20])
        .timeout(Duration::from_millis(200))
        .run()
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[test]
fn a_quick_command_is_not_affected() {
    let output = execute(["echo", "quick"])
        .timeout(Duration::MAX)
        .run()
        .unwrap();
    assert_eq!(output.stdout, "quick\n");
}
