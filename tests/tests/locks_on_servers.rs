//! `explore` on locks of the zoo that are on a server which the command starts.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use lockutils_harness::testing::explore::{Explore, ExploreWorker};
use lockutils_tests::command::{folder, text, workspace};
use lockutils_tests::{debian, python};

/// A lock of the zoo.
#[derive(Clone, Copy)]
struct Lock {
    engine: &'static str,
    /// A program of the engine, and its Debian package.
    program: (&'static str, &'static str),
    /// The package of its client on PyPI.
    client: &'static str,
    worker: &'static str,
    kind: &'static str,
}

/// A lock on Redis. The lease of each is 10 s.
fn redis(kind: &'static str) -> Lock {
    Lock {
        engine: "redis",
        program: ("redis-server", "redis-server"),
        client: "redis==8.1.0",
        worker: "redis_locks_worker.py",
        kind,
    }
}

fn etcd(kind: &'static str) -> Lock {
    Lock {
        engine: "etcd",
        program: ("etcd", "etcd-server"),
        client: "etcd3gw==2.7.0",
        worker: "etcd_worker.py",
        kind,
    }
}

fn mariadb(kind: &'static str) -> Lock {
    Lock {
        engine: "mariadb",
        program: ("mariadbd", "mariadb-server"),
        client: "PyMySQL==1.2.4",
        worker: "mariadb_worker.py",
        kind,
    }
}

fn zookeeper(kind: &'static str) -> Lock {
    Lock {
        engine: "zookeeper",
        program: ("zooinspector", "zookeeper"),
        client: "kazoo==2.11.0",
        worker: "zookeeper_worker.py",
        kind,
    }
}

/// Explores a lock in one scenario, on a server of its own.
fn explore(lock: Lock, scenario: &str, schedules: &str, found: &Path) -> Output {
    explore_with(lock, scenario, schedules, found, &[])
}

fn explore_with(
    lock: Lock,
    scenario: &str,
    schedules: &str,
    found: &Path,
    options: &[&str],
) -> Output {
    let (program, package) = lock.program;
    debian::provide(program, package).expect(package);
    let mut command = Command::new(folder().join("cargo-lockutils"));
    command
        .args(["lockutils", "explore", "--servers", lock.engine])
        .args(["--scenario", scenario, "--schedules", schedules])
        .args(["--duration", "120s", "--seed", "7", "--save"])
        .arg(found)
        .args(options)
        .arg("--")
        .arg(python::environment(&[lock.client]))
        .args([lock.worker, lock.kind])
        .env("PYTHONPATH", workspace().join("docs/workers"))
        .current_dir(workspace().join("tests/zoo"));
    let output = command.output().expect("the command");
    // mariadbd 10.11 once ended by SIGSEGV while sessions were killed, and reported nothing.
    match lock.engine == "mariadb" && text(&output).contains("cannot be reset") {
        true => command.output().expect("the command"),
        false => output,
    }
}

#[track_caller]
fn is_broken_and_replayed(lock: Lock, scenario: &str, story: &[&str]) {
    let base = tempfile::tempdir().expect("a folder");
    let found = base.path().join("found.txt");
    let output = explore(lock, scenario, "100", &found);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for part in story {
        assert!(printed.contains(part), "no `{part}` in {printed}");
    }
    let again = Command::new(folder().join("cargo-lockutils"))
        .args(["lockutils", "replay", "--times", "5"])
        .arg(&found)
        .env("PYTHONPATH", workspace().join("docs/workers"))
        .current_dir(workspace().join("tests/zoo"))
        .output()
        .expect("the command");
    let printed = text(&again);
    assert!(
        printed.contains("5 of 5 runs reached the violation"),
        "{printed}"
    );
}

/// Asserts that a lock has no race in a few schedules.
#[track_caller]
fn holds(lock: Lock, scenario: &str, tells: &str) {
    let base = tempfile::tempdir().expect("a folder");
    let output = explore(lock, scenario, "30", &base.path().join("found.txt"));
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{}: {printed}", lock.kind);
    assert!(printed.contains(tells), "{}: {printed}", lock.kind);
}

#[test]
fn a_watch_without_a_transaction_lets_two_in() {
    is_broken_and_replayed(
        redis("watch"),
        "contend",
        &["request WATCH", "the server answers nil"],
    );
}

#[test]
fn a_stale_holder_that_deletes_the_lock_of_the_next_one_lets_a_third_in() {
    let story = ["its lease runs out", "request DEL", "ENTERS THE SECTION"];
    is_broken_and_replayed(redis("get-then-del"), "expire", &story);
}

#[test]
fn a_token_that_is_drawn_after_the_lock_breaks_the_fence() {
    let story = [
        "FENCE BROKEN after",
        "its lease runs out",
        "ENTERS THE SECTION with token 2",
        "worker 0 has token 2 (step 7), and worker 1",
    ];
    is_broken_and_replayed(redis("token-after"), "expire", &story);
}

