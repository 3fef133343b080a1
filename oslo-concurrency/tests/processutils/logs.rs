//! Log events, and their freedom from secrets.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use oslo_concurrency::processutils::{Error, LogErrors, execute};
use tracing::Level;

use crate::{alone, let_poll_fail};

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A subscriber that writes to the log of the thread: each test has its own.
struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(text))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of this thread during `run`, one event a line.
fn logged(run: impl FnOnce()) -> Vec<String> {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(|| ThreadLog)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
    LOG.take();
    run();
    let log = String::from_utf8(LOG.take()).unwrap();
    log.lines().map(str::to_owned).collect()
}

fn count(log: &[String], part: &str) -> usize {
    log.iter().filter(|line| line.contains(part)).count()
}

#[test]
fn start_and_end_are_logged_without_secrets() {
    let log = logged(|| {
        execute(["echo", "--password", "sec ret", "token=\"sec ret\""])
            .run()
            .unwrap();
    });
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(
        log[0].contains("running") && log[0].contains("echo --password *** 'token=\\\"***\\\"'"),
        "{log:?}"
    );
    assert!(
        log[1].contains("ended") && log[1].contains("exit_code=0") && log[1].contains("seconds="),
        "{log:?}"
    );
    assert!(
        log.iter()
            .all(|line| line.contains("DEBUG oslo_concurrency::processutils")),
        "{log:?}"
    );
    assert_eq!(count(&log, "sec ret"), 0);
}

#[test]
fn the_level_is_that_which_is_asked_for() {
    for (level, name) in [
        (Level::ERROR, "ERROR"),
        (Level::WARN, "WARN"),
        (Level::INFO, "INFO"),
        (Level::TRACE, "TRACE"),
    ] {
        let log = logged(|| {
            drop(
                execute(["false"])
                    .loglevel(level)
                    .log_errors(LogErrors::All)
                    .run(),
            )
        });
        assert_eq!(log.len(), 4, "{log:?}");
        assert_eq!(count(&log, name), 4, "{log:?}");
    }
}

/// The number of times that the output of a failing command is logged.
fn times(when: LogErrors, attempts: u32) -> usize {
    let log = logged(|| {
        let result = execute([
            "sh",
            "-c",
            "echo password=\"$0\"; echo careful >&2; exit 41",
            "secret",
        ])
        .log_errors(when)
        .attempts(attempts)
        .delay_on_retry(false)
        .run();
        let error = result.unwrap_err();
        assert_eq!(error.failed().unwrap().exit_code, Some(41));
    });
    assert_eq!(count(&log, "retrying"), attempts as usize, "{log:?}");
    assert_eq!(count(&log, "not retrying"), 1);
    assert_eq!(count(&log, "password=secret"), 0);
    let outputs = count(&log, "the command failed");
    assert_eq!(count(&log, "password=***"), outputs, "{log:?}");
    assert_eq!(count(&log, "careful\\n"), outputs, "{log:?}");
    outputs
}

#[test]
fn output_is_not_logged_by_default() {
    assert_eq!(times(LogErrors::default(), 1), 0);
}

#[test]
fn output_is_not_logged_by_default_in_many_attempts() {
    assert_eq!(times(LogErrors::default(), 3), 0);
}

#[test]
fn output_is_logged_at_the_end() {
    assert_eq!(times(LogErrors::Final, 1), 1);
}

#[test]
fn output_is_logged_at_the_end_of_many_attempts() {
    assert_eq!(times(LogErrors::Final, 3), 1);
}

#[test]
fn output_is_logged_each_time() {
    assert_eq!(times(LogErrors::All, 1), 1);
}

#[test]
fn output_is_logged_each_time_of_many() {
    assert_eq!(times(LogErrors::All, 3), 3);
    assert_eq!(times(LogErrors::First, 3), 1);
}

/// The number of times that an error of the operating system is logged.
fn times_of_io_error(when: LogErrors, attempts: u32) -> usize {
    let log = logged(|| {
        let result = execute(["/usr/bin/env", "false"])
            .log_errors(when)
            .attempts(attempts)
            .delay_on_retry(false)
            .on_execute(|_| let_poll_fail(true))
            .on_completion(|_| let_poll_fail(false))
            .run();
        assert!(matches!(result, Err(Error::Io { .. })), "{result:?}");
    });
    let reported = count(&log, "could not be run");
    let complete = log.iter().filter(|line| {
        line.contains("could not be run")
            && line.contains("errno=22")
            && line.contains("/usr/bin/env false")
    });
    assert_eq!(complete.count(), reported, "{log:?}");
    reported
}

#[test]
fn an_error_of_the_operating_system_is_logged_at_the_end() {
    alone(
        "logs::an_error_of_the_operating_system_is_logged_at_the_end",
        || {
            assert_eq!(times_of_io_error(LogErrors::Final, 1), 1);
            assert_eq!(times_of_io_error(LogErrors::Final, 5), 1);
            assert_eq!(times_of_io_error(LogErrors::Never, 1), 0);
        },
    );
}

#[test]
fn an_error_of_the_operating_system_is_logged_each_time() {
    alone(
        "logs::an_error_of_the_operating_system_is_logged_each_time",
        || {
            assert_eq!(times_of_io_error(LogErrors::All, 1), 1);
            assert_eq!(times_of_io_error(LogErrors::All, 5), 5);
        },
    );
}
