//! Every kind of lock of `oslo-concurrency` under the harness' witness; `src/bin/exactness.rs` does
//! the same for ten million sections.

use lockutils_harness::prelude::{Fault, Stress, Worker};
use oslo_concurrency::lockutils::{
    self, InterProcessLock, InterProcessReaderWriterLock, ReaderWriterLock, Semaphores,
};

/// Two threads in each of four processes; without faults, and with those that every lock on files
/// must survive.
fn holds_between_processes(body: impl Fn(&Worker<'_>) + Sync) {
    let stress = Stress::new().processes(4).threads(2).sections(400);
    let calm = stress.clone().isolated().run(&body);
    calm.assert_exclusive();
    assert_eq!(calm.sections(), 4 * 2 * 400);
    let faults = [Fault::Kill, Fault::Pause, Fault::Panic, Fault::Fork];
    let rough = stress.isolated().faults(&faults, 50).run(&body);
    rough.assert_exclusive();
    assert!(rough.faults().len() == faults.len(), "{rough:?}");
}

fn holds_between_threads(body: impl Fn(&Worker<'_>) + Sync) {
    let stress = Stress::new().processes(1).threads(6).sections(2_000);
    stress.clone().run(&body).assert_exclusive();
    let rough = stress.faults(&[Fault::Panic, Fault::Fork], 100).run(&body);
    rough.assert_exclusive();
}

#[test]
fn external() {
    let lock = || lockutils::lock("x").external(true);
    holds_between_processes(|worker| lock().run(|| worker.section(|| ())).unwrap());
}

#[test]
fn external_and_fair() {
    let lock = || lockutils::lock("x").external(true).fair(true);
    holds_between_processes(|worker| lock().run(|| worker.section(|| ())).unwrap());
}

#[test]
fn external_by_path() {
    let directory = tempfile::tempdir().unwrap();
    let lock = InterProcessLock::new(directory.path().join("x"));
    holds_between_processes(|worker| {
        let _guard = lock.acquire().unwrap();
        worker.section(|| ());
    });
}

#[test]
fn reader_writer_between_processes() {
    let directory = tempfile::tempdir().unwrap();
    let lock = InterProcessReaderWriterLock::new(directory.path().join("x"));
    holds_between_processes(|worker| {
        if worker.random(3) == 0 {
            let _guard = lock.write().unwrap();
            worker.section(|| ());
        } else {
            let _guard = lock.read().unwrap();
            worker.shared_section(|| ());
        }
    });
}

#[test]
fn internal() {
    let lock = || lockutils::lock("own-locks");
    holds_between_threads(|worker| lock().run(|| worker.section(|| ())).unwrap());
}

#[test]
fn internal_and_fair() {
    let lock = || lockutils::lock("own-locks-fair").fair(true);
    holds_between_threads(|worker| lock().run(|| worker.section(|| ())).unwrap());
}

#[test]
fn semaphores() {
    let semaphores = Semaphores::new();
    holds_between_threads(|worker| {
        let lock = lockutils::lock("own-locks").semaphores(&semaphores);
        lock.run(|| worker.section(|| ())).unwrap();
    });
}

#[test]
fn reader_writer_between_threads() {
    let lock = ReaderWriterLock::new("own-locks");
    holds_between_threads(|worker| {
        if worker.random(3) == 0 {
            let _guard = lock.write().unwrap();
            worker.section(|| ());
        } else {
            let _guard = lock.read().unwrap();
            worker.shared_section(|| ());
        }
    });
}

/// The counterpart: writers that acquire the lock only for reading must be detected.
#[test]
fn writers_that_only_read_are_caught() {
    let lock = ReaderWriterLock::new("own-locks");
    let report = Stress::new()
        .processes(1)
        .threads(4)
        .sections(2_000)
        .run(|worker| {
            let _guard = lock.read().unwrap();
            if worker.random(3) == 0 {
                worker.section(std::thread::yield_now);
            } else {
                worker.shared_section(std::thread::yield_now);
            }
        });
    assert!(report.verdict().is_violated(), "{report:?}");
}
