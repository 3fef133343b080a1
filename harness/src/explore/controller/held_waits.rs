//! Waits with a time limit. A task is held before its wait until the wait would be over, or until
//! the worker is scheduled to continue.

use std::time::Instant;

use nix::libc;
use nix::unistd::Pid;

use super::super::arch;
use super::super::syscalls::{self, Limit, Wait};
use super::backoff::Backoff;
use super::worker::{HeldWait, WorkerState};
use super::{Controller, HANGS};

impl Controller<'_> {
    /// Tries each held wait of a worker, and lets the first one continue that would be over at
    /// once. Returns `true` if this moved a task.
    pub(super) fn try_held_waits(&mut self, number: usize) -> bool {
        for place in 0..self.workers[number].held_waits.len() {
            let held = self.workers[number].held_waits[place];
            if held.idle {
                continue;
            }
            let Wait::Poll { limit } = held.wait else {
                if held.wait.is_over(held.tid) {
                    self.workers[number].held_waits.remove(place);
                    self.tracer.resume(held.tid);
                    return true;
                }
                self.workers[number].held_waits[place].idle = true;
                continue;
            };
            // The same call, with a time limit of zero.
            let (argument, zero) = match limit {
                Limit::Milliseconds(argument) => (argument, Ok(0)),
                Limit::Pointer(argument) | Limit::PointerInPoll(argument) => {
                    (argument, zero_time(held.tid))
                }
            };
            if zero
                .and_then(|zero| arch::set_argument(held.tid, argument, zero))
                .is_err()
            {
                continue;
            }
            let Some(result) = self.make_call(held.tid) else {
                let waits = &mut self.workers[number].held_waits;
                waits.retain(|one| one.tid != held.tid);
                return true;
            };
            if result != 0 {
                self.workers[number].held_waits.remove(place);
                let limit = held.entry.arguments[argument];
                let _ = arch::set_argument(held.tid, argument, limit);
                self.tracer.resume(held.tid);
                return true;
            }
            return self.hold_again(number, place, &held);
        }
        false
    }

    /// Brings a task whose wait is not over back to the same call. For the other tasks nothing has
    /// changed.
    fn hold_again(&mut self, number: usize, place: usize, held: &HeldWait) -> bool {
        let _ = arch::repeat_call(held.tid, &held.entry);
        let others: Vec<Pid> = self.workers[number]
            .held_waits
            .iter()
            .filter(|one| one.idle)
            .map(|one| one.tid)
            .collect();
        self.tracer.resume(held.tid);
        self.workers[number].held_waits.remove(place);
        let deadline = Instant::now() + HANGS;
        let is_held = |controller: &Self| {
            let mut waits = controller.workers[number].held_waits.iter();
            waits.any(|one| one.tid == held.tid)
        };
        let mut backoff = Backoff::new();
        while !is_held(self) && self.tracer.tasks.contains_key(&held.tid) {
            if !self.pump() {
                self.tracer.wait(backoff.next());
            }
            if Instant::now() > deadline {
                return true;
            }
        }
        for one in &mut self.workers[number].held_waits {
            one.idle |= one.tid == held.tid || others.contains(&one.tid);
        }
        !self.workers[number].held_waits.iter().all(|one| one.idle)
    }

    /// Starts the held waits of a worker in real time.
    pub(super) fn begin_held_waits(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        let waits = std::mem::take(&mut worker.held_waits);
        worker.wakes_at = waits.iter().map(|one| Instant::now() + one.limit).min();
        if worker.state == WorkerState::Dozing {
            worker.state = WorkerState::Active;
        }
        for one in waits {
            self.tracer.resume(one.tid);
        }
    }
}

/// The address of a `struct timespec` of zero in the memory of a task that stands before a call.
fn zero_time(tid: Pid) -> nix::Result<u64> {
    let zero = [0; size_of::<libc::timespec>()];
    let address = arch::scratch(tid, zero.len())?;
    syscalls::write(tid, address, &zero)?;
    Ok(address)
}
