//! Commands of a program that ignores SIGCHLD: the kernel then reaps its children at once, and
//! wait(2) does not know them.

use std::fs;
use std::time::Duration;

use nix::libc;
use oslo_concurrency::processutils::{Error, execute};

use crate::{again_elsewhere, lives, until};

const IGNORING: &str = "TEST_IGNORING_SIGCHLD";

/// Runs `trial` in processes of their own, one for each way to ignore SIGCHLD.
fn ignoring_sigchld(test: &str, trial: impl FnOnce()) {
    match std::env::var(IGNORING).as_deref() {
        Err(_) => {
            for way in ["SIG_IGN", "SA_NOCLDWAIT"] {
                let mut again = again_elsewhere(test, IGNORING);
                let output = again.env(IGNORING, way).output().unwrap();
                assert!(output.status.success(), "{way}: {output:?}");
            }
        }
        Ok(way) => {
            // SAFETY: all zeroes is a valid sigaction, and no handler is installed.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                match way {
                    "SIG_IGN" => action.sa_sigaction = libc::SIG_IGN,
                    _ => action.sa_flags = libc::SA_NOCLDWAIT,
                }
                assert_eq!(
                    libc::sigaction(libc::SIGCHLD, &action, std::ptr::null_mut()),
                    0
                );
            }
            trial();
        }
    }
}

/// Returns `true` on this version of Linux or a later one.
fn linux_is_at_least(version: (u32, u32)) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(version.0), Some(version.1))
}

/// Returns `true` if `PIDFD_INFO_EXIT` reports the exit code of a reaped child.
fn the_kernel_remembers() -> bool {
    linux_is_at_least((6, 15))
}

#[test]
fn exit_codes_are_known_or_said_to_be_lost() {
    ignoring_sigchld("sigchld::exit_codes_are_known_or_said_to_be_lost", || {
        for script in ["exit 7", "echo out; exit 7", "sleep 0.01; exit 7"] {
            let error = execute(["sh", "-c", script]).attempts(1).run().unwrap_err();
            match error.failed() {
                Some(failed) => assert_eq!(failed.exit_code, Some(7)),
                None => {
                    assert!(!the_kernel_remembers(), "{error}");
                    assert!(matches!(error, Error::ExitCodeLost { .. }), "{error}");
                    assert!(error.to_string().contains("SIGCHLD"), "{error}");
                }
            }
        }
    });
}

#[test]
fn quick_commands_succeed() {
    ignoring_sigchld("sigchld::quick_commands_succeed", || {
        if the_kernel_remembers() {
            for _ in 0..50 {
                execute(["true"]).run().unwrap();
            }
            let killed = execute(["sh", "-c", "kill -9 $$"]).check_exit_code(-9);
            assert_eq!(killed.run().unwrap().exit_code, -9);
        }
    });
}

#[test]
fn a_command_whose_exit_code_is_lost_is_not_run_again() {
    ignoring_sigchld(
        "sigchld::a_command_whose_exit_code_is_lost_is_not_run_again",
        || {
            let mut runs = 0;
            let outcome = execute(["true"])
                .attempts(3)
                .delay_on_retry(false)
                .on_execute(|_| runs += 1)
                .run();
            assert!(
                matches!(outcome, Ok(_) | Err(Error::ExitCodeLost { .. })),
                "{outcome:?}"
            );
            assert_eq!(runs, 1);
        },
    );
}

#[test]
fn the_group_of_a_command_that_has_ended_is_killed_at_the_timeout() {
    let test = "sigchld::the_group_of_a_command_that_has_ended_is_killed_at_the_timeout";
    ignoring_sigchld(test, || {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = r#"sleep 1000 & echo $! > "$1"; exit 0"#;
        let error = execute(["sh", "-c", script, "sh"])
            .arg(&file)
            .timeout(Duration::from_millis(500))
            .run()
            .unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        let grandchild: u32 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        // Earlier kernels cannot name the group of a process that was reaped.
        if linux_is_at_least((6, 9)) {
            until("the grandchild is dead", || {
                (!lives(grandchild)).then_some(())
            });
        } else {
            let grandchild = nix::unistd::Pid::from_raw(grandchild.cast_signed());
            nix::sys::signal::kill(grandchild, nix::sys::signal::SIGKILL).expect("it lives");
        }
    });
}

#[test]
fn the_command_itself_does_not_ignore_it() {
    ignoring_sigchld("sigchld::the_command_itself_does_not_ignore_it", || {
        let mut status = String::new();
        execute(["sleep", "1000"])
            .check_exit_code(false)
            .on_execute(|process| {
                status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
                process.signal(libc::SIGKILL).unwrap();
            })
            .run()
            .map_or_else(
                |error| assert!(matches!(error, Error::ExitCodeLost { .. })),
                drop,
            );
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
        assert_eq!(ignored & (1 << (libc::SIGCHLD - 1)), 0, "{status}");
    });
}

/// A thread that waits for every child, as in an init process.
#[test]
fn an_exit_code_that_another_part_of_the_program_has_taken_is_known_or_said_to_be_lost() {
    let outcome = execute(["sh", "-c", "exit 7"])
        .check_exit_code(7)
        .on_execute(|process| {
            let pid = nix::unistd::Pid::from_raw(process.pid().cast_signed());
            nix::sys::wait::waitpid(pid, None).expect("it is our child");
        })
        .run();
    match outcome {
        Ok(output) => assert_eq!(output.exit_code, 7),
        Err(Error::ExitCodeLost { .. }) => assert!(!the_kernel_remembers()),
        Err(other) => panic!("{other}"),
    }
}
