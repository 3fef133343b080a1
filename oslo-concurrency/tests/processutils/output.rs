//! Input and output of commands.

use oslo_concurrency::processutils::{Error, ProcessExecutionError, execute};

use crate::again_elsewhere;

/// Not valid UTF-8, whatever surrounds it.
const UNDECODABLE: &[u8] = b"[a\x80\xe9\xff]";
const PRINT_UNDECODABLE: &str = r"[a\200\351\377]";

fn sh(script: &str) -> oslo_concurrency::processutils::Execute<'static> {
    execute(["sh", "-c", script])
}

fn failed(result: Result<impl std::fmt::Debug, Error>) -> ProcessExecutionError {
    match result {
        Err(Error::Failed(failed)) => failed,
        other => panic!("it was to fail: {other:?}"),
    }
}

#[test]
fn input_reaches_the_command_and_none_is_an_end() {
    let output = execute(["wc", "-l"])
        .process_input("foo\nbar\nbaz\n")
        .run()
        .unwrap();
    assert_eq!(output.stdout.trim(), "3");
    assert_eq!(execute(["cat"]).run().unwrap().stdout, "");
}

#[test]
fn text_replaces_what_is_not_utf8_and_bytes_keep_it() {
    let script = format!("printf '{PRINT_UNDECODABLE}'; printf '{PRINT_UNDECODABLE}' >&2");
    let output = sh(&script).run().unwrap();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("[a\u{fffd}\u{fffd}\u{fffd}]", "[a\u{fffd}\u{fffd}\u{fffd}]")
    );
    let output = sh(&script).run_binary().unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (UNDECODABLE, UNDECODABLE)
    );
}

#[test]
fn an_error_has_masked_text_for_text_and_for_bytes() {
    let script = format!(
        "printf 'out: password=\"secret1\" {PRINT_UNDECODABLE}'; \
         printf 'err: password=\"secret2\" {PRINT_UNDECODABLE}' >&2; exit 1"
    );
    for error in [failed(sh(&script).run()), failed(sh(&script).run_binary())] {
        assert_eq!(
            error.stdout.as_deref(),
            Some("out: password=\"***\" [a\u{fffd}\u{fffd}\u{fffd}]")
        );
        assert_eq!(
            error.stderr.as_deref(),
            Some("err: password=\"***\" [a\u{fffd}\u{fffd}\u{fffd}]")
        );
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn an_error_masks_the_command() {
    let error = failed(execute(["sh", "-c", "exit 38", "password=\"secret\"", "something"]).run());
    assert_eq!(error.exit_code, Some(38));
    assert_eq!(
        error.cmd.as_deref(),
        Some("sh -c 'exit 38' 'password=\"***\"' something")
    );
    assert!(!error.to_string().contains("secret"));
}

#[test]
fn exit_codes_are_checked_as_asked() {
    let exits = |code: i32| sh(&format!("exit {code}"));
    exits(0).run().unwrap();
    assert_eq!(failed(exits(1).run()).exit_code, Some(1));
    assert_eq!(exits(1).check_exit_code(false).run().unwrap().exit_code, 1);
    assert_eq!(
        failed(exits(1).check_exit_code(true).run()).exit_code,
        Some(1)
    );
    exits(5).check_exit_code(5).run().unwrap();
    for code in [101, 102] {
        exits(code).check_exit_code([101, 102]).run().unwrap();
    }
    for code in [103, 0] {
        assert_eq!(
            failed(exits(code).check_exit_code(vec![101, 102]).run()).exit_code,
            Some(code)
        );
    }
}

#[test]
fn a_signal_is_a_negative_exit_code() {
    let error = failed(sh("kill -KILL $$").run());
    assert_eq!(error.exit_code, Some(-9));
    assert!(error.to_string().contains("SIGKILL"), "{error}");
    assert_eq!(
        sh("kill -TERM $$")
            .check_exit_code(-15)
            .run()
            .unwrap()
            .exit_code,
        -15
    );
}

#[test]
fn much_goes_both_ways_at_once() {
    let input: Vec<u8> = (0..8 << 20)
        .map(|number: u32| (number % 251) as u8)
        .collect();
    let output = sh("tee /dev/stderr")
        .process_input(input.clone())
        .run_binary()
        .unwrap();
    assert!(output.stdout == input && output.stderr == input);
}

#[test]
fn much_on_one_pipe_does_not_block_the_other() {
    let output = sh("head -c 3000000 /dev/zero >&2; head -c 2000000 /dev/zero")
        .run_binary()
        .unwrap();
    assert_eq!(
        (output.stdout.len(), output.stderr.len()),
        (2_000_000, 3_000_000)
    );
}

#[test]
fn input_that_nobody_reads_is_no_error() {
    execute(["true"])
        .process_input(vec![b'x'; 4 << 20])
        .run()
        .unwrap();
    let output = sh("read line; exec <&-; echo $line")
        .process_input(format!("one\n{}", "x".repeat(4 << 20)))
        .run()
        .unwrap();
    assert_eq!(output.stdout, "one\n");
}

#[test]
fn input_that_nobody_reads_kills_no_program_that_dies_of_sigpipe() {
    if std::env::var_os("DIES_OF_SIGPIPE").is_none() {
        let test = "output::input_that_nobody_reads_kills_no_program_that_dies_of_sigpipe";
        let output = again_elsewhere(test, "DIES_OF_SIGPIPE").output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && stdout.contains("it lives"),
            "{output:?}"
        );
        return;
    }
    // SAFETY: this process runs only this test.
    unsafe { nix::libc::signal(nix::libc::SIGPIPE, nix::libc::SIG_DFL) };
    execute(["true"])
        .process_input(vec![b'x'; 4 << 20])
        .run()
        .unwrap();
    // The signal is not pending either.
    std::thread::yield_now();
    println!("it lives");
}

#[test]
fn outputs_that_close_early_are_not_the_end() {
    let output = sh("exec >&- 2>&-; sleep 0.1; exit 6")
        .check_exit_code(6)
        .run()
        .unwrap();
    assert_eq!(output.exit_code, 6);
}

#[test]
fn warnings_are_kept_or_discarded() {
    let warning = || sh("echo out; echo careful >&2");
    assert_eq!(
        warning().trycmd().unwrap(),
        ("out\n".into(), "careful\n".into())
    );
    assert_eq!(
        warning().discard_warnings(true).trycmd().unwrap(),
        ("out\n".into(), String::new())
    );
}

#[test]
fn a_failure_is_told_even_if_warnings_are_discarded() {
    let (out, err) = sh("echo out; echo why >&2; exit 42")
        .discard_warnings(true)
        .trycmd()
        .unwrap();
    assert_eq!(out, "");
    assert!(
        err.contains("Exit code: 42") && err.contains("why"),
        "{err}"
    );
    assert!(matches!(
        execute(["/missing/program"]).trycmd(),
        Err(Error::Start { .. })
    ));
}
