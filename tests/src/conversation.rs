//! A child process that reads one command a line and answers with one line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::until::{deadline, until};

/// The child process; it is killed and reaped when this is dropped.
#[derive(Debug)]
pub struct Conversation {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Conversation {
    /// Starts `command`.
    ///
    /// # Panics
    /// Panics if it cannot be started.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (send, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Conversation {
            input: child.stdin.take().expect("piped"),
            answers,
            child,
        }
    }

    /// The process id of the child.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Sends a command without waiting for the answer.
    pub fn send(&mut self, command: &str) {
        writeln!(self.input, "{command}").expect("the child listens");
    }

    /// The next answer.
    ///
    /// # Panics
    /// Panics if there is none before the deadline.
    #[track_caller]
    pub fn answer(&self) -> String {
        match self.answers.recv_timeout(deadline()) {
            Ok(answer) => answer,
            Err(error) => panic!("process {} gave no answer: {error}", self.pid()),
        }
    }

    /// The next answer, if it has arrived.
    pub fn answer_so_far(&self) -> Option<String> {
        self.answers.try_recv().ok()
    }

    /// Sends a command and waits for its answer.
    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        self.send(command);
        self.answer()
    }

    /// Returns once a thread of the child sleeps in fcntl(2), waiting for a file lock.
    #[track_caller]
    pub fn wait_until_it_waits(&self) {
        let tasks = format!("/proc/{}/task", self.pid());
        let fcntl = format!("{} ", nix::libc::SYS_fcntl);
        until("the child waits for a lock in the kernel", || {
            std::fs::read_dir(&tasks)
                .ok()?
                .flatten()
                .any(|task| {
                    std::fs::read_to_string(task.path().join("syscall"))
                        .is_ok_and(|call| call.starts_with(&fcntl))
                })
                .then_some(())
        });
    }

    /// Returns `true` if the child has neither ended nor died.
    pub fn lives(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the child is there");
    }

    /// Kills and reaps the child.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.kill();
    }
}
