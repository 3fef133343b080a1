//! A forked child neither holds the lock, nor can free it, nor keeps it alive after its parent
//! dies, and can lock for itself; a child made by exec inherits nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lockutils_tests::until::{deadline, until};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use oslo_concurrency::lockutils;

use crate::{holder, lock_path};

/// A process that is not a child of this one, killed when this is dropped.
struct Stranger(Pid);

impl Stranger {
    fn named(answer: &str) -> Self {
        Stranger(Pid::from_raw(answer.parse().expect("a process id")))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

#[test]
fn a_forked_child_does_not_keep_it_alive() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    let _child = Stranger::named(&one.ask("fork-and-stay"));
    assert_eq!(other.ask("try x"), "busy");
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(other.ask("try x"), "acquired");
    assert_eq!(other.ask("release x"), "released");
    assert_eq!(one.ask("acquire x"), "acquired");
    one.kill();
    assert_eq!(other.ask("timed x 10000"), "acquired");
}

#[test]
fn a_forked_child_does_not_free_it() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    assert_eq!(one.ask("fork-and-drop"), "dropped");
    assert_eq!(one.answer(), "done");
    assert_eq!(other.ask("try x"), "busy");
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(other.ask("try x"), "acquired");
}

#[test]
fn a_forked_child_locks_for_itself() {
    let directory = lock_path();
    let mut one = holder(&directory);
    assert_eq!(one.ask("acquire x"), "acquired");
    assert_eq!(one.ask("fork-and-try x"), "busy");
    assert_eq!(one.answer(), "done");
    assert_eq!(one.ask("fork-and-try y"), "acquired");
    assert_eq!(one.answer(), "done");
    assert_eq!(one.ask("release x"), "released");
    assert_eq!(one.ask("fork-and-try x"), "acquired");
    assert_eq!(one.answer(), "done");
    assert_eq!(one.ask("try x"), "acquired");
}

/// Locks that were created before the fork stay in the memory of the child.
#[test]
fn a_forked_child_locks_for_itself_with_locks_that_its_parent_made() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("keep x"), "kept");
    for (acquire, attempt, held, free) in [
        ("acquire-kept x", "fork-and-try-kept x", "busy", "acquired"),
        ("write x", "fork-and-try-kept-writer x", "busy", "acquired"),
        // Between threads: whichever thread of the parent holds the lock, it is free in the child,
        // where both ways lead to one lock.
        (
            "acquire-kept-internal x",
            "fork-and-try-kept-internal x",
            "acquired busy",
            "acquired busy",
        ),
    ] {
        assert_eq!(one.ask(attempt), free, "never used: {attempt}");
        assert_eq!(one.answer(), "done");
        assert_eq!(one.ask(acquire), "acquired");
        assert_eq!(one.ask(attempt), held, "held: {attempt}");
        assert_eq!(one.answer(), "done");
        if acquire != "acquire-kept-internal x" {
            assert_eq!(other.ask("try x"), "busy", "the parent still holds it");
        }
        assert_eq!(one.ask("release x"), "released");
        assert_eq!(one.ask(attempt), free, "used before: {attempt}");
        assert_eq!(one.answer(), "done");
        assert_eq!(other.ask("try x"), "acquired");
        if acquire != "acquire-kept-internal x" {
            assert_eq!(
                one.ask(attempt),
                "busy",
                "held by another process: {attempt}"
            );
            assert_eq!(one.answer(), "done");
        }
        assert_eq!(other.ask("release x"), "released");
    }
}

#[test]
fn a_grandchild_does_not_keep_it_alive() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    let _grandchild = Stranger::named(&one.ask("fork-twice-and-stay"));
    assert_eq!(one.answer(), "done");
    assert_eq!(other.ask("try x"), "busy");
    one.kill();
    assert_eq!(other.ask("timed x 10000"), "acquired");
}

#[test]
fn a_program_that_was_started_inherits_nothing() {
    let directory = lock_path();
    let (mut one, mut other) = (holder(&directory), holder(&directory));
    assert_eq!(one.ask("acquire x"), "acquired");
    let program = Stranger::named(&one.ask("start-program"));
    let files = format!("/proc/{}/fd", program.0);
    let command = format!("/proc/{}/comm", program.0);
    until("the program runs", || {
        (std::fs::read_to_string(&command).ok()?.trim() == "sleep").then_some(())
    });
    let inherited = std::fs::read_dir(files)
        .unwrap()
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .any(|file| file.starts_with(directory.path()));
    assert!(!inherited, "the lock file is open in the program");
    one.kill();
    assert_eq!(other.ask("timed x 10000"), "acquired");
}

/// A process forks while its threads open and lock files, and dies with the locks: no child keeps
/// one alive, not even a child forked between the open and the registration of the file.
#[test]
fn children_forked_in_the_midst_of_opening_keep_nothing_alive() {
    for _ in 0..3 {
        let directory = lock_path();
        let (mut one, mut other) = (holder(&directory), holder(&directory));
        let answer = one.ask("fork-amid-locking 400");
        let children: Vec<_> = answer.split(' ').map(Stranger::named).collect();
        assert!(children.len() > 5, "{} children only", children.len());
        one.kill();
        for thread in 0..2 {
            for number in 0..400 {
                let name = format!("{thread}-{number}");
                // The latest children may not have run yet, and close their copies as soon as they
                // do.
                let acquired = other.ask(&format!("timed {name} 10000"));
                assert_eq!(acquired, "acquired", "{name}");
                assert_eq!(other.ask(&format!("release {name}")), "released");
            }
        }
    }
}

/// Children forked while other threads acquire and release: each must find consistent locks.
#[test]
fn forks_in_the_midst_of_locking_threads_are_safe() {
    let directory = lock_path();
    let stop = AtomicBool::new(false);
    let external = |name| {
        lockutils::lock(name)
            .external(true)
            .lock_path(directory.path())
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    external("x").run(|| ()).unwrap();
                    lockutils::lock("y").run(|| ()).unwrap();
                }
            });
        }
        for _ in 0..50 {
            // SAFETY: the child takes our locks, the subject of the test, and leaves by _exit. It
            // allocates, which glibc permits after a fork.
            match unsafe { fork() }.unwrap() {
                ForkResult::Child => {
                    // A child that hangs is ended by a signal, which the parent notices.
                    let seconds = deadline().as_secs().try_into().unwrap_or(u32::MAX);
                    nix::unistd::alarm::set(seconds);
                    let internal = lockutils::lock("y").run(|| ()).is_ok();
                    let mine = external("mine").run(|| ()).is_ok();
                    // SAFETY: ends this process.
                    unsafe { nix::libc::_exit(if internal && mine { 0 } else { 1 }) };
                }
                ForkResult::Parent { child } => {
                    assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
