//! `processutils` on every system. The commands are this program itself.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use oslo_concurrency::processutils::{Error, Execute, execute, get_worker_count};

/// Tells this program what it is to do as a command, in words.
const ROLE: &str = "COMMANDS_TEST_ROLE";

/// This program in a role.
fn helper<'a>(role: &str) -> Execute<'a> {
    let us = std::env::current_exe().expect("our own path");
    let words: [OsString; 4] = [
        us.into(),
        "--exact".into(),
        "acts_as_a_command".into(),
        "--nocapture".into(),
    ];
    let environment = std::env::vars_os().chain([(ROLE.into(), OsString::from(role))]);
    execute(words).env_variables(environment)
}

/// The behaviour of a command that one of the tests runs.
#[test]
fn acts_as_a_command() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let words: Vec<&str> = role.split('|').collect();
    match words[..] {
        ["exit", code] => std::process::exit(code.parse().unwrap()),
        ["copy"] => {
            let mut input = Vec::new();
            std::io::stdin().read_to_end(&mut input).unwrap();
            std::io::stdout().write_all(&input).unwrap();
            eprintln!("read {} bytes, token=abc", input.len());
        }
        ["sleep"] => std::thread::sleep(Duration::from_secs(600)),
        ["write", file] => loop {
            // For as long as it lives, the file grows.
            let mut file = fs::File::options()
                .append(true)
                .create(true)
                .open(file)
                .unwrap();
            file.write_all(b".").unwrap();
            std::thread::sleep(Duration::from_millis(20));
        },
        ["start", file] => {
            let us = std::env::current_exe().unwrap();
            let mut child = Command::new(us)
                .args(["--exact", "acts_as_a_command", "--nocapture"])
                .env(ROLE, format!("write|{file}"))
                .spawn()
                .unwrap();
            println!("started");
            child.wait().unwrap();
        }
        ["count", file, until] => {
            let count = fs::read(file).unwrap_or_default().len() + 1;
            fs::write(file, ".".repeat(count)).unwrap();
            std::process::exit(i32::from(count < until.parse().unwrap()));
        }
        _ => panic!("unknown role {role}"),
    }
}

fn grows(file: &Path) -> bool {
    let length = || fs::metadata(file).map_or(0, |metadata| metadata.len());
    let before = length();
    std::thread::sleep(Duration::from_millis(700));
    length() > before
}

#[test]
fn input_comes_back_as_output_however_much_it_is() {
    let input = "0123456789abcdef".repeat(1 << 16);
    let output = helper("copy").process_input(input.clone()).run().unwrap();
    assert!(output.stdout.contains(&input));
    assert!(
        output.stderr.contains("read 1048576 bytes"),
        "{}",
        output.stderr
    );
    assert_eq!(output.exit_code, 0);
}

#[test]
fn an_exit_code_is_checked_and_a_secret_is_masked() {
    assert_eq!(
        helper("exit|7")
            .check_exit_code([0, 7])
            .run()
            .unwrap()
            .exit_code,
        7
    );
    let Err(Error::Failed(failed)) = helper("exit|4").run() else {
        panic!("4 is no success");
    };
    assert_eq!(failed.exit_code, Some(4));
    let output = helper("copy").check_exit_code(9).run().unwrap_err();
    let failed = output.failed().unwrap();
    assert!(
        failed.stderr.as_deref().unwrap().contains("token=***"),
        "{failed}"
    );
}

#[test]
fn a_failure_leads_to_another_attempt() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("count");
    let role = format!("count|{}|3", file.display());
    helper(&role)
        .attempts(3)
        .delay_on_retry(false)
        .run()
        .unwrap();
    assert_eq!(fs::read(&file).unwrap().len(), 3);
}

#[test]
fn a_timeout_ends_everything_that_was_started() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("grows");
    let began = Instant::now();
    let error = helper(&format!("start|{}", file.display()))
        .timeout(Duration::from_secs(4))
        .attempts(3)
        .run()
        .unwrap_err();
    let took = began.elapsed();
    let Error::Timeout {
        stdout,
        left_running,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert!(stdout.contains("started"), "{error}");
    assert_eq!(*left_running, None);
    assert!(
        took >= Duration::from_secs(4) && took < Duration::from_secs(60),
        "{took:?}"
    );
    assert!(file.exists(), "it has started nothing");
    assert!(!grows(&file), "what it started lives on");
}

#[test]
fn a_command_in_time_is_not_disturbed_by_its_timeout() {
    let output = helper("copy")
        .process_input("x")
        .timeout(Duration::from_secs(60))
        .run()
        .unwrap();
    assert!(output.stdout.contains('x'));
}

#[test]
fn a_command_can_be_stopped_from_elsewhere() {
    let began = Instant::now();
    let error = helper("sleep")
        .on_execute(|process| process.signal(15).unwrap())
        .run()
        .unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_ne!(error.failed().unwrap().exit_code, Some(0));
}

#[test]
fn a_process_that_has_ended_gets_no_signal() {
    let mut kept = None;
    helper("exit|0")
        .on_execute(|process| kept = Some(process.clone()))
        .run()
        .unwrap();
    assert!(kept.unwrap().signal(0).is_err());
}

#[test]
fn a_program_that_is_missing_is_said_to_be() {
    let error = execute(["no-such-program-of-ours"]).run().unwrap_err();
    assert!(matches!(error, Error::Start { .. }), "{error}");
    assert!(
        error.to_string().contains("is the program installed"),
        "{error}"
    );
}

#[test]
fn a_shell_reads_a_script_and_further_words_are_words() {
    let script = if cfg!(windows) { "echo" } else { "echo \"$0\"" };
    let output = execute([script, "a;b"]).shell(true).run().unwrap();
    assert!(
        output.stdout.trim_end().trim_matches('"') == "a;b",
        "{output:?}"
    );
    assert_eq!(
        execute(["exit 3"])
            .shell(true)
            .check_exit_code(3)
            .run()
            .unwrap()
            .exit_code,
        3
    );
    if cfg!(windows) {
        let error = execute(["echo", "a&b"]).shell(true).run().unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    }
}

#[test]
fn a_worker_count_is_one_at_least() {
    assert!(get_worker_count() >= 1);
}

/// Options that Windows lacks are refused before anything runs, each with the next step.
#[cfg(windows)]
#[test]
fn what_is_missing_is_refused() {
    use oslo_concurrency::processutils::ProcessLimits;
    let limits = ProcessLimits {
        cpu_time: Some(1),
        ..Default::default()
    };
    let refused = |command: Execute<'_>, expected: &str| {
        let error = command.run().unwrap_err();
        let Error::Unavailable { option, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(*option, expected, "{error}");
    };
    refused(helper("exit|0").prlimit(limits), "prlimit");
    refused(
        helper("exit|0").run_as_root(true).root_helper("sudo"),
        "run_as_root",
    );
    // SAFETY: nothing is called.
    refused(unsafe { helper("exit|0").preexec(|| Ok(())) }, "preexec");
}
