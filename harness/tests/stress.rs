//! Stress runs of correct and of broken locks.

// The locks and the faults here are those of Linux; `portable.rs` runs everywhere.
#![cfg(target_os = "linux")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use lockutils_harness::prelude::*;
use lockutils_harness::testing::stress::ProcessOutcome;
use oslo_concurrency::lockutils;
use rstest::rstest;

#[lockutils::synchronized("counter", external, or_panic)]
fn not_thread_process_safe(worker: &Worker<'_>) {
    worker.section(|| ());
}

#[rstest]
fn our_external_lock_excludes(
    _lock_path: LockPath,
    #[from(lock_path)] _also: LockPath,
    stress: Stress,
) {
    let report = stress
        .processes(4)
        .threads(2)
        .sections(500)
        .run(not_thread_process_safe);
    report.assert_exclusive();
    assert_eq!(report.sections(), 4 * 2 * 500);
}

#[rstest]
#[case::plain(false)]
#[case::fair(true)]
fn cases_of_a_table_run_as_well(_lock_path: LockPath, stress: Stress, #[case] fair: bool) {
    let lock = lockutils::lock("case").external(true).fair(fair);
    stress
        .processes(3)
        .sections(200)
        .run(|worker| lock.run(|| worker.section(|| ())).unwrap())
        .assert_exclusive();
}

/// The message of the panic that `check` ends in.
fn message(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("it passed");
    *panic.downcast::<String>().expect("a message")
}

