//! One step of a worker: a command, or the call before which it stands.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::libc;
use nix::unistd::Pid;

use crate::protocol::{Answer, Verb};

use super::super::arch;
use super::super::command::Command;
use super::super::error::ExploreError;
use super::super::schedule::What;
use super::super::syscalls::{Call, Effect, Footprint};
use super::Stage;
use super::actor::{Parked, WorkerState};

/// One that dozes may sleep for so long in real time.
const NAP: Duration = Duration::from_secs(2);

impl Stage<'_> {
    /// What it has said since it was last asked.
    pub fn take_answers(&mut self, number: usize) -> Vec<Answer> {
        std::mem::take(&mut self.actors[number].answers)
    }

    /// What its next step would touch, as far as one can see.
    pub fn next_effect(&self, number: usize) -> Footprint {
        let actor = &self.actors[number];
        match actor.next_call().map(|place| &actor.parked[place]) {
            Some(parked) => {
                let call = parked.call.clone().identified(self.ground.directory());
                Footprint::of(&call, true)
            }
            None => Footprint::of_command(),
        }
    }

    /// Tells a worker to do something, and lets it go on to its first call that matters.
    pub fn tell(&mut self, number: usize, verb: Verb) -> What {
        self.let_poll(number);
        let actor = &mut self.actors[number];
        actor.told = Some(Command::Verb(verb));
        actor.stirs();
        if actor.process.tell(0, verb).is_err() {
            actor.state = WorkerState::Gone;
        }
        self.settle(number, Duration::ZERO);
        What::Told(verb)
    }

    /// Lets a worker leave, up to its first call that matters.
    pub fn dismiss(&mut self, number: usize) -> What {
        self.let_poll(number);
        let actor = &mut self.actors[number];
        actor.told = Some(Command::Leave);
        actor.stirs();
        if !actor.is_zygote() {
            actor.process.end_input();
        } else if actor.process.say("* quit\n").is_err() {
            actor.state = WorkerState::Gone;
        }
        self.settle(number, Duration::ZERO);
        What::Leaves
    }

    /// Tells a worker to do something and waits for its answer, unscheduled.
    pub fn tell_freely(&mut self, number: usize, verb: Verb) -> Result<Answer, ExploreError> {
        self.free = true;
        self.actors[number].told = Some(Command::Verb(verb));
        self.actors[number]
            .process
            .tell(0, verb)
            .map_err(ExploreError::Command)?;
        let done = self.wait_for(number, |actor| actor.told.is_none(), "answered");
        self.free = false;
        done?;
        self.take_answers(number)
            .pop()
            .ok_or(ExploreError::NoAnswer)
    }

    /// Makes the call before which a worker stands, and lets it go on to the next one.
    pub fn perform(&mut self, number: usize) -> What {
        let actor = &mut self.actors[number];
        let next = actor.next_call();
        let Some(parked) = next.and_then(|place| actor.parked.remove(place)) else {
            let dozes = self.actors[number].state == WorkerState::Dozing;
            self.settle(number, if dozes { NAP } else { Duration::ZERO });
            return What::Did {
                call: Call::sleep(0),
                result: 0,
                inode: None,
            };
        };
        // Before it is made: afterwards a name may mean something else.
        let Parked { tid, entry, .. } = parked;
        let call = parked.call.identified(self.ground.directory());
        if call.effect == Effect::Sleep {
            let _ = arch::skip_call(tid);
        }
        if let Some((argument, value)) = call.blocking {
            let _ = arch::set_argument(tid, argument, value);
        }
        let result = self.go_through(tid);
        let waits = match (result, call.blocking) {
            (Some(result), Some((argument, _))) => {
                let waits = [-i64::from(libc::EAGAIN), -i64::from(libc::EACCES)].contains(&result);
                let _ = match waits {
                    true => arch::repeat_call(tid, &entry),
                    false => arch::set_argument(tid, argument, entry.arguments[argument]),
                };
                waits
            }
            _ => false,
        };
        if waits {
            self.actors[number].rests(WorkerState::Blocked);
            self.tracer.resume(tid);
            self.settle(number, Duration::ZERO);
            return What::Waits { call };
        }
        let Some(mut result) = result else {
            if self.tracer.tasks.contains_key(&tid) {
                // The call has begun, and does not come back yet.
                self.actors[number].rests(WorkerState::WaitingElsewhere);
                return What::Waits { call };
            }
            self.settle(number, Duration::ZERO);
            return What::Did {
                call,
                result: 0,
                inode: None,
            };
        };
        if call.effect == Effect::Sleep {
            result = parked.result;
            let _ = arch::set_result(tid, result);
        }
        let inode = inode(tid, &call, result);
        self.tracer.resume(tid);
        self.settle(number, Duration::ZERO);
        What::Did {
            call,
            result,
            inode,
        }
    }
}

/// The file that a call was about.
fn inode(tid: Pid, call: &Call, result: i64) -> Option<u64> {
    let fd = call.descriptor_after(result)?;
    let meta = fs::metadata(format!("/proc/{tid}/fd/{fd}")).ok()?;
    Some(meta.ino())
}
