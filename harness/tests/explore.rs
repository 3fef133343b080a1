//! Explorations from a test, on a lock that holds and on one that is broken.
#![cfg(feature = "explore")]

use std::fs::{File, OpenOptions, hard_link, remove_file};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::panic::catch_unwind;

use lockutils_harness::testing::explore::{Choice, Explore, ExploreWorker, Scenario};
use oslo_concurrency::lockutils;

#[test]
fn our_external_lock_has_no_race() {
    for fair in [false, true] {
        let lock = lockutils::lock("counter").external(true).fair(fair);
        for scenario in [Scenario::Contend, Scenario::Die, Scenario::Respawn] {
            let exploration = Explore::new()
                .scenario(scenario)
                .schedules(schedules())
                .run(|worker| lock.run(|| worker.section(|| ())).unwrap());
            exploration.assert_exclusive();
        }
    }
}

/// More of them if somebody asks for it.
fn schedules() -> usize {
    let more = std::env::var("LOCKUTILS_SCHEDULES").ok();
    more.and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// Takes the lock by flock(2), and unlinks the file while it holds it, without a look at the name after locking.
fn unlinks_while_it_holds(worker: &ExploreWorker) {
    let path = worker.directory().join("lock");
    let file = open(&path);
    file.lock().unwrap();
    worker.section(|| ());
    // Another one may have done so.
    let _ = remove_file(&path);
}

/// As it should be.
fn leaves_the_file(worker: &ExploreWorker) {
    let file = open(&worker.directory().join("lock"));
    file.lock().unwrap();
    worker.section(|| ());
}

fn open(path: &std::path::Path) -> File {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap()
}

#[test]
fn a_race_is_found_and_kept_as_a_test() {
    let found = Explore::new().schedules(200).run(unlinks_while_it_holds);
    let Some(kept) = found.counterexample() else {
        // In a worker of an exploration below, or nothing was found.
        found.assert_exclusive();
        Explore::new().replay(KEPT).run(unlinks_while_it_holds);
        Explore::new().replay(KEPT).run(leaves_the_file);
        unreachable!("nothing was found in {} schedules", found.schedules());
    };
    assert!(
        found
            .story()
            .unwrap()
            .contains("are in the section at once")
    );
    let message = catch_unwind(|| found.assert_exclusive()).unwrap_err();
    let message = message.downcast::<String>().unwrap();
    assert!(message.contains("an interleaving breaks the lock") && message.contains(kept));
    let again = Explore::new().replay(kept).run(unlinks_while_it_holds);
    assert!(again.story().is_some(), "the kept schedule leads nowhere");
    // The lock is repaired: the kept schedule passes.
    Explore::new()
        .replay(kept)
        .run(leaves_the_file)
        .assert_exclusive();
}

/// The shape of a kept schedule; workers do not look at it.
const KEPT: &str = "lockutils counterexample 1\nlock: -- x\nscenario: contend\nparties: 3\nrounds: 1\nseed: 0x1\nsteps: 0\n";

#[test]
fn a_body_that_fails_is_told() {
    let exploration = Explore::new().schedules(5).run(|worker| {
        leaves_the_file(worker);
        assert!(worker.number() > 0, "number {} is too low", worker.number());
    });
    let message = catch_unwind(|| exploration.assert_exclusive()).unwrap_err();
    let message = message.downcast::<String>().unwrap();
    assert!(message.contains("number 0 is too low"), "{message}");
}

/// Bug: who has found the file changed between two looks takes that for a release. One writes by the name `a`, the other looks by the name `b`, and
/// both are one file.
fn takes_a_change_for_a_release(worker: &ExploreWorker) {
    let [a, b] = ["a", "b"].map(|name| worker.directory().join(name));
    if worker.number() == 0 {
        let mut file = File::create(&a).unwrap();
        hard_link(&a, &b).unwrap();
        file.write_all(b"held").unwrap();
        return worker.section(|| ());
    }
    let Ok(file) = File::open(&b) else { return };
    let looks = [0, 1].map(|_| {
        let mut word = [0; 4];
        file.read_at(&mut word, 0).unwrap()
    });
    if looks[0] != looks[1] {
        worker.section(|| ());
    }
}

#[test]
fn two_names_of_one_file_are_not_independent() {
    let exploration = Explore::new()
        .workers(2)
        .strategy(Choice::DepthFirst)
        .schedules(2_000)
        .run(takes_a_change_for_a_release);
    let story = exploration.story();
    assert!(
        story.is_some_and(|story| story.contains("are in the section at once")),
        "{story:?} in {} schedules, {:?}",
        exploration.schedules(),
        exploration.complete()
    );
}
