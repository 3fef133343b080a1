//! The promises of [`sys`](super) about locks between processes.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use super::tests::{Files, LONG, SOON, wait};
use super::*;

const CHILD: &str = "OSLO_CONCURRENCY_CHILD_OF_A_TEST";

/// A process that holds the lock on a file.
struct Holding {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// The main function of the processes that the tests below start; not a test by itself.
#[test]
fn child_of_a_test() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let file = RawLockFile::open(Path::new(&path)).unwrap();
    let say = |word: &str| println!("\nchild: {word}");
    say("opened");
    for line in io::stdin().lines() {
        match line.unwrap().trim() {
            "lock" => {
                assert!(wait(&file, Mode::Exclusive, None, None));
                say("locked");
            }
            "unlock" => {
                file.unlock();
                say("unlocked");
            }
            _ => std::process::exit(0), // without a destructor
        }
    }
}

impl Holding {
    fn start(path: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "sys::process_tests::child_of_a_test",
            ])
            .env(CHILD, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut holding = Holding {
            input: process.stdin.take(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        };
        holding.until("opened");
        holding
    }

    fn until(&mut self, word: &str) {
        let expected = format!("child: {word}");
        let mut line = String::new();
        while line.trim() != expected {
            line.clear();
            let length = self.output.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "the child ended before it was {word}");
        }
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.input.as_mut().unwrap(), "{word}").unwrap();
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn processes_exclude_each_other() {
    let files = Files::new();
    let file = files.open();
    let mut child = Holding::start(&files.path());
    child.tell("lock");
    child.until("locked");
    assert!(!file.try_lock(Mode::Exclusive).unwrap());
    assert!(!file.try_lock(Mode::Shared).unwrap());
    child.tell("unlock");
    assert!(wait(
        &file,
        Mode::Exclusive,
        Some(Instant::now() + LONG),
        None
    ));
    child.until("unlocked");
    child.tell("lock");
    thread::sleep(SOON);
    file.unlock();
    child.until("locked");
    assert!(!file.try_lock(Mode::Exclusive).unwrap());
}

#[test]
fn the_lock_is_released_however_its_holder_ends() {
    let files = Files::new();
    for kill in [true, false] {
        let mut child = Holding::start(&files.path());
        child.tell("lock");
        child.until("locked");
        let file = files.open();
        assert!(!file.try_lock(Mode::Exclusive).unwrap());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| wait(&file, Mode::Exclusive, None, None));
            thread::sleep(SOON);
            assert!(!waiter.is_finished());
            if kill {
                child.process.kill().unwrap();
            } else {
                child.tell("exit");
            }
            assert!(waiter.join().unwrap());
        });
    }
}

#[test]
fn a_waiter_that_is_killed_never_acquires() {
    let files = Files::new();
    let holder = files.locked(Mode::Exclusive);
    let mut child = Holding::start(&files.path());
    child.tell("lock");
    thread::sleep(SOON);
    child.process.kill().unwrap();
    child.process.wait().unwrap();
    holder.unlock();
    let file = files.open();
    assert!(wait(
        &file,
        Mode::Exclusive,
        Some(Instant::now() + LONG),
        None
    ));
}

/// The child is started while the file is locked, and lives on when it is closed.
#[test]
fn a_program_that_is_started_inherits_no_lock() {
    let files = Files::new();
    let locked = files.locked(Mode::Exclusive);
    let other = files.directory.path().join("other");
    let _child = Holding::start(&other);
    drop(locked);
    assert!(files.open().try_lock(Mode::Exclusive).unwrap());
}