#[rstest]
fn a_lock_that_does_nothing_is_caught_with_the_evidence(stress: Stress) {
    let report = stress
        .processes(4)
        .threads(2)
        .sections(5_000)
        .seed(0x5eed)
        .run(|worker| worker.section(|| ()));
    assert!(report.verdict().is_violated());
    let text = message(|| report.assert_exclusive());
    for part in [
        "the lock let two holders in",
        "held the lock",
        "entered while",
        "overlap: ",
        "seed 0x5eed",
        "test --test stress -- --exact a_lock_that_does_nothing_is_caught_with_the_evidence",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[rstest]
fn a_lock_that_sometimes_lets_a_second_holder_in_is_caught(_lock_path: LockPath, stress: Stress) {
    for once_in in [10, 1_000] {
        let report = stress
            .clone()
            .processes(4)
            .sections(5_000)
            .hold(Duration::from_micros(2))
            .run(|worker| {
                let lock = lockutils::lock("leaky").external(true);
                if worker.random(once_in) > 0 {
                    return lock.run(|| worker.section(|| ())).unwrap();
                }
                // Enters while another worker holds the lock, if one still does.
                let is_free = || lock.blocking(false).run(|| ()).is_ok();
                for _ in 0..1_000 {
                    if !is_free() {
                        break;
                    }
                    std::thread::yield_now();
                }
                worker.section(|| ());
            });
        assert!(
            report.verdict().is_violated(),
            "once in {once_in}: {report:?}"
        );
    }
}

#[rstest]
fn holders_that_die_free_the_lock_and_are_no_overlap(_lock_path: LockPath, stress: Stress) {
    let report = stress.processes(6).sections(300).run(|worker| {
        let lock = lockutils::lock("mortal").external(true);
        lock.run(|| {
            worker.section(|| {
                if worker.number() % 2 == 0 && worker.random(100) == 0 {
                    worker.die();
                }
            });
        })
        .unwrap();
    });
    report.assert_exclusive_though_workers_died();
    let killed = |outcome: &&ProcessOutcome| **outcome == ProcessOutcome::Killed(9);
    assert!(report.outcomes().iter().filter(killed).count() >= 1);
}

#[rstest]
fn a_worker_that_panics_exits_or_hangs_is_a_clear_failure(stress: Stress) {
    let stress = stress.processes(2).sections(1);
    let panicked = stress.clone().run(|worker| {
        if worker.number() == 0 {
            worker.section(|| ());
        }
        assert_ne!(worker.number(), 1, "a worker that panics");
    });
    let text = message(|| panicked.assert_exclusive());
    assert!(
        text.contains("process 1 panicked") && text.contains("a worker that panics"),
        "{text}"
    );
    for part in [
        "worker 1 (process 1, thread 0), call 1 of the body: never entered the section",
        "seed 0x",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }

    let exited = stress.clone().run(|worker| {
        if worker.number() == 1 {
            std::process::exit(3);
        }
    });
    assert_eq!(
        exited.outcomes(),
        [ProcessOutcome::Done, ProcessOutcome::Exited(3)]
    );

    let hung = stress.deadline(Duration::from_millis(300)).run(|worker| {
        if worker.number() == 1 {
            worker.section(|| {
                loop {
                    std::thread::park();
                }
            });
        }
    });
    assert_eq!(
        hung.outcomes(),
        [ProcessOutcome::Done, ProcessOutcome::Hung]
    );
    let text = message(|| hung.assert_exclusive());
    for part in [
        "process 1 was stuck and had to be killed",
        "entered at 0.000 ms, and was still in the section",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[rstest]
fn nothing_that_ran_is_not_a_pass(stress: Stress) {
    let report = stress.processes(1).sections(1).run(|_| ());
    assert!(message(|| report.assert_exclusive()).contains("nothing ran"));
}

#[rstest]
fn a_child_forked_in_the_section_does_not_leave_it(_lock_path: LockPath, stress: Stress) {
    stress
        .processes(2)
        .sections(20)
        .run(|worker| {
            let lock = lockutils::lock("forking").external(true);
            lock.run(|| {
                worker.section(|| {
                    // SAFETY: the worker has one thread, and its child exits at once.
                    match unsafe { nix::unistd::fork() }.unwrap() {
                        nix::unistd::ForkResult::Child => std::process::exit(0),
                        nix::unistd::ForkResult::Parent { child } => {
                            nix::sys::wait::waitpid(child, None).unwrap();
                        }
                    }
                });
            })
            .unwrap();
        })
        .assert_exclusive();
}

#[rstest]
fn an_external_lock_is_held_for_a_whole_test(lock_path: LockPath, stress: Stress) {
    let held = HeldLock::acquire("device-0");
    let lock = lockutils::lock("device-0").external(true);
    let other_thread = std::thread::scope(|scope| {
        let path = lock_path.path();
        scope
            .spawn(move || lock.lock_path(path).blocking(false).acquire().is_err())
            .join()
            .unwrap()
    });
    assert!(other_thread);
    // A run, for which the program is executed again, does not wait for the lock of this process.
    stress
        .processes(1)
        .sections(1)
        .run(|worker| worker.section(|| ()))
        .assert_exclusive();
    drop(held);
    lock.blocking(false).run(|| ()).unwrap();
}

#[test]
fn sixty_four_workers_all_do_their_part() {
    let report = Stress::new().processes(64).sections(3).run(|worker| {
        if worker.number() == 63 {
            worker.section(|| ());
        }
    });
    report.assert_exclusive();
    assert_eq!(report.sections(), 3);
    assert_eq!(report.outcomes().len(), 64);
}

/// The file to which the workers of the next test write their process ids.
const PIDS: &str = "LOCKUTILS_TEST_PIDS";

#[rstest]
#[ignore = "run by the test below, which kills it"]
fn hangs_for_a_minute(stress: Stress) {
    use std::io::Write;
    let Some(path) = std::env::var_os(PIDS) else {
        return;
    };
    stress.processes(3).sections(1).run(|_| {
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        // In one write, since three workers write at once.
        file.write_all(format!("{}\n", std::process::id()).as_bytes())
            .unwrap();
        loop {
            std::thread::park();
        }
    });
}

#[rstest]
fn no_worker_outlives_a_test_that_is_killed(lock_path: LockPath) {
    let file = lock_path.path().join("pids");
    std::fs::write(&file, "").unwrap();
    let mut test = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "hangs_for_a_minute"])
        .env(PIDS, &file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pids = || -> Vec<i32> {
        let text = std::fs::read_to_string(&file).unwrap();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    within_a_minute(|| pids().len() == 3);
    test.kill().unwrap();
    test.wait().unwrap();
    // A zombie is dead as well.
    let lives = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with('Z'))
    };
    within_a_minute(|| !pids().iter().any(lives));
}

fn within_a_minute(done: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "not within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}
