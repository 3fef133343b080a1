//! Faults in stress runs: they are injected, counted, and harmless for a correct lock.

// The locks and the faults here are those of Linux; `portable.rs` runs everywhere.
#![cfg(target_os = "linux")]

use std::time::Duration;

use lockutils_harness::prelude::*;
use oslo_concurrency::lockutils;
use rstest::rstest;

fn happened(report: &StressReport, fault: Fault) -> u64 {
    let of_kind = report.faults().iter().find(|(kind, _)| *kind == fault);
    of_kind.map_or(0, |(_, times)| *times)
}

#[rstest]
#[case::kill(Fault::Kill)]
#[case::pause(Fault::Pause)]
#[case::panic(Fault::Panic)]
#[case::fork(Fault::Fork)]
#[case::signal_storm(Fault::SignalStorm)]
#[case::unlink(Fault::Unlink)]
#[case::rename(Fault::Rename)]
#[case::replace(Fault::Replace)]
#[case::remove_directory(Fault::RemoveDirectory)]
#[case::descriptor_limit(Fault::DescriptorLimit)]
fn our_external_lock_holds(stress: Stress, #[case] fault: Fault) {
    let report = stress
        .processes(3)
        .threads(2)
        .sections(300)
        .faults(&[fault], 20)
        .run(|worker| {
            lockutils::lock("x")
                .external(true)
                .run(|| worker.section(|| ()))
                .unwrap();
        });
    report.assert_exclusive();
    assert!(happened(&report, fault) > 10, "{report:?}");
}

#[rstest]
fn a_fair_lock_holds_whatever_happens(stress: Stress) {
    let kinds: Vec<Fault> = Fault::ALL
        .iter()
        .copied()
        .filter(|fault| *fault != Fault::DiskFull)
        .collect();
    let report = stress
        .processes(4)
        .sections(500)
        .faults(&kinds, 10)
        .run(|worker| {
            lockutils::lock("x")
                .external(true)
                .fair(true)
                .run(|| worker.section(|| ()))
                .unwrap();
        });
    report.assert_exclusive();
    for kind in kinds {
        assert!(happened(&report, kind) > 0, "{kind}: {report:?}");
    }
}

/// A lock that creates its file but does not check the path after locking lets two holders in when
/// the file is removed while others wait.
#[rstest]
fn a_lock_that_trusts_its_open_file_is_caught(lock_path: LockPath, stress: Stress) {
    let file = lock_path.path().join("x");
    let report = stress
        .processes(4)
        .sections(2_000)
        .faults(&[Fault::Unlink], 5)
        .run(|worker| {
            // Without a check that the path still names the file.
            let open = std::fs::File::create(&file).unwrap();
            open.lock().unwrap();
            worker.section(|| std::thread::sleep(Duration::from_micros(20)));
        });
    assert!(report.verdict().is_violated(), "{report:?}");
    assert!(happened(&report, Fault::Unlink) > 100);
}

#[lockutils::synchronized("watched", external, or_panic)]
fn knows_nothing_of_a_witness() {}

#[lockutils::synchronized("between-threads")]
fn between_threads_only() {}

#[rstest]
fn a_function_is_observed_by_the_name_of_its_lock(stress: Stress) {
    let stress = stress.processes(4).sections(500);
    let report = stress
        .clone()
        .threads(2)
        .observe("watched")
        .run(|_| knows_nothing_of_a_witness());
    report.assert_exclusive();
    assert_eq!(report.sections(), 4 * 2 * 500);

    let report = stress
        .clone()
        .threads(2)
        .observe("watched")
        .faults(&[Fault::Kill, Fault::Pause, Fault::Unlink], 50)
        .run(|_| knows_nothing_of_a_witness());
    report.assert_exclusive();

    // A lock between threads does not exclude between processes.
    let report = stress
        .clone()
        .hold(Duration::from_micros(20))
        .observe("between-threads")
        .run(|_| between_threads_only());
    assert!(report.verdict().is_violated());

    let report = stress
        .observe("another name")
        .run(|_| between_threads_only());
    let text = format!("{:?}", report.verdict());
    assert!(text.contains("NothingRan"), "{text}");
}

#[rstest]
fn a_misspelt_name_is_reported_with_the_acquired_names(stress: Stress) {
    let report = stress
        .sections(5)
        .observe("watchd")
        .run(|_| knows_nothing_of_a_witness());
    let panic = std::panic::catch_unwind(|| report.assert_exclusive()).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    for part in [
        "no section was entered under the name `watchd`",
        "acquired were: `watched`",
        "test --test faults -- --exact a_misspelt_name_is_reported",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

/// A file system of 1 MiB for this thread and the processes that it starts; `None` if that is not
/// permitted.
fn small_disk() -> Option<tempfile::TempDir> {
    use nix::mount::{MsFlags, mount};
    let none = None::<&str>;
    let directory = tempfile::tempdir().unwrap();
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).ok()?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).ok()?;
    let options = Some("size=1m,nr_inodes=64");
    mount(
        Some("tmpfs"),
        directory.path(),
        Some("tmpfs"),
        MsFlags::empty(),
        options,
    )
    .ok()?;
    Some(directory)
}

#[rstest]
#[ignore = "only root may mount a small disk: \
            cargo test -p lockutils-harness --test faults -- --ignored"]
fn a_full_disk_lets_nobody_in_and_keeps_nobody_out_for_good(stress: Stress) {
    let Some(disk) = small_disk() else {
        panic!("not known: only root may mount a small disk, so nothing was tried");
    };
    let report = stress
        .processes(3)
        .sections(300)
        .faults(&[Fault::DiskFull], 20)
        .run(|worker| {
            lockutils::lock("x")
                .external(true)
                .lock_path(&disk.path().join("locks"))
                .run(|| worker.section(|| ()))
                .unwrap();
        });
    assert_eq!(
        happened(&report, Fault::DiskFull),
        0,
        "its own disk is too large to be filled"
    );
    let report = Stress::new()
        .processes(3)
        .sections(300)
        .faults(&[Fault::DiskFull], 20)
        .run(|worker| {
            let _scope = lockutils::scope::LockPathScope::enter(disk.path());
            lockutils::lock("x")
                .external(true)
                .run(|| worker.section(|| ()))
                .unwrap();
        });
    report.assert_exclusive();
    // Refusals depend on which worker creates the file while the disk is full.
    assert!(report.sections() <= 900, "{report:?}");
    assert!(happened(&report, Fault::DiskFull) > 10, "{report:?}");
}
