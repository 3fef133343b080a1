//! Lets real time pass for events that the scheduler does not control.

use std::time::{Duration, Instant};

use crate::protocol::Answer;

use super::Controller;
use super::backoff::Backoff;
use super::worker::WorkerState;

fn is_no_error(answer: &Answer) -> bool {
    !matches!(answer, Answer::Error(_))
}

/// Time within which a worker that has answered begins to clean up, if at all.
const TIDIES_UP: Duration = Duration::from_millis(20);

/// Time within which a pause reacts to an interruption.
const PAUSE: Duration = Duration::from_millis(100);

impl Controller<'_> {
    /// Handles all pending events, and waits until each worker that they have woken settles.
    pub fn catch_up(&mut self) {
        while self.pump() {}
        for number in 0..self.workers.len() {
            while self.send_own_request(number) {}
        }
        self.hear_from_servers();
        for number in 0..self.workers.len() {
            if self.workers[number].is_moving() {
                self.settle(number, Duration::ZERO);
            }
        }
    }

    /// Lets the workers that wait elsewhere run until something happens: for `time`, or for `most`
    /// if a wait ends by itself before then. A worker that has answered may still begin to clean
    /// up.
    pub fn wait_elsewhere(&mut self, time: Duration, most: Duration) -> bool {
        let began = Instant::now();
        let waiting: Vec<usize> = (0..self.workers.len())
            .filter(|&number| self.waits_elsewhere(number))
            .collect();
        let time = match (waiting.is_empty(), self.is_timed()) {
            (true, _) => TIDIES_UP,
            (false, false) if !self.awaits_answers() => time,
            (false, _) => most,
        };
        let mut backoff = Backoff::new();
        while began.elapsed() < time && !self.is_interrupted() {
            while self.pump() {}
            for &number in &waiting {
                self.read_answers(number);
            }
            let mut all = 0..self.workers.len();
            if all.any(|number| self.send_own_request(number)) {
                return true;
            }
            let tidies_up = self.workers.iter().any(|worker| worker.tidies_up());
            if tidies_up || waiting.iter().any(|&number| !self.waits_elsewhere(number)) {
                return true;
            }
            self.tracer.wait(backoff.next());
        }
        false
    }

    /// Returns `true` if a server makes a worker wait, for a time that only the server knows.
    fn awaits_answers(&self) -> bool {
        self.workers
            .iter()
            .any(|worker| !worker.unanswered.is_empty())
    }

    fn waits_elsewhere(&self, number: usize) -> bool {
        self.workers[number].state == WorkerState::WaitingElsewhere
    }

    /// Returns `true` if a worker waits with a time limit.
    pub fn is_timed(&self) -> bool {
        let now = Instant::now();
        self.workers
            .iter()
            .filter(|worker| worker.command.is_some())
            .any(|worker| worker.wakes_at.is_some_and(|then| then > now))
    }

    /// Lets all workers run unscheduled until one gets the lock, or all have given up with an error.
    /// Returns `true` if that happened within this time.
    pub fn run_unscheduled(&mut self, time: Duration) -> bool {
        self.unscheduled = true;
        for number in 0..self.workers.len() {
            self.begin_held_waits(number);
            let worker = &mut self.workers[number];
            let parked = std::mem::take(&mut worker.parked);
            for parked in parked.into_iter().chain(worker.background.take_requests()) {
                self.tracer.resume(parked.tid);
            }
        }
        let deadline = Instant::now() + time;
        let mut answered = false;
        while !answered && Instant::now() < deadline && !self.is_interrupted() {
            while self.pump() {}
            for number in 0..self.workers.len() {
                self.read_answers(number);
                answered |= self.workers[number].answers.iter().any(is_no_error);
            }
            answered |= self.workers.iter().all(|worker| worker.command.is_none());
            self.tracer.wait(Duration::from_millis(1));
        }
        answered
    }

    /// Lets this much time pass while all workers stand still.
    pub fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_interrupted() && Instant::now() < until {
            std::thread::sleep(PAUSE.min(until.saturating_duration_since(Instant::now())));
        }
    }
}
