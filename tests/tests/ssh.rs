//! `processutils::ssh_execute` over a real OpenSSH server.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, Weak};
use std::time::{Duration, Instant};

use lockutils_tests::sshd::Sshd;
use oslo_concurrency::processutils::{Error, ProcessExecutionError, shell_join, ssh_execute};
use ssh2::Session;

/// The server that concurrent tests share, stopped after the last.
fn server() -> Arc<Sshd> {
    static RUNNING: Mutex<Weak<Sshd>> = Mutex::new(Weak::new());
    let mut running = RUNNING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    running.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Sshd::start());
        *running = Arc::downgrade(&started);
        started
    })
}

fn failed<T: std::fmt::Debug>(result: Result<T, Error>) -> ProcessExecutionError {
    match result {
        Err(Error::Failed(failed)) => failed,
        other => panic!("it was to fail: {other:?}"),
    }
}

const PRINT_UNDECODABLE: &str = r"[a\200\351\377]";
const REPLACED: &str = "[a\u{fffd}\u{fffd}\u{fffd}]";

#[test]
fn what_it_wrote_comes_back_as_text() {
    let server = server();
    let session = server.connect();
    let output = ssh_execute(&session, "echo out; echo err >&2")
        .run()
        .unwrap();
    assert_eq!(
        (
            output.stdout.as_str(),
            output.stderr.as_str(),
            output.exit_code
        ),
        ("out\n", "err\n", 0)
    );
    assert!(session.is_blocking(), "the session is as it was");
    session.set_blocking(false);
    assert_eq!(
        ssh_execute(&session, "echo again").run().unwrap().stdout,
        "again\n"
    );
    assert!(!session.is_blocking());
}

#[test]
fn what_it_wrote_comes_back_as_bytes() {
    let server = server();
    let output = ssh_execute(&server.connect(), "printf stdout; printf stderr >&2")
        .run_binary()
        .unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"stdout"[..], &b"stderr"[..])
    );
}

#[test]
fn text_replaces_what_is_not_utf8_and_bytes_keep_it() {
    let server = server();
    let session = server.connect();
    let command =
        format!("printf 'out: {PRINT_UNDECODABLE}'; printf 'err: {PRINT_UNDECODABLE}' >&2");
    let output = ssh_execute(&session, &command).run().unwrap();
    assert_eq!(
        (output.stdout, output.stderr),
        (format!("out: {REPLACED}"), format!("err: {REPLACED}"))
    );
    let output = ssh_execute(&session, &command).run_binary().unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"out: [a\x80\xe9\xff]"[..], &b"err: [a\x80\xe9\xff]"[..])
    );
}

#[test]
fn an_error_has_masked_text_for_text_and_for_bytes() {
    let server = server();
    let session = server.connect();
    let command = format!(
        "printf 'out: password=\"secret1\" {PRINT_UNDECODABLE}'; printf 'err: password=\"secret2\" \
         {PRINT_UNDECODABLE}' >&2; exit 1"
    );
    for error in [
        failed(ssh_execute(&session, &command).run()),
        failed(ssh_execute(&session, &command).run_binary()),
    ] {
        assert_eq!(
            error.stdout,
            Some(format!("out: password=\"***\" {REPLACED}"))
        );
        assert_eq!(
            error.stderr,
            Some(format!("err: password=\"***\" {REPLACED}"))
        );
    }
}

#[test]
fn exit_codes_are_checked_as_asked() {
    let server = server();
    let session = server.connect();
    assert_eq!(
        failed(ssh_execute(&session, "exit 1").run()).exit_code,
        Some(1)
    );
    assert_eq!(
        ssh_execute(&session, "exit 1")
            .check_exit_code(false)
            .run()
            .unwrap()
            .exit_code,
        1
    );
    assert_eq!(
        ssh_execute(&session, "exit 7")
            .check_exit_code([0, 7])
            .run()
            .unwrap()
            .exit_code,
        7
    );
    assert_eq!(
        failed(
            ssh_execute(&session, "exit 8")
                .check_exit_code([0, 7])
                .run()
        )
        .exit_code,
        Some(8)
    );
}

#[test]
fn a_signal_is_a_failure() {
    let server = server();
    let session = server.connect();
    let command = "printf 'password=\"secret\"'; kill -KILL $$";
    let error = failed(ssh_execute(&session, command).run());
    assert_eq!(error.exit_code, Some(-9));
    assert_eq!(error.stdout.as_deref(), Some("password=\"***\""));
    assert!(error.to_string().contains("ended by SIGKILL"), "{error}");
    let output = ssh_execute(&session, command)
        .check_exit_code(false)
        .run()
        .unwrap();
    assert_eq!(
        (output.exit_code, output.stdout.as_str()),
        (-9, "password=\"***\"")
    );
}

/// A command that writes secrets, contains one, and ends with `code`.
fn compromising(code: i32) -> String {
    format!(
        "printf 'password=\"secret\"'; printf 'password=\"foobar\"' >&2; exit {code} # \
         --password=\"bar\""
    )
}

