//! The harness on every system: runs with processes, the witness between them, and conformance.

use std::time::Duration;

use lockutils_harness::prelude::*;
use lockutils_harness::testing::conformance::{
    Answer, Guarantee, Lock, Oslo, WaitLimit, assert_kept,
};
use lockutils_harness::testing::stress::ProcessOutcome;
use oslo_concurrency::lockutils;
use rstest::rstest;

#[rstest]
fn our_lock_excludes_between_processes_and_threads(_lock_path: LockPath, stress: Stress) {
    let lock = lockutils::lock("counter").external(true);
    let report = stress
        .processes(3)
        .threads(2)
        .sections(100)
        .run(|worker| lock.run(|| worker.section(|| ())).unwrap());
    report.assert_exclusive();
    assert_eq!(report.sections(), 3 * 2 * 100);
}

#[rstest]
fn a_run_may_have_a_lock_path_of_its_own(stress: Stress) {
    let lock = lockutils::lock("own").external(true);
    let report = stress
        .processes(2)
        .sections(50)
        .run(|worker| lock.run(|| worker.section(|| ())).unwrap());
    report.assert_exclusive();
}

#[test]
fn no_lock_at_all_is_found_broken() {
    let report = Stress::new()
        .processes(2)
        .sections(400)
        .run(|worker| worker.section(|| std::thread::sleep(Duration::from_micros(200))));
    assert!(report.verdict().is_violated(), "{}", report.verdict());
    let pair = report.overlaps()[0];
    assert_ne!(pair.first, pair.second);
}

#[rstest]
fn a_lock_between_threads_does_not_exclude_processes(_lock_path: LockPath, stress: Stress) {
    let report = stress.processes(2).sections(300).run(|worker| {
        let section = || worker.section(|| std::thread::sleep(Duration::from_micros(200)));
        lockutils::lock("threads").run(section).unwrap();
    });
    assert!(report.verdict().is_violated(), "{}", report.verdict());
}

/// A worker of the second run finds the results of the first one.
#[rstest]
fn a_test_may_have_several_runs(_lock_path: LockPath) {
    let lock = lockutils::lock("twice").external(true);
    let run = |sections| {
        Stress::new()
            .processes(2)
            .sections(sections)
            .run(|worker| lock.run(|| worker.section(|| ())).unwrap())
    };
    let first = run(20);
    assert_eq!(first.sections(), 40);
    let second = run(30);
    second.assert_exclusive();
    assert_eq!(second.sections(), 60);
}

#[rstest]
fn a_process_that_dies_in_the_section_frees_the_lock(_lock_path: LockPath, stress: Stress) {
    let lock = lockutils::lock("death").external(true);
    let report = stress
        .processes(3)
        .sections(60)
        .faults(&[Fault::Kill], 20)
        .run(|worker| lock.run(|| worker.section(|| ())).unwrap());
    report.assert_exclusive_though_workers_died();
    assert!(
        report
            .faults()
            .iter()
            .any(|(fault, _)| *fault == Fault::Kill)
    );
}

#[test]
fn the_end_of_each_process_is_reported() {
    let report = Stress::new()
        .processes(3)
        .sections(1)
        .run(|worker| match worker.number() {
            0 => std::process::exit(7),
            1 => panic!("intended"),
            _ => worker.section(|| ()),
        });
    let expected = [
        ProcessOutcome::Exited(7),
        ProcessOutcome::Panicked,
        ProcessOutcome::Done,
    ];
    assert_eq!(report.outcomes(), expected);
}

#[rstest]
fn an_observed_lock_marks_its_sections(_lock_path: LockPath, stress: Stress) {
    let lock = lockutils::lock("observed").external(true);
    let report = stress
        .processes(2)
        .sections(50)
        .observe("observed")
        .run(|_| lock.run(|| ()).unwrap());
    report.assert_exclusive();
    assert_eq!(report.sections(), 100);
}

#[rstest]
fn everything_that_our_lock_offers_is_exercised(lock_path: LockPath, stress: Stress) {
    stress
        .processes(3)
        .duration(Duration::from_millis(300))
        .exercise(&Oslo::new(lock_path.path()))
        .assert_exclusive();
}

/// It never frees what it has acquired, as another process finds.
struct Keeps(Oslo);

