//! Processes that acquire locks on command.
//!
//! The test program is executed again for one test, whose body becomes such a process. It reads one
//! command a line; each answer is a line with [`MARK`] before it, since the test framework writes
//! to the same output.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::client::{Attempt, ClientError, Coordinator, Guard, Release};
use super::outcome::{Step, deadline, unknown, violated};
use super::sections::Sections;
use super::unix;
use crate::sys;
use crate::testing::lock::WaitLimit;

/// The environment variable with the URL for such a process.
pub(super) const VARIABLE: &str = "LOCKUTILS_COORDINATION_WORKER";
const MARK: &str = "lockutils-answer: ";

/// A process; it is killed when this is dropped.
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Process {
    /// Starts `command`, which serves the URL.
    pub(super) fn start(mut command: Command, url: &str) -> Step<Self> {
        command
            .env(VARIABLE, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return unknown(format!("cannot start a process: {error}")),
        };
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return unknown("a process without pipes");
        };
        let (send, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Some((_, answer)) = line.split_once(MARK) else {
                    continue;
                };
                if send.send(answer.to_owned()).is_err() {
                    return;
                }
            }
        });
        let process = Process {
            child,
            input,
            answers,
        };
        match process.answer()?.as_str() {
            "ready" => Ok(process),
            answer => unknown(format!("a process cannot connect: {answer}")),
        }
    }

    /// Sends a command without waiting for its answer.
    pub(super) fn send(&mut self, command: &str) {
        // A process that has ended is found by its missing answer.
        let _ = writeln!(self.input, "{command}");
    }

    pub(super) fn answer(&self) -> Step<String> {
        match self.answers.recv_timeout(deadline()) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => {
                violated(format!("a process gave no answer within {:?}", deadline()))
            }
            Err(RecvTimeoutError::Disconnected) => violated("a process ended unexpectedly"),
        }
    }

    pub(super) fn answer_so_far(&self) -> Option<String> {
        self.answers.try_recv().ok()
    }

    pub(super) fn ask(&mut self, command: &str) -> Step<String> {
        self.send(command);
        self.answer()
    }

    /// Sends a command; any other answer than `expected` is a violation.
    pub(super) fn expect(&mut self, command: &str, expected: &str, who: &str) -> Step {
        let answer = self.ask(command)?;
        match answer == expected {
            true => Ok(()),
            false => violated(format!(
                "{who} was to answer `{command}` with `{expected}`, and answered `{answer}`"
            )),
        }
    }

    pub(super) fn pause(&self) {
        unix::pause(&self.child);
    }

    pub(super) fn resume(&self) {
        unix::resume(&self.child);
    }

    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Obeys the commands of a trial if this process was started for that, and then ends it.
pub(super) fn serve_if_asked<C: Coordinator>() {
    if let Ok(url) = std::env::var(VARIABLE) {
        serve::<C>(&url);
        sys::exit_now(0);
    }
}

fn serve<C: Coordinator>(url: &str) {
    let mut worker = match C::connect(url) {
        Ok(coordinator) => Worker {
            coordinator,
            held: HashMap::new(),
        },
        Err(error) => return say(&error.to_string()),
    };
    let (send, commands) = channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
        // The trial has ended; a wait for a lock must not outlive it.
        sys::exit_now(0);
    });
    say("ready");
    for line in commands {
        let words: Vec<&str> = line.split(' ').collect();
        say(&worker.obey(&words));
    }
}

fn say(answer: &str) {
    let line = format!("{MARK}{}\n", answer.replace('\n', " "));
    let mut output = std::io::stdout().lock();
    // Without a reader the process ends anyway.
    let _ = output.write_all(line.as_bytes());
    let _ = output.flush();
}

struct Worker<C: Coordinator> {
    coordinator: C,
    held: HashMap<String, C::Guard>,
}

impl<C: Coordinator> Worker<C> {
    fn obey(&mut self, words: &[&str]) -> String {
        let said = match *words {
            ["acquire", name] => self.acquire(name, WaitLimit::AtMost(deadline())),
            ["try", name] => self.acquire(name, WaitLimit::NoWait),
            ["sections", name, file, count, me] => self.sections(name, file, count, me),
            ["token" | "check" | "release" | "fork", name] => match self.held.remove(name) {
                None => Ok("not held".to_owned()),
                Some(guard) => self.use_guard(words[0], name, guard),
            },
            _ => Ok(format!("unknown {words:?}")),
        };
        said.unwrap_or_else(|error| format!("error {error}"))
    }

    fn acquire(&mut self, name: &str, limit: WaitLimit) -> Result<String, ClientError> {
        let answer = match self.coordinator.acquire(name.as_bytes(), limit)? {
            Attempt::Acquired(guard) => {
                self.held.insert(name.to_owned(), guard);
                "acquired"
            }
            Attempt::Busy => "busy",
            Attempt::TimedOut => "timeout",
            Attempt::Unavailable => "unavailable",
        };
        Ok(answer.to_owned())
    }

    fn sections(
        &self,
        name: &str,
        file: &str,
        count: &str,
        me: &str,
    ) -> Result<String, ClientError> {
        let sections = Sections::open(Path::new(file))?;
        let (count, me): (u32, u64) = (count.parse()?, me.parse()?);
        for _ in 0..count {
            let limit = WaitLimit::AtMost(deadline());
            let Attempt::Acquired(guard) = self.coordinator.acquire(name.as_bytes(), limit)? else {
                return Ok("not acquired".to_owned());
            };
            if let Some(other) = sections.enter(me)? {
                return Ok(format!("worker {other} was in the section of worker {me}"));
            }
            guard.release()?;
        }
        Ok("done".to_owned())
    }

    fn use_guard(
        &mut self,
        verb: &str,
        name: &str,
        guard: C::Guard,
    ) -> Result<String, ClientError> {
        let (answer, guard) = match verb {
            "token" => (
                guard.token().map_or("none".into(), |t| t.to_string()),
                guard,
            ),
            "check" => {
                let state = if guard.lost() { "lost" } else { "held" };
                (state.to_owned(), guard)
            }
            "fork" => self.use_in_child(name, guard),
            _ => {
                return Ok(match guard.release()? {
                    Release::InTime => "released".to_owned(),
                    Release::Lost => "lost".to_owned(),
                });
            }
        };
        self.held.insert(name.to_owned(), guard);
        Ok(answer)
    }

    /// Uses the guard and the coordinator in a forked child, in every way.
    fn use_in_child(&self, name: &str, guard: C::Guard) -> (String, C::Guard) {
        let mut guard = Some(guard);
        let ended = unix::in_forked_child(|| {
            let Some(inherited) = guard.take() else {
                return 9;
            };
            if !inherited.lost() {
                return 1;
            }
            let other = format!("{name}-of-a-child");
            let acquired = self
                .coordinator
                .acquire(other.as_bytes(), WaitLimit::NoWait);
            if matches!(acquired, Ok(Attempt::Acquired(_))) {
                return 2;
            }
            drop(inherited);
            u8::from(self.coordinator.flush(Duration::from_millis(200))) * 3
        });
        let answer = match ended {
            Ok(0) => "void".to_owned(),
            Ok(1) => "the child holds its parent's lock".to_owned(),
            Ok(2) => "the child acquired a lock through its parent's connection".to_owned(),
            Ok(3) => "the child's release reached the server".to_owned(),
            Ok(other) => format!("the child ended with {other}"),
            Err(error) => error,
        };
        (answer, guard.expect("only the child took it"))
    }
}
