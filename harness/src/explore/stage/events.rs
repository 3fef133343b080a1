//! What happens to the tasks of workers, one stop after the other.

use nix::unistd::Pid;

use crate::protocol::{Answer, Line};

use super::super::command::Command;
use super::super::entry::Entry;
use super::super::syscalls::{self, Call, SystemCall, Wait};
use super::super::tracer::Stop;
use super::Stage;
use super::actor::{Parked, Polling, WorkerState};

impl Stage<'_> {
    /// Handles one stop, if there is one.
    pub(super) fn pump(&mut self) -> bool {
        let Some((tid, stop)) = self.tracer.poll() else {
            return false;
        };
        let Some(&number) = self.tracer.tasks.get(&tid) else {
            self.after_the_end_of(tid);
            return true;
        };
        let actor = &mut self.actors[number];
        actor.stops += u64::from(!actor.helpers.contains(&tid));
        match stop {
            Stop::Enter(entry) => self.enters(tid, number, &entry),
            Stop::Leave { result } if self.performing == Some(tid) => self.result = Some(result),
            Stop::Leave { .. } => {
                self.hear(number);
                self.tracer.resume(tid);
            }
            Stop::Started(child) => {
                self.tracer.adopt(child, number);
                let actor = &mut self.actors[number];
                if actor.zygote.contains(&tid) {
                    match syscalls::is_first_thread(child) {
                        true => actor.main = Some(child),
                        false => drop(actor.zygote.insert(child)),
                    }
                }
                self.tracer.resume(tid);
            }
            Stop::New | Stop::Other if self.performing == Some(tid) => {
                self.tracer.resume_through(tid);
            }
            Stop::New | Stop::Other => self.tracer.resume(tid),
            Stop::Gone => {}
        }
        true
    }

    fn enters(&mut self, tid: Pid, number: usize, entry: &Entry) {
        let actor = &mut self.actors[number];
        let call = SystemCall::find(entry.number);
        if let Some(call) = call
            && !self.free
            && !actor.zygote.contains(&tid)
        {
            // A runtime's own thread, of which the lock knows nothing: as a step, each of its sleeps would make every schedule another one.
            if !actor.took_part.contains(&tid) && syscalls::is_helper_nap(tid, call, entry) {
                actor.helpers.insert(tid);
                self.tracer.resume(tid);
                return;
            }
            match syscalls::wait(tid, call, entry) {
                Some(Wait::Sleep { result }) => {
                    actor.takes_part(tid);
                    actor.parked.push_back(Parked {
                        tid,
                        entry: *entry,
                        call: Call::sleep(entry.number),
                        result,
                    });
                    return;
                }
                // One that has nothing to do may listen for commands, and a runtime's own threads wait for one another.
                Some(wait)
                    if actor.told.is_some()
                        && (matches!(wait, Wait::Poll { .. })
                            || actor.took_part.contains(&tid)) =>
                {
                    actor.helpers.remove(&tid);
                    actor.stirs();
                    actor.polling.push(Polling {
                        tid,
                        entry: *entry,
                        wait,
                        limit: syscalls::limit(tid, entry, wait),
                        idle: false,
                    });
                    return;
                }
                _ => {}
            }
            if call.is_scheduling_point()
                && let Some(call) = syscalls::decode(tid, call, entry, &mut self.ground)
            {
                actor.takes_part(tid);
                actor.parked.push_back(Parked {
                    tid,
                    entry: *entry,
                    call,
                    result: 0,
                });
                return;
            }
        }
        if !actor.helpers.contains(&tid) {
            actor.stirs();
        }
        match call.is_some_and(|call| call.answers) {
            // It may be an answer.
            true => self.tracer.resume_through(tid),
            false => self.tracer.resume(tid),
        }
    }

    fn after_the_end_of(&mut self, tid: Pid) {
        if self.performing == Some(tid) {
            self.performing = None;
        }
        for actor in &mut self.actors {
            actor.parked.retain(|parked| parked.tid != tid);
            actor.polling.retain(|polling| polling.tid != tid);
            actor.took_part.remove(&tid);
            actor.helpers.remove(&tid);
            if actor.main == Some(tid) && self.free && actor.is_zygote() && actor.readies == 0 {
                // A zygote may start others before the one that is to work.
                actor.main = None;
            } else if actor.main == Some(tid) {
                actor.state = WorkerState::Gone;
                actor.told = actor.told.filter(|told| *told != Command::Leave);
            }
            if actor.process.pid() == tid {
                actor.process.was_reaped();
            }
        }
    }

    pub(super) fn hear(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        let mut lines = Vec::new();
        actor.process.lines(&mut lines);
        for line in lines {
            match line {
                Line::Ready(..) => actor.readies += 1,
                Line::Answer(0, answer) => {
                    if !matches!(answer, Answer::Lost(_)) {
                        actor.told = None;
                        actor.stirs();
                    }
                    actor.answers.push(answer);
                }
                Line::Answer(slot, answer) => {
                    actor.misspoke = Some(format!("{slot} {answer}"));
                }
                Line::Garbage(line) => actor.misspoke = Some(line),
            }
        }
    }
}