fn masked_in_output(code: i32, check: bool) {
    let server = server();
    let session = server.connect();
    let log = logged(|| {
        let run = |sanitize| {
            let execution = ssh_execute(&session, compromising(code)).check_exit_code(check);
            execution.sanitize_stdout(sanitize).run().unwrap()
        };
        let output = run(true);
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("password=\"***\"", "password=\"***\"")
        );
        let output = run(false);
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("password=\"secret\"", "password=\"***\"")
        );
    });
    assert!(
        log.contains("running over SSH") && log.contains("--password=\\\"***\\\""),
        "{log}"
    );
    assert!(!log.contains("bar") && !log.contains("secret"), "{log}");
}

#[test]
fn secrets_are_masked_after_success() {
    masked_in_output(0, true);
}

#[test]
fn secrets_are_masked_after_success_that_is_not_checked() {
    masked_in_output(0, false);
}

#[test]
fn secrets_are_masked_after_a_failure_that_is_not_checked() {
    masked_in_output(1, false);
}

#[test]
fn secrets_are_masked_in_an_error_whatever_is_asked_for() {
    let server = server();
    let session = server.connect();
    for sanitize in [true, false] {
        let error = failed(
            ssh_execute(&session, compromising(1))
                .sanitize_stdout(sanitize)
                .run(),
        );
        assert_eq!(error.exit_code, Some(1));
        assert_eq!(
            (error.stdout.as_deref(), error.stderr.as_deref()),
            (Some("password=\"***\""), Some("password=\"***\""))
        );
        assert!(
            error
                .cmd
                .as_deref()
                .unwrap()
                .ends_with("--password=\"***\""),
            "{error}"
        );
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("bar"),
            "{shown}"
        );
    }
}

#[test]
fn much_comes_back_on_both_outputs() {
    let server = server();
    let command =
        "head -c 6000000 /dev/zero; head -c 5000000 /dev/zero >&2; head -c 1000000 /dev/zero";
    let output = ssh_execute(&server.connect(), command)
        .timeout(Duration::from_secs(120))
        .run_binary()
        .unwrap();
    assert_eq!(
        (output.stdout.len(), output.stderr.len()),
        (7_000_000, 5_000_000)
    );
}

#[test]
fn it_ends_at_its_timeout_and_the_connection_with_it() {
    let server = server();
    let session = server.connect();
    let timeout = Duration::from_millis(500);
    let began = Instant::now();
    let error = ssh_execute(&session, "echo token=abc; exec sleep 20")
        .timeout(timeout)
        .run()
        .unwrap_err();
    let took = began.elapsed();
    assert!(
        took >= timeout && took < Duration::from_secs(15),
        "{took:?}"
    );
    assert!(
        matches!(
            &error,
            Error::Timeout {
                left_running: Some(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(!error.to_string().contains("abc"), "{error}");
    let after = ssh_execute(&session, "true").run();
    assert!(matches!(after, Err(Error::Ssh { .. })), "{after:?}");
}

#[test]
fn a_command_that_never_stops_writing_ends_as_well() {
    let server = server();
    let result = ssh_execute(&server.connect(), "yes")
        .timeout(Duration::from_millis(50))
        .run_binary();
    assert!(matches!(result, Err(Error::Timeout { .. })));
}

#[test]
fn a_connection_that_ends_is_an_error() {
    let server = server();
    // The session's own server process is the parent of the command.
    let result = ssh_execute(&server.connect(), "kill -KILL $PPID; sleep 20").run();
    assert!(matches!(result, Err(Error::Ssh { .. })), "{result:?}");
}

#[test]
fn input_and_environment_are_refused() {
    let session = Session::new().unwrap();
    for (execution, argument) in [
        (
            ssh_execute(&session, "ls").process_input("important"),
            "process_input",
        ),
        (
            ssh_execute(&session, "ls").addl_env([("A", "important")]),
            "addl_env",
        ),
        (ssh_execute(&session, "ls\0"), "command"),
        (ssh_execute(&session, "ls"), "session"),
    ] {
        let error = execution.run().unwrap_err();
        assert!(
            matches!(&error, Error::InvalidArgument { argument: named, .. } if *named == argument),
            "{error}"
        );
    }
}

#[test]
fn joined_arguments_are_arguments_to_the_remote_shell() {
    let server = server();
    let nasty = [
        "a; echo injected",
        "$(echo injected)",
        "`id`",
        "a\nb",
        "it's",
        "\"",
        "*",
        "",
        "-n",
        "\\ $HOME && |",
        "!!",
    ];
    let command = shell_join(["printf", "%s\\0"].into_iter().chain(nasty));
    let output = ssh_execute(&server.connect(), command).run().unwrap();
    assert_eq!(
        output.stdout.split_terminator('\0').collect::<Vec<_>>(),
        nasty
    );
}

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

/// The log of this thread during `run`.
fn logged(run: impl FnOnce()) -> String {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| ThreadLog);
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    });
    LOG.take();
    run();
    String::from_utf8(LOG.take()).unwrap()
}
