//! Watching and stopping a command from elsewhere, and preparing its process.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::libc::{ESRCH, SIGTERM};
use oslo_concurrency::processutils::{Error, Process, execute};

use crate::{alone, let_poll_fail, lives};

#[test]
fn both_are_called_once_for_each_attempt() {
    let calls = RefCell::new(Vec::new());
    let run = |program: &str| {
        calls.borrow_mut().clear();
        let result = execute([program])
            .attempts(2)
            .delay_on_retry(false)
            .on_execute(|process| calls.borrow_mut().push(("began", process.pid())))
            .on_completion(|process| calls.borrow_mut().push(("ended", process.pid())))
            .run();
        (result.is_ok(), calls.borrow().clone())
    };
    let (ok, called) = run("true");
    assert!(ok);
    assert!(
        matches!(called[..], [("began", a), ("ended", b)] if a == b),
        "{called:?}"
    );
    let (ok, called) = run("false");
    assert!(!ok);
    assert!(
        matches!(
            called[..],
            [("began", _), ("ended", _), ("began", _), ("ended", _)]
        ),
        "{called:?}"
    );
    assert_eq!(run("/missing/program").1, []);
}

#[test]
fn both_are_called_when_the_operating_system_fails() {
    alone(
        "callbacks::both_are_called_when_the_operating_system_fails",
        || {
            let (mut began, mut ended) = (0, 0);
            let result = execute(["true"])
                .on_execute(|_| {
                    began += 1;
                    let_poll_fail(true);
                })
                .on_completion(|_| {
                    ended += 1;
                    let_poll_fail(false);
                })
                .run();
            assert!(
                matches!(
                    &result,
                    Err(Error::Io { source, .. })
                        if source.raw_os_error() == Some(nix::libc::EINVAL)
                ),
                "{result:?}"
            );
            assert_eq!((began, ended), (1, 1));
        },
    );
}

#[test]
fn an_error_of_the_operating_system_is_one_even_if_no_exit_code_is() {
    let test = "callbacks::an_error_of_the_operating_system_is_one_even_if_no_exit_code_is";
    alone(test, || {
        let result = execute(["false"])
            .check_exit_code(false)
            .on_execute(|_| let_poll_fail(true))
            .on_completion(|_| let_poll_fail(false))
            .run();
        assert!(matches!(result, Err(Error::Io { .. })), "{result:?}");
    });
}

#[test]
fn an_error_of_the_operating_system_leads_to_the_next_attempt() {
    let test = "callbacks::an_error_of_the_operating_system_leads_to_the_next_attempt";
    alone(test, || {
        let mut attempts = 0;
        let result = execute(["false"])
            .check_exit_code(false)
            .attempts(5)
            .delay_on_retry(false)
            .on_execute(|_| {
                attempts += 1;
                let_poll_fail(true);
            })
            .on_completion(|_| let_poll_fail(false))
            .run();
        assert!(matches!(result, Err(Error::Io { .. })), "{result:?}");
        assert_eq!(attempts, 5);
    });
}

#[test]
fn it_can_be_stopped_from_another_thread() {
    let (send, receive) = std::sync::mpsc::channel();
    let stopper = std::thread::spawn(move || {
        let process: Process = receive.recv().unwrap();
        process.signal(SIGTERM).unwrap();
        process
    });
    let output = execute(["sleep", "1000"])
        .check_exit_code(-SIGTERM)
        .on_execute(move |process| send.send(process.clone()).unwrap())
        .run()
        .unwrap();
    assert_eq!(output.exit_code, -SIGTERM);
    let late = stopper.join().unwrap().signal(SIGTERM).unwrap_err();
    assert_eq!(late.raw_os_error(), Some(ESRCH));
}

#[test]
fn a_panic_leaves_no_process_behind() {
    let mut pid = 0;
    let result = catch_unwind(AssertUnwindSafe(|| {
        execute(["sleep", "1000"])
            .on_execute(|process| {
                pid = process.pid();
                panic!("on purpose");
            })
            .run()
    }));
    assert!(result.is_err() && pid != 0);
    assert!(!lives(pid));
}

#[test]
fn a_function_runs_in_the_child_before_the_program() {
    let execution = execute(["sh", "-c", "umask"]);
    // SAFETY: umask(2) is async-signal-safe.
    let execution = unsafe {
        execution.preexec(|| {
            nix::libc::umask(0o027);
            Ok(())
        })
    };
    assert_eq!(execution.run().unwrap().stdout, "0027\n");
}

#[test]
fn an_error_of_that_function_is_told_and_the_program_does_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ran");
    let execution = execute(["touch"]).arg(&file).attempts(3);
    // SAFETY: the function only creates an error from a number.
    let execution =
        unsafe { execution.preexec(|| Err(std::io::Error::from_raw_os_error(nix::libc::EXDEV))) };
    let error = execution.run().unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Preexec { source, .. } if source.raw_os_error() == Some(nix::libc::EXDEV)
        ),
        "{error}"
    );
    assert!(!file.exists());
}
