//! Children by fork(2), and a shell.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::kill;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use super::super::super::load::{Load, Participant};
use super::super::support::{Make, linger};
use crate::sys;
use crate::testing::finding::Finding;
use crate::testing::lock::{Answer, Lock, WaitLimit};

/// Time limit of a child that waits for the lock.
const LONGEST: Duration = Duration::from_secs(10);

pub(crate) fn release<L: Lock>(make: Make<'_, L>) -> Finding {
    Load::processes(3).attempts(10).run(make, &|participant| {
        let holder = getpid();
        while !participant.is_over() {
            let outcome = participant.try_attempt(WaitLimit::Forever, &mut || {
                // The child returns from the section and releases the lock as a holder would.
                // SAFETY: the worker has one thread.
                match unsafe { fork() } {
                    Ok(ForkResult::Parent { child }) => drop(waitpid(child, None)),
                    _ => drop(nix::unistd::alarm::set(LONGEST.as_secs() as u32)),
                }
                if getpid() == holder {
                    participant.worker.section(linger);
                }
            });
            if getpid() != holder {
                leave(0);
            }
            if let Err(error) = outcome {
                participant.fail(&format!(
                    "release failed after a child had returned from the section: {error}"
                ));
            }
        }
    })
}

pub(crate) fn survivor<L: Lock>(make: Make<'_, L>) -> Finding {
    dies_with_a_child(make, |run| {
        // SAFETY: the worker has one thread, and its child only waits.
        if let Ok(ForkResult::Child) = unsafe { fork() } {
            survive(run);
        }
    })
}

pub(crate) fn executed<L: Lock>(make: Make<'_, L>) -> Finding {
    dies_with_a_child(make, |run| {
        let waits = "n=0; while [ $n -lt 120 ] && kill -0 \"$0\" 2>/dev/null; \
                     do sleep 0.05; n=$((n+1)); done";
        let mut shell = Command::new("sh");
        shell.args(["-c", waits, &run.to_string()]);
        shell.stdin(Stdio::null()).stdout(Stdio::null());
        drop(
            shell
                .spawn()
                .unwrap_or_else(|error| panic!("cannot start sh: {error}")),
        );
    })
}

/// All holders but one die in the section after creating a child that lives on.
fn dies_with_a_child<L: Lock>(make: Make<'_, L>, child: impl Fn(Pid) + Sync) -> Finding {
    Load::processes(3).run(make, &|participant| {
        participant.section(|| {
            if participant.number() > 0 {
                child(getppid());
                participant.die();
            }
        });
    })
}

/// A child forked in the section finds the lock held, and acquires it once its parent has left.
pub(crate) fn locking<L: Lock>(make: Make<'_, L>) -> Finding {
    Load::processes(1).attempts(10).run(make, &|participant| {
        while !participant.is_over() {
            let mut waits = None;
            participant.section_mut(&mut || {
                in_child(|| tries(&make(), WaitLimit::NoWait, Answer::Busy)).join(participant);
                waits = Some(in_child(|| tries(&make(), WaitLimit::Forever, Answer::Ran)));
            });
            if let Some(child) = waits {
                child.join(participant);
            }
        }
    })
}

/// The exit status of the child: 0 if the answer was as expected.
fn tries(lock: &impl Lock, limit: WaitLimit, expected: Answer) -> i32 {
    match lock.run(limit, &mut || ()) {
        Ok(answer) if answer == expected || answer == Answer::Unsupported => 0,
        Ok(Answer::Ran) => 1,
        Ok(_) => 2,
        Err(_) => 3,
    }
}

struct Child(Pid);

impl Child {
    fn join<L: Lock>(self, participant: &Participant<'_, '_, L>) {
        let why = match waitpid(self.0, None) {
            Ok(WaitStatus::Exited(_, 0)) => return,
            Ok(WaitStatus::Exited(_, 1)) => {
                "a forked child entered while its parent held the lock".into()
            }
            Ok(WaitStatus::Exited(_, 2)) => {
                "a forked child that waited for the lock was refused".into()
            }
            Ok(WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGALRM, _)) => format!(
                "a forked child waited for {} s and did not acquire the lock",
                LONGEST.as_secs()
            ),
            Ok(WaitStatus::Exited(_, 3)) => "the lock failed in a forked child".into(),
            other => format!("a forked child ended unexpectedly: {other:?}"),
        };
        participant.fail(&why)
    }
}

fn in_child(body: impl FnOnce() -> i32) -> Child {
    // SAFETY: the worker has one thread; what its child does is the subject of the trial.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => Child(child),
        Ok(ForkResult::Child) => {
            nix::unistd::alarm::set(LONGEST.as_secs() as u32);
            leave(body())
        }
        Err(error) => panic!("cannot fork a child: {error}"),
    }
}

/// Lives until the process `run` has ended, but not much longer than workers wait for the lock.
fn survive(run: Pid) -> ! {
    nix::unistd::alarm::set(LONGEST.as_secs() as u32);
    while kill(run, None).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    leave(0)
}

fn leave(status: i32) -> ! {
    sys::exit_now(status)
}
