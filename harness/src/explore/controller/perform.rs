//! One step of a worker: a command, or the call before which it is stopped.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::libc;
use nix::unistd::Pid;

use crate::procfs;
use crate::protocol::{Answer, Capability, Verb};

use super::super::arch;
use super::super::command::Command;
use super::super::error::ExploreError;
use super::super::schedule::Action;
use super::super::syscalls::{Call, Effect, Footprint};
use super::Controller;
use super::backoff::Backoff;
use super::parked::Parked;
use super::settle::QUIET;
use super::worker::WorkerState;

/// Maximum real time for which a dozing worker sleeps.
const NAP: Duration = Duration::from_secs(2);

/// Results of lock calls if the lock is held (flock(2), fcntl(2)).
const HELD: [i64; 2] = [-(libc::EAGAIN as i64), -(libc::EACCES as i64)];

impl Controller<'_> {
    /// Takes the answers since the last time.
    pub fn take_answers(&mut self, number: usize) -> Vec<Answer> {
        std::mem::take(&mut self.workers[number].answers)
    }

    /// The call before which a worker is stopped.
    pub fn next_call(&self, number: usize) -> Option<Call> {
        let worker = &self.workers[number];
        let place = worker.next_call()?;
        Some(worker.parked[place].call.clone())
    }

    /// The footprint of a worker's next step, as far as it is known in advance.
    pub fn next_footprint(&self, number: usize) -> Footprint {
        let worker = &self.workers[number];
        match worker.next_call().map(|place| &worker.parked[place]) {
            Some(_) if !self.identifies_files => Footprint::of_command(),
            Some(parked) => {
                let call = parked.call.clone();
                Footprint::of(&call.identified(self.files.directory()), true)
            }
            None => Footprint::of_command(),
        }
    }

    /// Sends a command to a worker, and lets it run to its first call that matters.
    pub fn give(&mut self, number: usize, command: Command) -> Action {
        self.begin_held_waits(number);
        self.let_others_sleep(number);
        let worker = &mut self.workers[number];
        worker.background.begins_command();
        worker.command = Some(command);
        worker.stir();
        let written = match command {
            Command::Verb(verb) => worker.process.send(0, verb),
            Command::Leave if worker.capabilities.has(Capability::Zygote) => {
                worker.process.write_line("* quit\n")
            }
            Command::Leave => {
                // A later copy would have no input.
                worker.template = None;
                worker.process.end_input();
                Ok(())
            }
        };
        if written.is_err() {
            worker.state = WorkerState::Gone;
        }
        self.settle(number, Duration::ZERO);
        Action::Commanded(command)
    }

    /// Sends a command to a worker and waits for its answer, without any steps.
    pub fn run_command(&mut self, number: usize, verb: Verb) -> Result<Answer, ExploreError> {
        self.unscheduled = true;
        let worker = &mut self.workers[number];
        worker.command = Some(Command::Verb(verb));
        let written = worker.process.send(0, verb);
        written.map_err(ExploreError::Command)?;
        let done = self.wait_for(number, |worker| worker.command.is_none(), "answered");
        self.unscheduled = false;
        done?;
        let mut answers = self.take_answers(number);
        answers.pop().ok_or(ExploreError::NoAnswer)
    }

    /// Makes the call before which a worker is stopped, and lets it run to the next one.
    pub fn perform(&mut self, number: usize) -> Action {
        let is_on_server = self.uses_servers();
        let worker = &mut self.workers[number];
        let next = worker.next_call();
        let Some(parked) = next.and_then(|place| worker.parked.remove(place)) else {
            let within = match worker.state {
                WorkerState::Dozing if worker.waits_for_a_server(NAP) && is_on_server => {
                    Duration::ZERO
                }
                WorkerState::Dozing => NAP,
                _ => Duration::ZERO,
            };
            self.settle(number, within);
            return Action::called(Call::sleep(0), 0);
        };
        let Parked { tid, entry, .. } = parked;
        // Resolved before the call is made: afterwards a name may refer to another file.
        let mut call = match self.identifies_files {
            true => parked.call.identified(self.files.directory()),
            false => parked.call,
        };
        if call.effect == Effect::Sleep {
            let _ = arch::answer_call(tid, parked.result);
            self.tracer.resume(tid);
            self.settle(number, Duration::ZERO);
            return Action::called(call, parked.result);
        }
        let connection = self.before_request(tid, &call);
        if let Some((argument, value)) = call.blocking {
            let _ = arch::set_argument(tid, argument, value);
        }
        let result = self.make_call(tid);
        if let Some((argument, _)) = call.blocking
            && let Some(result) = result
        {
            if HELD.contains(&result) {
                let _ = arch::repeat_call(tid, &entry);
                self.workers[number].come_to_rest(WorkerState::Blocked);
                self.tracer.resume(tid);
                self.settle(number, Duration::ZERO);
                return Action::Blocked { call };
            }
            let _ = arch::set_argument(tid, argument, entry.arguments[argument]);
        }
        let Some(result) = result else {
            if self.tracer.tasks.contains_key(&tid) {
                // The call has begun and has not returned yet.
                self.workers[number].come_to_rest(WorkerState::WaitingElsewhere);
                return Action::Blocked { call };
            }
            self.settle(number, Duration::ZERO);
            return Action::called(call, 0);
        };
        let identified = self.identifies_files.then_some(());
        let inode = identified.and_then(|()| inode(tid, &call, result));
        self.after_request(number, tid, &mut call, connection, result);
        self.tracer.resume(tid);
        self.settle(number, Duration::ZERO);
        self.send_the_rest(number, tid, &mut call);
        Action::Called {
            call,
            result,
            inode,
        }
    }

    /// Lets a task make the call before which it is stopped. Returns the result, or `None` if the
    /// task ends or the call does not return.
    pub(super) fn make_call(&mut self, tid: Pid) -> Option<i64> {
        self.performing = Some(tid);
        self.result = None;
        self.tracer.resume_through(tid);
        let began = Instant::now();
        let mut backoff = Backoff::new();
        while self.result.is_none() && self.performing.is_some() {
            if self.pump() {
                continue;
            }
            self.tracer.wait(backoff.next());
            if began.elapsed() > QUIET && procfs::state(tid) == Some('S') {
                break;
            }
        }
        self.performing = None;
        self.result.take()
    }
}

/// The inode of the file that a completed call operated on.
fn inode(tid: Pid, call: &Call, result: i64) -> Option<u64> {
    let fd = call.descriptor_after(result)?;
    let meta = procfs::descriptor_metadata(tid, fd).ok()?;
    Some(meta.ino())
}
