//! Whether anything still moves in a worker.

use std::fs;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::procfs;

use super::super::arch;
use super::super::syscalls::Wait;
use super::actor::WorkerState;
use super::{HANGS, Stage};

/// If all tasks of a worker have slept for so long, it waits for something that is not watched; an answer from a server takes less.
const QUIET: Duration = Duration::from_millis(6);
/// A helper may be about to wake another task, after its own sleep.
const QUIET_BESIDE_HELPERS: Duration = Duration::from_millis(15);
/// How long to wait for a stop before one looks whether there can be any; longer and longer, since other threads may have taken the signal
/// that would wake us.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(1);

/// Longer each time.
#[derive(Debug)]
pub(super) struct Patience(Duration);

impl Patience {
    pub fn new() -> Self {
        Patience(SHORTEST)
    }

    pub fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (2 * now).min(LONGEST);
        now
    }
}

/// The state and the switches of each task.
type Scan = Vec<(Pid, char, u64)>;

fn moves(scan: &Scan) -> bool {
    scan.iter().any(|(_, state, _)| matches!(state, 'R' | 'D'))
}

impl Stage<'_> {
    /// Waits until a worker stands before a call that matters, has answered, is gone, dozes, or waits for something else. One that is to
    /// wake up goes on through waits, for so long.
    pub(super) fn settle(&mut self, number: usize, wakes_for: Duration) {
        let began = Instant::now();
        let mut patience = Patience::new();
        let mut quiet_since: Option<(Instant, Scan)> = None;
        if !wakes_for.is_zero() {
            self.let_poll(number);
        }
        loop {
            let actor = &self.actors[number];
            if actor.told.is_none() {
                // It is to hear the next command.
                self.let_poll(number);
                self.let_tidy_up(number);
                return;
            }
            if !actor.parked.is_empty() || actor.state == WorkerState::Gone {
                return;
            }
            let stops = self.actors[number].stops;
            while self.pump() {}
            if self.actors[number].stops == stops {
                self.tracer.wait(patience.next());
                while self.pump() {}
            }
            if self.actors[number].stops != stops {
                quiet_since = None;
                patience = Patience::new();
                continue;
            }
            let polls = !self.actors[number].polling.is_empty();
            self.hear(number);
            let scan = self.scan(number);
            let moves = moves(&scan);
            match &quiet_since {
                Some((since, before)) if !moves && *before == scan => {
                    if polls && self.try_polling(number) {
                        quiet_since = None;
                        continue;
                    }
                    if polls && began.elapsed() < wakes_for {
                        self.let_poll(number);
                        continue;
                    }
                    if polls {
                        self.actors[number].rests(WorkerState::Dozing);
                        return;
                    }
                    let quiet = match self.actors[number].helpers.is_empty() {
                        true => QUIET,
                        false => QUIET_BESIDE_HELPERS,
                    };
                    if since.elapsed() > quiet && began.elapsed() >= wakes_for {
                        self.actors[number].rests(WorkerState::WaitingElsewhere);
                        return;
                    }
                }
                _ if moves => quiet_since = None,
                _ => quiet_since = Some((Instant::now(), scan)),
            }
            if began.elapsed() > HANGS || self.is_interrupted() {
                self.let_poll(number);
                self.actors[number].rests(match moves {
                    true => WorkerState::Computing,
                    false => WorkerState::WaitingElsewhere,
                });
                return;
            }
        }
    }

    /// Another thread of a worker that has answered may still do something, as closing a file.
    fn let_tidy_up(&mut self, number: usize) {
        if self.tracer.tasks_of(number).count() <= 1 + self.actors[number].zygote.len() {
            return;
        }
        let deadline = Instant::now() + QUIET;
        let mut before = Scan::new();
        while Instant::now() < deadline && self.actors[number].parked.is_empty() {
            self.tracer.wait(SHORTEST);
            while self.pump() {}
            let scan = self.scan(number);
            if scan == before && !moves(&scan) {
                return;
            }
            before = scan;
        }
    }

    /// All tasks of a worker that are not kept from going on.
    fn scan(&self, number: usize) -> Scan {
        let actor = &self.actors[number];
        let mut scan: Scan = self
            .tracer
            .tasks_of(number)
            .filter(|tid| {
                !self.tracer.in_vfork.contains(tid)
                    && !actor.helpers.contains(tid)
                    && actor.polling.iter().all(|polling| polling.tid != *tid)
            })
            .filter_map(|tid| {
                let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
                let field = |name: &str| {
                    status
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::trim)
                };
                let switches = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"]
                    .iter()
                    .filter_map(|name| field(name)?.parse::<u64>().ok())
                    .sum();
                Some((tid, field("State:")?.chars().next()?, switches))
            })
            .collect();
        scan.sort_unstable();
        scan
    }

    /// Asks for each wait of the worker whether there is something to be heard already, and lets it go on then.
    fn try_polling(&mut self, number: usize) -> bool {
        for place in 0..self.actors[number].polling.len() {
            let polling = self.actors[number].polling[place];
            if polling.idle {
                continue;
            }
            let Wait::Poll { argument } = polling.wait else {
                if polling.wait.is_over(polling.tid) {
                    self.actors[number].polling.remove(place);
                    self.tracer.resume(polling.tid);
                    return true;
                }
                self.actors[number].polling[place].idle = true;
                continue;
            };
            if arch::set_argument(polling.tid, argument, 0).is_err() {
                continue;
            }
            let Some(result) = self.go_through(polling.tid) else {
                self.actors[number]
                    .polling
                    .retain(|one| one.tid != polling.tid);
                return true;
            };
            if result != 0 {
                self.actors[number].polling.remove(place);
                let limit = polling.entry.arguments[argument];
                let _ = arch::set_argument(polling.tid, argument, limit);
                self.tracer.resume(polling.tid);
                return true;
            }
            let _ = arch::repeat_call(polling.tid, &polling.entry);
            // It comes to the same call at once, and nothing has changed for the others by that.
            let others: Vec<Pid> = self.actors[number]
                .polling
                .iter()
                .filter(|one| one.idle)
                .map(|one| one.tid)
                .collect();
            self.tracer.resume(polling.tid);
            self.actors[number].polling.remove(place);
            let deadline = Instant::now() + HANGS;
            let stands = |stage: &Self| {
                stage.actors[number]
                    .polling
                    .iter()
                    .any(|one| one.tid == polling.tid)
            };
            let mut patience = Patience::new();
            while !stands(self) && self.tracer.tasks.contains_key(&polling.tid) {
                if !self.pump() {
                    self.tracer.wait(patience.next());
                }
                if Instant::now() > deadline {
                    return true;
                }
            }
            for one in &mut self.actors[number].polling {
                one.idle |= one.tid == polling.tid || others.contains(&one.tid);
            }
            return !self.actors[number].polling.iter().all(|one| one.idle);
        }
        false
    }

    /// Lets the waits of a worker begin, in real time.
    pub(super) fn let_poll(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        let polling = std::mem::take(&mut actor.polling);
        actor.wakes_at = polling.iter().map(|one| Instant::now() + one.limit).min();
        if actor.state == WorkerState::Dozing {
            actor.state = WorkerState::Active;
        }
        for one in polling {
            self.tracer.resume(one.tid);
        }
    }

    /// Lets a task that stands before a call make it; gives the result, unless the task ends or the call does not come back.
    pub(super) fn go_through(&mut self, tid: Pid) -> Option<i64> {
        self.performing = Some(tid);
        self.result = None;
        self.tracer.resume_through(tid);
        let began = Instant::now();
        let mut patience = Patience::new();
        while self.result.is_none() && self.performing.is_some() {
            if self.pump() {
                continue;
            }
            self.tracer.wait(patience.next());
            if began.elapsed() > QUIET && procfs::state(tid) == Some('S') {
                break;
            }
        }
        self.performing = None;
        self.result.take()
    }
}
