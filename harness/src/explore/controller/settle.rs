//! Waits until no task of a worker moves.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::procfs::Status;

use super::backoff::{Backoff, SHORTEST};
use super::worker::WorkerState;
use super::{Controller, HANGS};

/// Time for which all tasks of a worker must sleep before it counts as waiting for something
/// unwatched. A server on this machine answers sooner.
pub(super) const QUIET: Duration = Duration::from_millis(6);
/// The same if there are helpers, which may be about to wake another task after a nap of their own.
const QUIET_BESIDE_HELPERS: Duration = Duration::from_millis(15);

/// The state and the context switches of each task.
type Scan = Vec<(Pid, char, u64)>;

fn moves(scan: &Scan) -> bool {
    scan.iter().any(|(_, state, _)| matches!(state, 'R' | 'D'))
}

impl Controller<'_> {
    /// Waits until a worker is stopped before a call that matters, has answered, is gone, dozes, or
    /// waits for something else. Its held waits begin at once if the worker should wake up `within`
    /// this time.
    pub(super) fn settle(&mut self, number: usize, within: Duration) {
        let began = Instant::now();
        let mut backoff = Backoff::new();
        let mut quiet_since: Option<(Instant, Scan)> = None;
        let mut servers_acted = false;
        if !within.is_zero() {
            self.begin_held_waits(number);
        }
        loop {
            if self.send_own_request(number) {
                quiet_since = None;
                continue;
            }
            self.let_strangers_sleep(number);
            self.set_own_requests_aside(number);
            let worker = &self.workers[number];
            if worker.command.is_none() {
                // It has to read the next command.
                self.begin_held_waits(number);
                self.let_tidy_up(number);
                return;
            }
            let is_undecided =
                self.servers.matter() && worker.background.are_undecided(&worker.parked);
            if (!worker.parked.is_empty() && !is_undecided) || worker.is_gone() {
                if self.send_silently(number) {
                    continue;
                }
                return;
            }
            let stops = worker.stops;
            // More stops of the worker, if there are any, are handled in the next rounds.
            if !self.pump() {
                self.tracer.wait(backoff.next());
                self.pump();
            }
            if self.workers[number].stops != stops {
                quiet_since = None;
                servers_acted = false;
                backoff = Backoff::new();
                continue;
            }
            let holds_waits = !self.workers[number].held_waits.is_empty();
            self.read_answers(number);
            let scan = self.scan(number);
            let moves = moves(&scan);
            match &quiet_since {
                Some((since, before)) if !moves && *before == scan => {
                    if is_undecided {
                        if since.elapsed() > QUIET_BESIDE_HELPERS {
                            self.workers[number].background.decide();
                        }
                        continue;
                    }
                    if holds_waits && self.try_held_waits(number) {
                        quiet_since = None;
                        continue;
                    }
                    if holds_waits && began.elapsed() < within {
                        self.begin_held_waits(number);
                        continue;
                    }
                    if !servers_acted && self.let_servers_act(number) {
                        servers_acted = true;
                        quiet_since = None;
                        continue;
                    }
                    if holds_waits {
                        self.workers[number].come_to_rest(WorkerState::Dozing);
                        return;
                    }
                    let quiet = match self.workers[number].helpers.is_empty() {
                        true => QUIET,
                        false => QUIET_BESIDE_HELPERS,
                    };
                    if since.elapsed() > quiet && began.elapsed() >= within {
                        self.workers[number].come_to_rest(WorkerState::WaitingElsewhere);
                        return;
                    }
                }
                _ if moves => quiet_since = None,
                _ => quiet_since = Some((Instant::now(), scan)),
            }
            if began.elapsed() > HANGS || self.is_interrupted() {
                self.begin_held_waits(number);
                self.workers[number].come_to_rest(match moves {
                    true => WorkerState::Computing,
                    false => WorkerState::WaitingElsewhere,
                });
                return;
            }
        }
    }

    /// Waits briefly for the other threads of a worker that has answered: they may still clean up,
    /// for instance close a file.
    fn let_tidy_up(&mut self, number: usize) {
        if self.tracer.tasks_of(number).count() <= 1 + self.workers[number].zygote.len() {
            return;
        }
        let deadline = Instant::now() + QUIET;
        let mut before = Scan::new();
        while Instant::now() < deadline && self.workers[number].parked.is_empty() {
            self.tracer.wait(SHORTEST);
            while self.pump() {}
            let scan = self.scan(number);
            if scan == before && !moves(&scan) {
                return;
            }
            before = scan;
        }
    }

    /// All tasks of a worker that could move, without helpers and held tasks.
    fn scan(&self, number: usize) -> Scan {
        let worker = &self.workers[number];
        let mut scan: Scan = self
            .tracer
            .tasks_of(number)
            .filter(|tid| {
                !self.tracer.in_vfork.contains(tid)
                    && !worker.helpers.contains(tid)
                    && worker.held_waits.iter().all(|wait| wait.tid != *tid)
            })
            .filter_map(|tid| {
                let status = Status::of(tid)?;
                Some((tid, status.state, status.context_switches))
            })
            .collect();
        scan.sort_unstable();
        scan
    }
}
