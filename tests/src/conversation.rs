//! A child process that reads a command a line and answers with a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::until::{deadline, until};

/// Such a child; it is killed and reaped when this is dropped.
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
    /// If it cannot be started.
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

    /// The child.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Says a command without waiting for the answer.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").expect("the child listens");
    }

    /// The next answer.
    ///
    /// # Panics
    /// If there is none before the deadline.
    #[track_caller]
    pub fn answer(&self) -> String {
        match self.answers.recv_timeout(deadline()) {
            Ok(answer) => answer,
            Err(error) => panic!("process {} gave no answer: {error}", self.pid()),
        }
    }

    /// The next answer, if it is there already.
    pub fn answer_so_far(&self) -> Option<String> {
        self.answers.try_recv().ok()
    }

    /// Says a command and waits for its answer.
    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.answer()
    }

    /// Returns once a thread of the child sleeps in fcntl(2): it waits for a file lock in the kernel.
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

    /// Whether it has not ended, nor died.
    pub fn lives(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the child is there");
    }

    /// Kills and reaps it.
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
