//! The wrapper of a worker, which may be killed while its command goes on.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::model::Capability;
use crate::procfs;
use crate::protocol::Verb;
use crate::workers::names;

use super::backoff::Backoff;
use super::{Command, Controller, HANGS};

/// Time within which a command ends that ends with its wrapper.
const ENDS_AS_WELL: Duration = Duration::from_millis(20);

impl Controller<'_> {
    /// The process of the wrapper: the child of the worker, unless it has become the command.
    pub fn wrapper(&self, number: usize) -> Option<Pid> {
        let worker = &self.workers[number];
        if !worker.capabilities.has(Capability::Wrapper) {
            return None;
        }
        let mut children = procfs::children_of(worker.main?);
        children.find(|&child| procfs::lives(child) && !is_command(child))
    }

    /// Kills the wrapper of a worker, and lets the worker learn of it. Returns `false` if it does
    /// not end in time.
    pub fn kill_wrapper(&mut self, number: usize) -> bool {
        let Some(wrapper) = self.wrapper(number) else {
            return false;
        };
        let threads = procfs::threads(wrapper).into_iter().flatten();
        let threads: Vec<Pid> = threads.map(|thread| thread.id()).collect();
        let _ = kill(wrapper, Signal::SIGKILL);
        let deadline = Instant::now() + HANGS;
        let mut backoff = Backoff::new();
        while threads
            .iter()
            .any(|tid| self.tracer.tasks.contains_key(tid))
        {
            if self.pump() {
                continue;
            }
            if Instant::now() > deadline {
                return false;
            }
            self.tracer.wait(backoff.next());
        }
        self.reap_wrapper(number);
        true
    }

    /// Lets a worker reap its wrapper. In the section it does so only on command.
    fn reap_wrapper(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        if worker.command.is_none() {
            worker.command = Some(Command::Verb(Verb::KillWrapper));
            let written = worker.process.send(0, Verb::KillWrapper);
            let is_done = |worker: &super::Worker| worker.command.is_none();
            if written.is_ok() {
                let _ = self.wait_for(number, is_done, "answered");
            }
            // Whatever it answers: its wrapper was dead already.
            self.workers[number].command = None;
            self.workers[number].answers.clear();
        }
        self.workers[number].stir();
        self.settle(number, Duration::ZERO);
    }

    /// Returns `true` if the command of a worker whose wrapper was killed is still there.
    pub fn command_lives(&mut self, number: usize) -> bool {
        let until = Instant::now() + ENDS_AS_WELL;
        while Instant::now() < until {
            while self.pump() {}
            self.tracer.wait(Duration::from_millis(1));
        }
        let worker = &self.workers[number];
        let of_the_worker = |process| Some(process) == worker.main;
        // Neither the zygote nor the worker, which may have several threads, is the command.
        let tasks = self.tracer.tasks_of(number);
        let mut others = tasks
            .filter(|tid| !worker.zygote.contains(tid))
            .filter_map(procfs::Status::of);
        others.any(|task| !of_the_worker(task.process) && procfs::lives(task.process))
    }
}

/// Returns `true` for the process of a command under a lock, which is called by a name of its own.
/// The kernel keeps 15 bytes of it.
fn is_command(process: Pid) -> bool {
    let name = procfs::name(process);
    name.len() == 15 && names::NAME.as_bytes().starts_with(&name)
}
