//! A process that acquires locks of a coordinator on command, one command a line; the URL is its
//! argument. With the second argument `events-only`, waits of the engine `redis` do not poll.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use lockutils_tests::sections::Sections;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use oslo_coordination::{Coordinator, Error, Guard};

fn main() {
    // A killed test leaves no process behind that waits for a lock forever.
    set_pdeathsig(Signal::SIGKILL).expect("a signal for our parent's end");
    let url = std::env::args().nth(1).expect("a URL");
    if std::env::args().nth(2).as_deref() == Some("events-only") {
        oslo_coordination::__private::pause_redis_polls(Duration::MAX);
    }
    let mut worker = Worker {
        coordinator: Coordinator::connect(&url).expect("a server"),
        held: HashMap::new(),
    };
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { return };
        let words: Vec<&str> = line.split(' ').collect();
        println!("{}", worker.obey(&words));
    }
}

struct Worker {
    coordinator: Coordinator,
    held: HashMap<String, Guard>,
}

impl Worker {
    fn obey(&mut self, words: &[&str]) -> String {
        match *words {
            ["acquire", name] => {
                let acquired = self.coordinator.lock(name).acquire();
                self.keep(name, acquired)
            }
            ["try", name] => {
                let acquired = self.coordinator.lock(name).try_acquire();
                self.keep(name, acquired)
            }
            ["token", name] => format!("{:?}", self.held[name].token()),
            ["check", name] => outcome("held", &self.held[name].check()),
            ["release", name] => match self.held.remove(name) {
                Some(guard) => outcome("released", &guard.release()),
                None => "not held".to_owned(),
            },
            ["sections", name, file, count, me] => {
                let sections = Sections::open(Path::new(file)).expect("a file");
                let (count, me) = (count.parse().expect("a number"), me.parse().expect("one"));
                for _ in 0..count {
                    let passed = self.coordinator.lock(name).run(|| sections.enter(me));
                    if let Err(error) = passed {
                        return outcome("", &Err::<(), _>(error));
                    }
                }
                "done".to_owned()
            }
            ["turns", name, count, hold_ms] => {
                let hold = Duration::from_millis(hold_ms.parse().expect("milliseconds"));
                self.turns(name, count.parse().expect("a number"), hold)
            }
            ["fork-and-use", name] => self.fork_and_use(name),
            _ => format!("unknown {words:?}"),
        }
    }

    fn keep(&mut self, name: &str, acquired: Result<Guard, Error>) -> String {
        let answer = outcome("acquired", &acquired);
        if let Ok(guard) = acquired {
            self.held.insert(name.to_owned(), guard);
        }
        answer
    }

    /// Holds a lock again and again. Returns when it was acquired and before it was released, in
    /// nanoseconds of CLOCK_MONOTONIC.
    fn turns(&self, name: &str, count: usize, hold: Duration) -> String {
        let now = || {
            let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
            Duration::from(now.expect("a clock")).as_nanos()
        };
        let turn = |_| {
            let guard = self.coordinator.lock(name).acquire()?;
            let acquired = now();
            std::thread::sleep(hold);
            let times = format!("{acquired}-{}", now());
            guard.release()?;
            Ok(times)
        };
        match (0..count).map(turn).collect::<Result<Vec<String>, Error>>() {
            Ok(times) => times.join(" "),
            Err(error) => outcome("", &Err::<(), _>(error)),
        }
    }

    /// Uses the parent's guard and coordinator in a forked child, in every way.
    fn fork_and_use(&mut self, name: &str) -> String {
        let guard = self.held.remove(name).expect("a held lock");
        // SAFETY: the child makes no allocation that the parent's thread could have locked: glibc
        // resets its allocator at fork.
        match unsafe { fork() }.expect("a child") {
            ForkResult::Child => {
                let void = guard.lost() && matches!(guard.check(), Err(Error::Forked { .. }));
                let refused = matches!(
                    self.coordinator.lock("other").try_acquire(),
                    Err(Error::Forked { .. })
                );
                drop(guard);
                let flushed = self.coordinator.flush(Duration::from_secs(1));
                // SAFETY: it ends the process.
                unsafe { nix::libc::_exit(i32::from(!void || !refused || flushed)) }
            }
            ForkResult::Parent { child } => {
                let ended = format!("{:?}", waitpid(child, None).expect("its end"));
                self.held.insert(name.to_owned(), guard);
                ended
            }
        }
    }
}

fn outcome<T>(success: &str, result: &Result<T, Error>) -> String {
    match result {
        Ok(_) => success.to_owned(),
        Err(Error::NotAcquired { .. }) => "busy".to_owned(),
        Err(Error::Timeout { .. }) => "timeout".to_owned(),
        Err(Error::Lost { .. }) => "lost".to_owned(),
        Err(error) => format!("error {error}"),
    }
}
