//! The trial of each guarantee.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::kill;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use super::{Answer, Guarantee, Lock, Patience};
use crate::forking::Outcome;
use crate::stress::{Report, Stress};
use crate::verdict::{Unknown, Verdict};

/// A lock that nobody gets for so long is stuck.
const STUCK: Duration = Duration::from_secs(5);
/// For how long a holder stays after a disturbance, so that those whom it let in are seen.
const LINGER: Duration = Duration::from_micros(300);

type Make<'a, L> = &'a (dyn Fn(&Path) -> L + Sync);

pub(super) fn examine<L: Lock>(
    guarantee: Guarantee,
    directory: &Path,
    make: Make<'_, L>,
) -> Verdict {
    if let Err(error) = fs::create_dir_all(directory) {
        return unsupported(format!("{}: {error}", directory.display()));
    }
    let stress = Stress::new().deadline(STUCK);
    let make = || make(directory);
    match guarantee {
        Guarantee::Processes => {
            let stress = stress.processes(4).sections(200);
            verdict(&stress.hold(Duration::from_micros(5)).run(|worker| {
                acquire(&make(), &mut || worker.section(|| ()));
            }))
        }
        Guarantee::Threads => {
            let stress = stress.processes(1).threads(4).sections(200);
            verdict(&stress.hold(Duration::from_micros(5)).run(|worker| {
                acquire(&make(), &mut || worker.section(|| ()));
            }))
        }
        Guarantee::Death => verdict(&stress.processes(4).sections(50).run(|worker| {
            acquire(&make(), &mut || {
                worker.section(|| {
                    if worker.number() > 0 && worker.random(20) == 0 {
                        worker.die();
                    }
                });
            });
        })),
        Guarantee::Reopening => match make().file() {
            None => unsupported("the lock has no file"),
            Some(file) => verdict(&stress.processes(3).sections(30).run(|worker| {
                acquire(&make(), &mut || {
                    worker.section(|| {
                        drop(File::open(&file));
                        linger();
                    });
                });
            })),
        },
        Guarantee::ForkedRelease => verdict(&stress.processes(3).sections(10).run(|worker| {
            let holder = getpid();
            acquire(&make(), &mut || {
                // The child leaves the section by the lock's own way out, as if it had been the holder, and is ended after it.
                in_forked_child_until_its_end(|| ());
                if getpid() == holder {
                    worker.section(linger);
                }
            });
            end_if_child_of(holder);
        })),
        Guarantee::ForkedSurvivor => verdict(&stress.processes(3).sections(1).run(|worker| {
            acquire(&make(), &mut || {
                worker.section(|| {
                    if worker.number() > 0 {
                        let run = getppid();
                        // SAFETY: the worker has one thread, and its child only waits.
                        if let Ok(ForkResult::Child) = unsafe { fork() } {
                            survive(run);
                        }
                        worker.die();
                    }
                });
            });
        })),
        Guarantee::Removal => match make().file() {
            None => unsupported("the lock has no file"),
            Some(file) => verdict(&stress.processes(3).threads(2).sections(300).run(|worker| {
                if worker.number() == 0 || worker.random(8) == 0 {
                    // It is no part of what is watched: whoever comes after the removal need not wait for it.
                    acquire(&make(), &mut || drop(fs::remove_file(&file)));
                } else {
                    acquire(&make(), &mut || worker.section(linger_shortly));
                }
            })),
        },
        Guarantee::Timeout => timeout(&make(), &make()),
        Guarantee::Panic => panic(&make(), &make()),
    }
}

fn unsupported(what: impl Into<String>) -> Verdict {
    Verdict::NotKnown(Unknown::Unsupported(what.into()))
}

/// Waits for the lock; an error is a panic of the worker, which the report tells.
fn acquire(lock: &impl Lock, section: &mut dyn FnMut()) {
    match lock.run(Patience::Forever, section) {
        Ok(Answer::Ran) => {}
        Ok(other) => panic!("an acquire that waits was answered with {other:?}"),
        Err(error) => panic!("the lock failed: {error}"),
    }
}