impl Lock for Keeps {
    fn run(
        &self,
        _limit: WaitLimit,
        section: &mut dyn FnMut(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let file = self.0.file().ok_or("no file")?;
        let file = std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(file)?;
        std::mem::forget(file.try_clone()?);
        if file.try_lock().is_ok() {
            section();
            std::mem::forget(file);
            return Ok(Answer::Ran);
        }
        Ok(Answer::Busy)
    }

    fn file(&self) -> Option<std::path::PathBuf> {
        self.0.file()
    }
}

#[rstest]
fn a_lock_that_stays_held_is_found_by_another_process(lock_path: LockPath, stress: Stress) {
    let lock = Keeps(Oslo::new(lock_path.path()));
    let report = stress.processes(2).sections(1).run_on(&lock, |worker| {
        worker.attempt(&lock, WaitLimit::NoWait, || ()).unwrap();
    });
    let rules: Vec<&str> = report
        .violations()
        .iter()
        .map(|it| it.rule.as_str())
        .collect();
    assert!(rules.contains(&"orphan"), "{}", report.verdict());
}

#[rstest]
#[case(Guarantee::Processes)]
#[case(Guarantee::Threads)]
#[case(Guarantee::Death)]
#[case(Guarantee::Panic)]
#[case(Guarantee::Timeout)]
#[case(Guarantee::Try)]
#[case(Guarantee::Reopening)]
#[case(Guarantee::Executed)]
#[case(Guarantee::Removal)]
#[case(Guarantee::GivenUp)]
#[case(Guarantee::HandOver)]
#[case(Guarantee::Progress)]
fn our_lock_keeps_its_guarantees(#[case] guarantee: Guarantee) {
    assert_kept(guarantee, &Oslo::new);
}

/// Lets everyone in.
struct Nothing;

impl Lock for Nothing {
    fn run(
        &self,
        _limit: WaitLimit,
        section: &mut dyn FnMut(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        section();
        Ok(Answer::Ran)
    }
}

#[rstest]
#[case(Guarantee::Processes)]
#[case(Guarantee::Threads)]
fn a_lock_that_does_nothing_breaks_its_guarantees(#[case] guarantee: Guarantee) {
    let directory = tempfile::tempdir().unwrap();
    let verdict = guarantee.examine(directory.path(), &|_| Nothing);
    assert!(verdict.is_violated(), "{verdict}");
}

/// A file that exists while the lock is held: its holder leaves it behind when it dies.
struct Marker(std::path::PathBuf);

impl Lock for Marker {
    fn run(
        &self,
        limit: WaitLimit,
        section: &mut dyn FnMut(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let began = std::time::Instant::now();
        loop {
            let made = std::fs::File::create_new(&self.0);
            match made {
                Ok(_) => break,
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    // Windows refuses to create a file that is just being removed.
                    if error.kind() != std::io::ErrorKind::PermissionDenied {
                        return Err(error.into());
                    }
                }
                Err(_) => {}
            }
            match limit {
                WaitLimit::NoWait => return Ok(Answer::Busy),
                WaitLimit::AtMost(time) if began.elapsed() >= time => {
                    return Ok(Answer::TimedOut);
                }
                _ => std::thread::sleep(Duration::from_micros(500)),
            }
        }
        section();
        std::fs::remove_file(&self.0)?;
        Ok(Answer::Ran)
    }
}

#[test]
fn a_lock_that_its_dead_holder_keeps_breaks_its_guarantee() {
    let directory = tempfile::tempdir().unwrap();
    let make = |directory: &std::path::Path| Marker(directory.join("marker"));
    let verdict = Guarantee::Death.examine(directory.path(), &make);
    assert!(verdict.is_violated(), "{verdict}");
}

#[cfg(windows)]
mod not_available {
    use super::*;

    #[test]
    #[should_panic(expected = "the fault \"pause\" is not available on windows: it needs signals")]
    fn a_fault_without_means_is_named_before_the_run() {
        let _ = Stress::new()
            .faults(&[Fault::Pause], 10)
            .run(|worker| worker.section(|| ()));
    }

    #[test]
    fn a_trial_without_means_is_named_and_no_pass() {
        let directory = tempfile::tempdir().unwrap();
        for guarantee in [
            Guarantee::ForkedRelease,
            Guarantee::Signals,
            Guarantee::Refusal,
        ] {
            let verdict = guarantee.examine(directory.path(), &Oslo::new);
            assert!(!verdict.is_held() && !verdict.is_violated());
            let text = verdict.to_string();
            assert!(text.contains("not available on windows"), "{text}");
        }
    }

    /// Each worker would have another directory.
    #[test]
    fn a_lock_in_a_directory_of_its_own_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Oslo::new(directory.path());
        let report = Stress::new().processes(2).sections(1).exercise(&lock);
        assert!(!report.verdict().is_held());
        assert!(
            report
                .outcomes()
                .iter()
                .all(|end| *end == ProcessOutcome::Panicked)
        );
    }
}
