//! Handles the stops of tasks, one after the other.

use std::time::Instant;

use nix::unistd::Pid;

use crate::procfs;
use crate::protocol::{Answer, Line};

use super::super::command::Command;
use super::super::entry::Entry;
use super::super::syscalls::{self, Call, Operation, SystemCall, Wait};
use super::super::tracer::Stop;
use super::Controller;
use super::parked::Parked;
use super::worker::{HeldWait, WorkerState};

impl Controller<'_> {
    /// Handles one stop, if there is one.
    pub(super) fn pump(&mut self) -> bool {
        let Some((tid, stop)) = self.tracer.poll() else {
            return false;
        };
        let Some(&number) = self.tracer.tasks.get(&tid) else {
            self.task_ended(tid);
            return true;
        };
        let worker = &mut self.workers[number];
        worker.stops += u64::from(!worker.helpers.contains(&tid));
        match stop {
            Stop::Enter(entry) => self.task_enters(tid, number, &entry),
            Stop::Leave { result } if self.performing == Some(tid) => self.result = Some(result),
            Stop::Leave { .. } => {
                self.read_answers(number);
                self.tracer.resume(tid);
            }
            Stop::Started(child) => {
                self.tracer.adopt(child, number);
                let worker = &mut self.workers[number];
                if worker.zygote.contains(&tid) {
                    match syscalls::is_first_thread(child) {
                        true => worker.main = Some(child),
                        false => drop(worker.zygote.insert(child)),
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

    fn task_enters(&mut self, tid: Pid, number: usize, entry: &Entry) {
        // What it had written before this call can be read now.
        if std::mem::take(&mut self.workers[number].may_have_answered) {
            self.read_answers(number);
        }
        let system_call = SystemCall::find(entry.number);
        if let Some(system_call) = system_call
            && !self.unscheduled
            && !self.workers[number].zygote.contains(&tid)
            && self.task_is_scheduled(tid, number, system_call, entry)
        {
            return;
        }
        let worker = &mut self.workers[number];
        if !worker.helpers.contains(&tid) {
            worker.stir();
        }
        worker.may_have_answered |= system_call.is_some_and(|call| call.answers);
        self.tracer.resume(tid);
    }

    /// Decides whether this call is a step or a wait that must be held, and if so keeps the task
    /// stopped before it. Returns `false` if the call continues like any other.
    fn task_is_scheduled(
        &mut self,
        tid: Pid,
        number: usize,
        system_call: &SystemCall,
        entry: &Entry,
    ) -> bool {
        let is_answered = self.has_answer(tid, number);
        let worker = &mut self.workers[number];
        // If naps of a runtime's own threads were steps, every schedule would be different.
        if !worker.participants.contains(&tid) && syscalls::is_helper_nap(tid, system_call, entry) {
            worker.helpers.insert(tid);
            self.tracer.resume(tid);
            return true;
        }
        let wait = syscalls::wait(tid, system_call, entry);
        let is_own = worker.background.contains(tid);
        if let Some(wait) = wait {
            let limit = syscalls::limit(tid, entry, wait);
            let limit = (!matches!(wait, Wait::Sleep { .. })).then_some(limit);
            worker.background.waits(tid, limit, Instant::now());
        }
        match wait {
            Some(_) if is_own => {}
            Some(Wait::Sleep { result }) => {
                worker.park(tid, entry, Call::sleep(entry.number), result);
                return true;
            }
            // A worker without a command may be waiting for one, and threads of a runtime for each
            // other.
            Some(Wait::Poll { .. }) if is_answered => {}
            Some(wait)
                if worker.command.is_some()
                    && (matches!(wait, Wait::Poll { .. })
                        || worker.participants.contains(&tid)) =>
            {
                worker.helpers.remove(&tid);
                worker.stir();
                worker.held_waits.push(HeldWait {
                    tid,
                    entry: *entry,
                    wait,
                    limit: syscalls::limit(tid, entry, wait),
                    idle: false,
                });
                return true;
            }
            _ => {}
        }
        let identify = self.identifies_files;
        let on_files = match system_call.is_scheduling_point() {
            true => syscalls::decode(tid, system_call, entry, &mut self.files, identify),
            false => None,
        };
        let Some(call) = on_files.or_else(|| self.request(tid, system_call, entry)) else {
            return false;
        };
        if self.acts_by_itself(tid, number, &call) {
            let entry = *entry;
            let result = 0;
            self.hold_own_request(
                number,
                Parked {
                    tid,
                    entry,
                    call,
                    result,
                },
            );
            return true;
        }
        self.workers[number].park(tid, entry, call, 0);
        true
    }

    /// Returns `true` if the call is a request that no command has caused.
    fn acts_by_itself(&mut self, tid: Pid, number: usize, call: &Call) -> bool {
        if call.operation != Operation::Request {
            return false;
        }
        let worker = &mut self.workers[number];
        let connection = call.fd.and_then(|fd| connection(tid, fd));
        let obeys = worker.command.is_some();
        connection.is_some_and(|connection| {
            let background = &mut worker.background;
            // The first thread of a process is where commands are read, as a rule.
            match syscalls::is_first_thread(tid) {
                true => {
                    background.obeys(tid, connection);
                    false
                }
                false => background.requests(tid, connection, obeys, Instant::now()),
            }
        })
    }

    fn task_ended(&mut self, tid: Pid) {
        for number in 0..self.workers.len() {
            if std::mem::take(&mut self.workers[number].may_have_answered) {
                self.read_answers(number);
            }
        }
        if self.performing == Some(tid) {
            self.performing = None;
        }
        for worker in &mut self.workers {
            worker.parked.retain(|parked| parked.tid != tid);
            worker.held_waits.retain(|wait| wait.tid != tid);
            worker.unanswered.retain(|one| one.tid != tid);
            worker.participants.remove(&tid);
            worker.helpers.remove(&tid);
            worker.background.forget(tid);
            let forks = self.unscheduled && worker.is_zygote() && worker.readies == 0;
            if worker.main == Some(tid) && forks {
                // A zygote may start other processes before the one that takes the lock.
                worker.main = None;
            } else if worker.main == Some(tid) {
                worker.state = WorkerState::Gone;
                worker.command = worker.command.filter(|it| *it != Command::Leave);
            }
            if worker.process.pid() == tid {
                worker.process.mark_reaped();
            }
        }
    }

    /// Reads what a worker has written since the last call.
    pub(super) fn read_answers(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        let mut lines = Vec::new();
        worker.process.lines(&mut lines);
        for line in lines {
            match line {
                Line::Ready(..) => worker.readies += 1,
                Line::Answer(0, answer) => {
                    if !matches!(answer, Answer::Lost(_)) {
                        worker.command = None;
                        worker.stir();
                    }
                    worker.answers.push(answer);
                }
                Line::Answer(slot, answer) => worker.garbage = Some(format!("{slot} {answer}")),
                Line::Garbage(line) => worker.garbage = Some(line),
            }
        }
    }
}

/// The inode of a socket.
fn connection(tid: Pid, fd: i32) -> Option<u64> {
    procfs::socket_inode(&procfs::descriptor_target(tid, fd).ok()?)
}