/// The report has the keys as they are after each step, and whose they are.
#[test]
fn the_states_have_the_keys_of_the_server() {
    let base = tempfile::tempdir().expect("a folder");
    let found = base.path().join("found.txt");
    let output = explore_with(redis("get-then-del"), "expire", "100", &found, &["--json"]);
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let found = &report["outcomes"][0]["counterexample"];
    let steps = found["steps"].as_array().expect("steps");
    let mut keys = found["before"]["keys"].clone();
    assert_eq!(keys.as_array().map(Vec::len), Some(0), "{found:#}");
    let mut owners = Vec::new();
    for step in steps {
        let before = keys.clone();
        if let Some(after) = step.get("after") {
            keys = after["keys"].clone();
        }
        let owned = |keys: &serde_json::Value| keys[0]["owner"].as_u64();
        if step["fault"] == "expiry" {
            let worker = step["worker"].as_u64();
            assert!(worker.is_some() && owned(&before) == worker, "{found:#}");
            assert_eq!(keys.as_array().map(Vec::len), Some(0), "{found:#}");
            assert_eq!(step["after"]["workers"][0]["lease_over"], true);
        }
        if owned(&keys).is_some() && owned(&keys) != owned(&before) {
            owners.extend(owned(&keys));
            assert!(keys[0]["left_s"].as_u64().is_some_and(|left| left <= 10));
            assert_ne!(keys[0]["value"], "");
        }
    }
    // The third gets in although the second has a lease.
    owners.sort_unstable();
    assert_eq!(owners, [0, 1, 2], "{found:#}");
}

#[test]
fn an_overlap_with_a_stale_holder_alone_is_no_race() {
    for (kind, scenario, tells) in [
        ("script", "contend", "no violation found: 30 schedules"),
        ("library", "expire", "lease expired: 30 schedules"),
        ("token-in-script", "expire", "lease expired: 30 schedules"),
        ("script", "crash", "no violation found: 30 schedules"),
    ] {
        holds(redis(kind), scenario, tells);
    }
}

const LOOKS_THEN_PUTS: [&str; 3] = ["request", "the server answers", "ENTERS THE SECTION"];

#[test]
fn on_etcd_a_transaction_holds_and_a_look_before_a_put_does_not() {
    let range = "request POST /v3/kv/range {\"key\":";
    let story = [&LOOKS_THEN_PUTS[..], &[range, "the server answers 200 OK"]].concat();
    is_broken_and_replayed(etcd("look-then-put"), "contend", &story);
    holds(etcd("library"), "contend", "no violation found: 30");
    holds(etcd("transaction"), "expire", "lease expired: 30 schedules");
    holds(etcd("transaction"), "crash", "no violation found: 30");
}

#[test]
fn on_mariadb_sessions_hold_and_a_look_before_a_put_does_not() {
    let story = [&LOOKS_THEN_PUTS[..], &["request REPLACE INTO locks"]].concat();
    is_broken_and_replayed(mariadb("look-then-put"), "contend", &story);
    holds(mariadb("get-lock"), "expire", "lease expired: 30 schedules");
    holds(mariadb("get-lock"), "crash", "no violation found: 30");
    holds(
        mariadb("for-update"),
        "expire",
        "lease expired: 30 schedules",
    );
}

#[test]
fn on_zookeeper_the_recipe_holds_and_a_look_before_a_put_does_not() {
    is_broken_and_replayed(zookeeper("look-then-put"), "contend", &LOOKS_THEN_PUTS);
    holds(zookeeper("library"), "contend", "no violation found: 30");
    holds(
        zookeeper("library"),
        "expire",
        "lease expired: 30 schedules",
    );
}

/// Each explorer has a server of its own, which its workers have used before they were ready.
#[test]
fn the_result_does_not_depend_on_the_number_of_explorers() {
    let base = tempfile::tempdir().expect("a folder");
    let counts = |jobs: &str| {
        let options = ["--strategy", "depth-first", "--jobs", jobs];
        let found = base.path().join("found.txt");
        let output = explore_with(redis("library"), "expire", "60", &found, &options);
        let printed = text(&output);
        let count = printed.lines().find(|line| line.contains("the lease had"));
        count
            .map(str::to_owned)
            .unwrap_or_else(|| panic!("{printed}"))
    };
    assert_eq!(counts("1"), counts("3"));
}

/// Takes a key of Redis; the answer to `look` says whether it may.
fn takes_a_key(worker: &ExploreWorker, look: &str, free: &str) {
    let address = worker.server().expect("a server");
    let mut server = BufReader::new(TcpStream::connect(address).expect("it listens"));
    let mut ask = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        let stream = server.get_mut();
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        server.read_line(&mut answer).expect("it answers");
        answer.trim().to_owned()
    };
    while ask(look) != free {
        std::thread::sleep(Duration::from_millis(10));
    }
    ask("SET key taken");
    worker.section(|| ());
    ask("DEL key");
}

#[test]
fn a_test_in_rust_has_a_server() {
    debian::provide("redis-server", "redis-server").expect("redis-server");
    let explore = || Explore::new().schedules(40).seed(7).servers("redis");
    // A worker of the second exploration has none from the first.
    let found = explore().run(|worker| takes_a_key(worker, "EXISTS key", ":0"));
    let kept = found.counterexample().unwrap_or_default();
    let again = Explore::new().replay(kept);
    let again = again.run(|worker| takes_a_key(worker, "EXISTS key", ":0"));
    let sound = explore().run(|worker| takes_a_key(worker, "SET key taken NX", "+OK"));
    let story = found.story().expect("a counterexample");
    assert!(story.contains("request EXISTS key"), "{story}");
    assert!(again.story().is_some());
    sound.assert_exclusive();
}
