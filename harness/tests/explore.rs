//! Explorations of a correct lock and of broken ones.

// The locks and the faults here are those of Linux; `portable.rs` runs everywhere.
#![cfg(all(target_os = "linux", feature = "explore"))]

use std::fs::{File, OpenOptions, hard_link, remove_file};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::panic::catch_unwind;
use std::thread::sleep;
use std::time::Duration;

use lockutils_harness::testing::explore::{Choice, Explore, ExploreWorker, Scenario};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use oslo_concurrency::lockutils;

#[test]
fn our_external_lock_has_no_race() {
    for fair in [false, true] {
        let lock = lockutils::lock("counter").external(true).fair(fair);
        for scenario in [
            Scenario::Contend,
            Scenario::Die,
            Scenario::Crash,
            Scenario::Respawn,
        ] {
            let exploration = Explore::new()
                .scenario(scenario)
                .schedules(schedules())
                .run(|worker| lock.run(|| worker.section(|| ())).unwrap());
            exploration.assert_exclusive();
        }
    }
}

/// Number of schedules; LOCKUTILS_SCHEDULES overrides it.
fn schedules() -> usize {
    let more = std::env::var("LOCKUTILS_SCHEDULES").ok();
    more.and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// Locks by flock(2) and removes the file while holding the lock; does not check the path after
/// locking.
fn unlinks_while_it_holds(worker: &ExploreWorker) {
    let path = worker.directory().join("lock");
    let file = open(&path);
    file.lock().unwrap();
    worker.section(|| ());
    // Another worker may have removed it.
    let _ = remove_file(&path);
}

/// The repaired lock.
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
    let Some(counterexample) = found.counterexample() else {
        // In a worker of an exploration below, or nothing was found.
        found.assert_exclusive();
        Explore::new()
            .replay(COUNTEREXAMPLE)
            .run(unlinks_while_it_holds);
        Explore::new().replay(COUNTEREXAMPLE).run(leaves_the_file);
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
    assert!(
        message.contains("an interleaving breaks the lock") && message.contains(counterexample)
    );
    let again = Explore::new()
        .replay(counterexample)
        .run(unlinks_while_it_holds);
    assert!(
        again.story().is_some(),
        "the counterexample does not reproduce"
    );
    // With the repaired lock, the same schedule passes.
    Explore::new()
        .replay(counterexample)
        .run(leaves_the_file)
        .assert_exclusive();
}

/// The form of a counterexample. Workers do not read it.
const COUNTEREXAMPLE: &str = "lockutils counterexample 1\nlock: -- x\n\
    scenario: contend\nparties: 3\nrounds: 1\nseed: 0x1\nsteps: 0\n";

/// The same race, as it was found on x86-64, where the worker removes the file by unlink(2), and on
/// aarch64, where it does so by unlinkat(2).
const FOUND_ELSEWHERE: [&str; 2] = [
    "lockutils counterexample 1\nlock: -- x\nscenario: contend\nparties: 3\nrounds: 1\n\
     seed: 0x1\nprocessor: x86_64\nsteps: 2*2 0*6 2 1*3\n",
    "lockutils counterexample 1\nlock: -- x\nscenario: contend\nparties: 3\nrounds: 1\n\
     seed: 0x1\nprocessor: aarch64\nsteps: 2*2 0*6 2 1*3\n",
];

#[test]
fn a_race_is_replayed_on_another_processor() {
    // All of them before the first check, which is not for a worker of the second.
    let replays = FOUND_ELSEWHERE.map(|counterexample| {
        Explore::new()
            .replay(counterexample)
            // A slow machine is not to blame.
            .lease(Duration::from_secs(20))
            .run(unlinks_while_it_holds)
    });
    for replay in replays {
        let again = replay.counterexample().unwrap_or_default();
        assert!(again.contains("\nsteps: 2*2 0*6 2 1*3\n"), "{again}");
    }
}

/// Creates a file, then writes its process id to it. A file whose process is dead is removed; an
/// empty one never is.
fn writes_its_id_too_late(worker: &ExploreWorker) {
    let path = worker.directory().join("lock");
    loop {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => break write!(file, "{}", std::process::id()).unwrap(),
            Err(_) => remove_if_dead(&path),
        }
        sleep(Duration::from_millis(1));
    }
    worker.section(|| ());
    remove_file(&path).unwrap();
}

fn remove_if_dead(path: &std::path::Path) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    if let Ok(process) = text.parse()
        && kill(Pid::from_raw(process), None).is_err()
    {
        let _ = remove_file(path);
    }
}

#[test]
fn a_crash_within_acquire_leaves_a_lock_stuck() {
    let found = Explore::new()
        .scenario(Scenario::Crash)
        .workers(2)
        .schedules(200)
        .run(writes_its_id_too_late);
    let Some(counterexample) = found.counterexample() else {
        found.assert_exclusive();
        Explore::new().replay(STUCK).run(writes_its_id_too_late);
        Explore::new().replay(STUCK).run(leaves_the_file);
        unreachable!("nothing was found in {} schedules", found.schedules());
    };
    let story = found.story().unwrap();
    let death = "stuck after a crash: worker 0 died in acquire, between creating lock and writing \
                 to it; no worker is in the section";
    assert!(story.contains(death), "{story}");
    assert!(story.contains("is killed (SIGKILL)"), "{story}");
    let moves = counterexample
        .lines()
        .find(|line| line.starts_with("steps: "));
    assert!(
        moves.is_some_and(|moves| moves.contains(" 0! 1")),
        "{moves:?}"
    );
    let again = Explore::new()
        .replay(counterexample)
        .run(writes_its_id_too_late);
    assert!(again.story().is_some_and(|story| story.contains(death)));
    // With a lock that the kernel frees, the same crash does no harm.
    Explore::new()
        .replay(counterexample)
        .run(leaves_the_file)
        .assert_exclusive();
}

/// As [`COUNTEREXAMPLE`].
const STUCK: &str = "lockutils counterexample 1\nlock: -- x\n\
    scenario: crash\nparties: 2\nrounds: 1\nseed: 0x1\nsteps: 0 0!\n";

#[test]
fn a_body_that_fails_is_reported() {
    let exploration = Explore::new().schedules(5).run(|worker| {
        leaves_the_file(worker);
        assert!(worker.number() > 0, "number {} is too low", worker.number());
    });
    let message = catch_unwind(|| exploration.assert_exclusive()).unwrap_err();
    let message = message.downcast::<String>().unwrap();
    assert!(message.contains("number 0 is too low"), "{message}");
}

/// Bug: a file that changed between two reads counts as a release. One worker writes through the
/// name `a`, the other reads through the name `b`, and both name one file.
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
