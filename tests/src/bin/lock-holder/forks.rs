//! Children: forked ones that acquire or drop locks, and executed programs.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pause};
use oslo_concurrency::lockutils;

use crate::held::{Held, outcome};

pub fn obey(command: &str, words: &[&str], held: &mut Held) -> Option<String> {
    let name = words.first().copied().unwrap_or_default();
    let lock = lockutils::lock(name).external(true).blocking(false);
    Some(match command {
        "fork-and-stay" => in_child(|| {
            pause();
        }),
        "fork-twice-and-stay" => in_child_until_exit(|| {
            in_child(|| {
                pause();
            })
        }),
        "fork-and-drop" => in_child_until_exit(|| {
            held.guards.clear(); // the child's copy of them
            "dropped".into()
        }),
        "fork-and-try" => in_child_until_exit(|| outcome(&lock.acquire())),
        "fork-and-try-kept" => in_child_until_exit(|| outcome(&held.kept[name].file.try_acquire())),
        "fork-and-try-kept-writer" => {
            in_child_until_exit(|| outcome(&held.kept[name].reader_writer.try_write()))
        }
        // The lock between threads, through the kept value and by its name: the same lock, also in
        // the child.
        "fork-and-try-kept-internal" => in_child_until_exit(|| {
            let kept = held.kept[name].internal.try_acquire();
            let by_name = lockutils::lock(name).blocking(false).acquire();
            format!("{} {}", outcome(&kept), outcome(&by_name))
        }),
        "fork-amid-locking" => fork_amid_locking(words[0].parse().expect("a number")),
        "start-program" => {
            #[expect(clippy::zombie_processes, reason = "the test ends it")]
            let child = Command::new("sleep").arg("1000").spawn().expect("sleep");
            child.id().to_string()
        }
        "become-program" => {
            println!("becoming");
            format!("error {}", Command::new("sleep").arg("1000").exec())
        }
        "exit" => std::process::exit(0),
        _ => return None,
    })
}

/// Forks a child that does `work`; the parent continues and answers with the child's id.
fn in_child(work: impl FnOnce()) -> String {
    // SAFETY: this process has one thread.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Parent { child } => child.to_string(),
        ForkResult::Child => {
            nix::unistd::alarm::set(100); // longer than any test waits
            work();
            std::process::exit(0);
        }
    }
}

/// Forks a child that does `work`, and waits for its end. The answer of the child comes first, on a
/// line of its own.
fn in_child_until_exit(work: impl FnOnce() -> String) -> String {
    let child = in_child(|| println!("{}", work()));
    let child = Pid::from_raw(child.parse().expect("an id"));
    match waitpid(child, None) {
        Ok(WaitStatus::Exited(_, 0)) => "done".into(),
        other => format!("error {other:?}"),
    }
}

/// Two threads acquire `names` locks each and keep them, while this one forks children that stay;
/// answers with their ids.
fn fork_amid_locking(names: u32) -> String {
    let threads = [0, 1].map(|thread| {
        std::thread::spawn(move || {
            for number in 0..names {
                let lock = lockutils::lock(&format!("{thread}-{number}"))
                    .external(true)
                    .acquire();
                std::mem::forget(lock.expect("a lock of our own"));
            }
        })
    });
    let mut children = Vec::new();
    while !threads.iter().all(|thread| thread.is_finished()) {
        // SAFETY: the child calls nothing but alarm(2) and pause(2), which are async-signal-safe.
        match unsafe { fork() }.expect("fork") {
            ForkResult::Parent { child } => children.push(child.to_string()),
            ForkResult::Child => {
                nix::unistd::alarm::set(100);
                pause();
            }
        }
    }
    for thread in threads {
        thread.join().expect("all locks were free");
    }
    children.join(" ")
}