fn verdict(report: &Report) -> Verdict {
    let verdict = report.verdict();
    if !verdict.is_held() {
        return verdict;
    }
    let count =
        |wanted: fn(&Outcome) -> bool| report.outcomes().iter().filter(|o| wanted(o)).count();
    let hung = count(|outcome| *outcome == Outcome::Hung);
    let failed = count(|outcome| matches!(outcome, Outcome::Panicked | Outcome::Exited(_)));
    if hung > 0 {
        Verdict::Violated(format!(
            "stuck: {hung} of {} processes waited in vain for {} s",
            report.outcomes().len(),
            STUCK.as_secs()
        ))
    } else if failed > 0 {
        Verdict::Violated(format!(
            "acquire or release failed in {failed} processes{}",
            report.errors()
        ))
    } else {
        Verdict::Held
    }
}

fn spin(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::thread::yield_now();
    }
}

fn linger() {
    spin(LINGER);
}

fn linger_shortly() {
    spin(LINGER / 30);
}

/// Lives on until the run is over, whose process is `run`, and not much longer than anybody waits for the lock.
fn survive(run: Pid) -> ! {
    nix::unistd::alarm::set(STUCK.as_secs() as u32 + 1);
    while kill(run, None).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: ends the child, whose part is over.
    unsafe { libc::_exit(0) }
}

fn in_forked_child_until_its_end(parent_meanwhile: impl FnOnce()) {
    // SAFETY: the worker has one thread; what its child does is what is tried.
    if let Ok(ForkResult::Parent { child }) = unsafe { fork() } {
        parent_meanwhile();
        let _ = waitpid(child, None);
    }
}

fn end_if_child_of(holder: Pid) {
    if getpid() != holder {
        // SAFETY: ends the child, whose part is over.
        unsafe { libc::_exit(0) };
    }
}

/// While one lock is held by another thread, a timed wait for it.
fn timeout(holder: &impl Lock, waiter: &impl Lock) -> Verdict {
    const TIME: Duration = Duration::from_millis(20);
    let mut answer = None;
    let mut waited = Duration::ZERO;
    let held = holder.run(Patience::Forever, &mut || {
        std::thread::scope(|scope| {
            let attempt = scope.spawn(|| {
                let asked = Instant::now();
                let answer = waiter.run(Patience::AtMost(TIME), &mut || ());
                (answer.map_err(|error| error.to_string()), asked.elapsed())
            });
            if let Ok((outcome, time)) = attempt.join() {
                answer = Some(outcome);
                waited = time;
            }
        });
    });
    match (held, answer) {
        (Ok(Answer::Ran), Some(Ok(Answer::TimedOut))) if waited < TIME => {
            Verdict::Violated(format!("it came back after {waited:?} of {TIME:?}"))
        }
        (Ok(Answer::Ran), Some(Ok(Answer::TimedOut))) if waited > TIME + STUCK / 5 => {
            Verdict::Violated(format!("it came back after {waited:?}, not {TIME:?}"))
        }
        (Ok(Answer::Ran), Some(Ok(Answer::TimedOut))) => Verdict::Held,
        (Ok(Answer::Ran), Some(Ok(Answer::Ran))) => {
            Verdict::Violated("it was acquired while another thread held it".into())
        }
        (Ok(Answer::Ran), Some(Ok(Answer::Unsupported))) => {
            unsupported("the lock has no timed wait")
        }
        other => Verdict::Violated(format!("unexpected: {other:?}")),
    }
}

fn panic(panicking: &impl Lock, other: &impl Lock) -> Verdict {
    let section = AssertUnwindSafe(|| {
        // No message: the panic is meant.
        let _ = panicking.run(Patience::Forever, &mut || resume_unwind(Box::new("meant")));
    });
    if catch_unwind(section).is_ok() {
        return Verdict::Violated("the panic did not come through".into());
    }
    for lock in [&other as &dyn Lock, &panicking as &dyn Lock] {
        match lock.run(Patience::None, &mut || ()) {
            Ok(Answer::Ran) => {}
            other => return Verdict::Violated(format!("after a panic: {other:?}")),
        }
    }
    Verdict::Held
}

/// Locks behind references take part as well.
impl<L: Lock> Lock for &L {
    fn run(
        &self,
        patience: Patience,
        section: &mut dyn FnMut(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        (**self).run(patience, section)
    }
}
