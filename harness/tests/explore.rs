//! Explorations from a test, on a lock that holds and on one that is broken.
#![cfg(feature = "explore")]

use std::fs::{File, OpenOptions, remove_file};
use std::panic::catch_unwind;

use lockutils_harness::explore::{Explore, Party, Plot};
use oslo_concurrency::lockutils;

#[test]
fn our_external_lock_has_no_race() {
    for fair in [false, true] {
        let lock = lockutils::lock("counter").external(true).fair(fair);
        for plot in [Plot::Contend, Plot::Die, Plot::Respawn] {
            let exploration = Explore::new()
                .scenario(plot)
                .schedules(schedules())
                .run(|party| lock.run(|| party.section(|| ())).unwrap());
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
fn unlinks_while_it_holds(party: &Party) {
    let path = party.directory().join("lock");
    let file = open(&path);
    file.lock().unwrap();
    party.section(|| ());
    // Another one may have done so.
    let _ = remove_file(&path);
}

/// As it should be.
fn leaves_the_file(party: &Party) {
    let file = open(&party.directory().join("lock"));
    file.lock().unwrap();
    party.section(|| ());
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
    let Some(kept) = found.to_keep() else {
        // In a worker of an exploration below, or nothing was found.
        found.assert_exclusive();
        Explore::new().kept(KEPT).run(unlinks_while_it_holds);
        Explore::new().kept(KEPT).run(leaves_the_file);
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
    let again = Explore::new().kept(kept).run(unlinks_while_it_holds);
    assert!(again.story().is_some(), "the kept schedule leads nowhere");
    // The lock is repaired: the kept schedule passes.
    Explore::new()
        .kept(kept)
        .run(leaves_the_file)
        .assert_exclusive();
}

/// The shape of a kept schedule; workers do not look at it.
const KEPT: &str = "lockutils counterexample 1\nlock: -- x\nscenario: contend\nparties: 3\nrounds: 1\nseed: 0x1\nsteps: 0\n";

#[test]
fn a_body_that_fails_is_told() {
    let exploration = Explore::new().schedules(5).run(|party| {
        leaves_the_file(party);
        assert!(party.number() > 0, "number {} is too low", party.number());
    });
    let message = catch_unwind(|| exploration.assert_exclusive()).unwrap_err();
    let message = message.downcast::<String>().unwrap();
    assert!(message.contains("number 0 is too low"), "{message}");
}
