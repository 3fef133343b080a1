//! A cache that several processes refresh.

use oslo_concurrency::lockutils;

/// Runs in one process at a time.
///
/// ```
/// use lockutils_harness::prelude::*;
///
/// let stress = Stress::new().isolated().processes(2).sections(100);
/// stress.run(|worker| cache::refresh(|| worker.section(|| ())).unwrap()).assert_exclusive();
/// ```
#[lockutils::synchronized("cache", external)]
pub fn refresh(work: impl FnOnce()) -> Result<(), lockutils::Error> {
    work();
    Ok(())
}

/// The mistake: `external` is missing.
#[lockutils::synchronized("cache")]
pub fn refresh_badly(work: impl FnOnce()) {
    work();
}

#[cfg(test)]
mod tests {
    use lockutils_harness::testing::conformance::Oslo;
    use lockutils_harness::lock_conformance;
    use lockutils_harness::prelude::*;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    fn refresh_is_safe(stress: Stress) {
        stress
            .processes(4)
            .threads(2)
            .sections(5_000)
            .run(|worker| refresh(|| worker.section(|| ())).unwrap())
            .assert_exclusive();
    }

    #[rstest]
    fn refresh_badly_is_safe(stress: Stress) {
        stress
            .processes(4)
            .threads(2)
            .sections(5_000)
            .run(|worker| refresh_badly(|| worker.section(|| ())))
            .assert_exclusive();
    }

    #[rstest]
    fn refresh_is_safe_as_it_is(stress: Stress) {
        stress
            .processes(4)
            .observe("cache")
            .run(|_| refresh(|| ()).unwrap())
            .assert_exclusive();
    }

    #[tokio::test]
    async fn refresh_is_safe_in_an_asynchronous_test() {
        let stress = Stress::new().isolated().sections(100);
        let report = stress.run(|worker| refresh(|| worker.section(|| ())).unwrap());
        report.assert_exclusive();
    }

    #[rstest]
    #[case::two(2)]
    #[case::three(3)]
    fn refresh_is_safe_in_cases(stress: Stress, #[case] processes: usize) {
        stress
            .processes(processes)
            .sections(100)
            .run(|worker| refresh(|| worker.section(|| ())).unwrap())
            .assert_exclusive();
    }

    #[rstest]
    fn refresh_is_safe_when_processes_die(stress: Stress) {
        stress
            .faults(&[Fault::Kill, Fault::Pause, Fault::Unlink], 50)
            .run(|worker| refresh(|| worker.section(|| ())).unwrap())
            .assert_exclusive();
    }

    #[rstest]
    fn with_a_directory(lock_path: LockPath) {
        refresh(|| ()).unwrap();
        assert!(lock_path.path().join("cache").exists());
    }

    #[rstest]
    fn serial(_lock_path: LockPath, #[with("device-0")] held_lock: HeldLock) {
        let device = lockutils::lock("device-0").external(true).blocking(false);
        assert!(device.acquire().is_err());
        drop(held_lock);
        drop(device.acquire().unwrap());
    }

    lock_conformance!(
        oslo,
        |directory: &std::path::Path| Oslo::new(directory),
        not_promised: [fairness]
    );

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 20,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn programs_exclude(program in programs(2..=3, 1..=3, 1..=8)) {
            let directory = tempfile::tempdir().unwrap();
            prop_assert!(program.run(&Oslo::new(directory.path()))?.is_exclusive());
        }
    }
}
