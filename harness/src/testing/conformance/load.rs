//! Workers that use a lock in processes and threads. All their operations are recorded, and one
//! more process detects a worker that does not return.

use std::cell::Cell;
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::record::Record;
use crate::sys;
use crate::testing::checker::{self, Promises, Status};
use crate::testing::finding::{Finding, Unknown};
use crate::testing::forking::ProcessOutcome;
use crate::testing::history::{Event, EventKind, Mode};
use crate::testing::lock::{Answer, Lock, WaitLimit};
use crate::testing::stress::{Stress, StressReport, Worker};
use crate::testing::witness::now;

/// Time without an event, while a worker waits, after which the lock is stuck.
const STUCK: Duration = Duration::from_secs(3);
/// Number of sleeps of a millisecond that the watching process must have made meanwhile: a machine
/// that delays it also delays the workers.
const LOOKS: u32 = 2_000;
/// [`STUCK`] for the first use of a lock, which may have to start a process on a busy machine.
const STUCK_AT_FIRST: Duration = Duration::from_secs(40);
/// Time by which a timed wait may end late: far longer than a loaded machine delays it.
const LATE: Duration = Duration::from_secs(3);
/// Time limit of a trial.
const DEADLINE: Duration = Duration::from_secs(120);

/// The number of workers of a trial, and how often and how long they use the lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) processes: u32,
    pub(super) threads: u32,
    /// Maximum number of attempts per worker.
    pub(super) attempts: usize,
    /// No worker begins another section after this time.
    pub(super) time: Duration,
    /// Maximum time that a worker stays in a section, in addition to its own.
    pub(super) hold: Duration,
    /// If `true`, one more process tries the lock after all workers have left.
    pub(super) final_try: bool,
}

/// A worker of a trial.
#[derive(Debug)]
pub(super) struct Participant<'a, 'w, L> {
    pub(super) lock: L,
    pub(super) worker: &'a Worker<'w>,
    record: &'a Record,
    load: Load,
    pid: u32,
    attempts: Cell<usize>,
}

impl Load {
    pub(super) fn processes(processes: u32) -> Self {
        Load {
            processes,
            threads: 1,
            attempts: 1_000,
            time: Duration::from_secs(2),
            hold: Duration::ZERO,
            final_try: true,
        }
    }

    pub(super) fn threads(threads: u32) -> Self {
        Load {
            threads,
            ..Load::processes(1)
        }
    }

    pub(super) fn attempts(self, attempts: usize) -> Self {
        Load { attempts, ..self }
    }

    pub(super) fn time(self, time: Duration) -> Self {
        Load { time, ..self }
    }

    pub(super) fn hold(self, hold: Duration) -> Self {
        Load { hold, ..self }
    }

    pub(super) fn workers(self) -> u32 {
        self.processes * self.threads
    }

    /// Runs `body` once in each worker, each with a lock of its own, and judges the record.
    pub(super) fn run<L: Lock>(
        self,
        make: &(dyn Fn() -> L + Sync),
        body: &(dyn Fn(&Participant<'_, '_, L>) + Sync),
    ) -> Finding {
        self.judged(make, body, &|_, _| None)
    }

    /// As [`run`](Self::run). `more` may find another violation in the history; its second argument
    /// is the time at which the first worker began.
    pub(super) fn judged<L: Lock>(
        self,
        make: &(dyn Fn() -> L + Sync),
        body: &(dyn Fn(&Participant<'_, '_, L>) + Sync),
        more: &dyn Fn(&[Event], u64) -> Option<String>,
    ) -> Finding {
        // One more process watches, with the first of its threads.
        let record = Record::new(self.workers() + self.threads, self.attempts * 4 + 32);
        let report = Stress::new()
            .processes(self.processes as usize + 1)
            .threads(self.threads as usize)
            .sections(1)
            .room(self.attempts + 8)
            .hold(self.hold)
            .deadline(DEADLINE)
            .run(|worker| {
                let number = worker.number();
                if number > self.workers() {
                    return;
                }
                let participant = |lock| Participant {
                    lock,
                    worker,
                    record: &record,
                    load: self,
                    pid: std::process::id(),
                    attempts: Cell::new(0),
                };
                if number == self.workers() {
                    self.watch(&record);
                    return self.try_afterwards(&record, &|| participant(make()));
                }
                let pid = u64::from(std::process::id());
                record.pid(number).store(pid, Ordering::Release);
                let participant = participant(make());
                participant.warm_up();
                let _began = record.elapsed();
                body(&participant);
                // A child forked in the section may get here as well.
                if u64::from(std::process::id()) == pid {
                    record.finished().fetch_add(1, Ordering::AcqRel);
                }
            });
        let workers = self.workers();
        verdict(&report, &record, &|history, began| {
            let ours = history.iter().filter(|event| event.worker < workers);
            more(&ours.copied().collect::<Vec<_>>(), began)
        })
    }

    /// Watches until all workers have finished, one has reported a violation, or nothing happens.
    fn watch(self, record: &Record) {
        let (mut quiet_since, mut looks) = (Instant::now(), 0);
        let mut before = 0;
        while record.finished().load(Ordering::Acquire) < u64::from(self.workers()) {
            if record.violation().is_some() {
                return self.kill_workers(record);
            }
            std::thread::sleep(Duration::from_millis(1));
            let events = (0..self.workers())
                .map(|worker| record.events(worker))
                .sum();
            let nothing_new = std::mem::replace(&mut before, events) == events;
            let Some(limit) = self.pending_limit(record).filter(|_| nothing_new) else {
                (quiet_since, looks) = (Instant::now(), 0);
                continue;
            };
            looks += 1;
            if quiet_since.elapsed() >= limit && looks >= LOOKS {
                let story = Status::after(&record.history()).describe(now());
                record.report_violation(&format!("stuck: {story}"));
                return self.kill_workers(record);
            }
        }
    }

    /// The time limit of an answer, if a worker waits for one.
    fn pending_limit(self, record: &Record) -> Option<Duration> {
        let waiting = (0..self.workers()).filter(|worker| {
            let last = record.last(*worker);
            matches!(
                last,
                Some(EventKind::Requested { .. } | EventKind::Releasing)
            )
        });
        let limit = waiting.map(|worker| match record.events(worker) {
            ..=1 => STUCK_AT_FIRST,
            _ => STUCK,
        });
        limit.max()
    }

    /// Kills the remaining workers, which would not end by themselves.
    fn kill_workers(self, record: &Record) {
        for worker in 0..self.workers() {
            let pid = record.pid(worker).load(Ordering::Acquire);
            if pid != 0 {
                sys::kill(pid as u32);
            }
        }
    }

    /// Checks that, with all workers outside, another process acquires the lock at once, or after a
    /// death as soon as the kernel has freed it.
    fn try_afterwards<'a, 'w: 'a, L: Lock>(
        self,
        record: &Record,
        other: &dyn Fn() -> Participant<'a, 'w, L>,
    ) {
        if record.violation().is_some() || !self.final_try {
            return;
        }
        let other = other();
        let a_worker_died =
            (0..self.workers()).any(|worker| record.last(worker) == Some(EventKind::Died));
        let deadline = Instant::now() + STUCK;
        while other.attempt(WaitLimit::NoWait, &mut || ()) == Answer::Busy && a_worker_died {
            if Instant::now() > deadline {
                other.fail(&format!(
                    "another process found the lock held for {} s after all workers had left \
                     or died",
                    STUCK.as_secs()
                ));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl<L: Lock> Participant<'_, '_, L> {
    /// Uses the lock once and waits until all workers have, so that slow first uses are over.
    fn warm_up(&self) {
        // A failure here occurs again in the trial.
        let _ = self.try_attempt(WaitLimit::Forever, &mut || ());
        self.attempts.set(0);
        self.record.warmed_up().fetch_add(1, Ordering::AcqRel);
        while self.record.warmed_up().load(Ordering::Acquire) < u64::from(self.load.workers()) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// The number of this worker, from 0.
    pub(super) fn number(&self) -> u32 {
        self.worker.number()
    }

    /// Returns `true` if the attempts of this worker or the time of the trial are used up.
    pub(super) fn is_over(&self) -> bool {
        self.attempts.get() >= self.load.attempts
            || u128::from(self.record.elapsed()) >= self.load.time.as_nanos()
    }

    /// Reports a violation and ends this worker; the watching process ends the others.
    pub(super) fn fail(&self, why: &str) -> ! {
        self.record.report_violation(why);
        std::panic::resume_unwind(Box::new("the lock is broken, as reported"))
    }

    /// Waits for the lock and runs `section` while it holds it.
    pub(super) fn acquire(&self, section: &mut dyn FnMut()) {
        self.attempt(WaitLimit::Forever, section);
    }

    /// As [`acquire`](Self::acquire), with the witness.
    pub(super) fn section(&self, section: impl Fn()) {
        self.acquire(&mut || self.worker.section(&section));
    }

    /// As [`section`](Self::section), for a closure that changes its state.
    pub(super) fn section_mut(&self, section: &mut dyn FnMut()) {
        self.acquire(&mut || self.worker.section(&mut *section));
    }

    /// As [`acquire`](Self::acquire), but without a record.
    pub(super) fn unrecorded(&self, section: &mut dyn FnMut()) {
        self.attempts.set(self.attempts.get() + 1);
        match self.lock.run(WaitLimit::Forever, section) {
            Ok(Answer::Ran) => {}
            other => self.fail(&format!(
                "worker {} waited for the lock and got the answer {other:?}",
                self.number()
            )),
        }
    }

    /// Uses the lock once. A failure or an invalid answer is a violation.
    pub(super) fn attempt(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Answer {
        let outcome = self.try_attempt(limit, section);
        match outcome {
            Ok(answer) => answer,
            Err(error) => self.fail(&format!(
                "worker {} requested the lock ({limit:?}): {error}",
                self.number()
            )),
        }
    }

    /// As [`attempt`](Self::attempt), but returns failures.
    pub(super) fn try_attempt(
        &self,
        limit: WaitLimit,
        section: &mut dyn FnMut(),
    ) -> Result<Answer, AttemptError> {
        self.attempts.set(self.attempts.get() + 1);
        let ran = Cell::new(0);
        self.note(EventKind::Requested {
            mode: Mode::Exclusive,
            limit,
        });
        let outcome = self.lock.run(limit, &mut || {
            self.note(EventKind::Acquired);
            ran.set(ran.get() + 1);
            section();
            self.note(EventKind::Releasing);
        });
        match outcome {
            Ok(Answer::Ran) if ran.get() == 1 => {
                self.note(EventKind::Released);
                Ok(Answer::Ran)
            }
            Ok(Answer::Unsupported) if ran.get() == 0 && limit != WaitLimit::Forever => {
                self.note(EventKind::Failed);
                Ok(Answer::Unsupported)
            }
            Ok(Answer::Busy | Answer::TimedOut) if ran.get() == 0 && limit == WaitLimit::NoWait => {
                self.note(EventKind::Busy);
                Ok(Answer::Busy)
            }
            Ok(Answer::Busy | Answer::TimedOut)
                if ran.get() == 0 && limit != WaitLimit::Forever =>
            {
                self.note(EventKind::TimedOut);
                Ok(Answer::TimedOut)
            }
            Ok(answer) => Err(AttemptError::Senseless {
                answer,
                ran: ran.get(),
            }),
            Err(error) => {
                self.note(EventKind::Failed);
                Err(AttemptError::Lock(error))
            }
        }
    }

    /// Kills the process of this worker.
    pub(super) fn die(&self) -> ! {
        self.note(EventKind::Died);
        self.record.finished().fetch_add(1, Ordering::AcqRel);
        self.worker.die()
    }

    /// Records an event, unless this is a forked child.
    fn note(&self, kind: EventKind) {
        if std::process::id() == self.pid {
            self.record.note(self.number(), kind);
        }
    }

    /// Raises a counter to `value`.
    pub(super) fn reach(&self, counter: usize, value: u64) {
        self.record.counter(counter).store(value, Ordering::Release);
    }

    /// Adds one to a counter.
    pub(super) fn count(&self, counter: usize) {
        self.record.counter(counter).fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until a counter has reached `value`.
    pub(super) fn wait_for(&self, counter: usize, value: u64) {
        const LOOKS: u32 = 100;
        let mut looks = 0;
        while self.record.counter(counter).load(Ordering::Acquire) < value {
            looks += 1;
            match looks < LOOKS {
                true => std::thread::yield_now(),
                false => std::thread::sleep(Duration::from_micros(30)),
            }
        }
    }

    /// The value of a counter.
    pub(super) fn reached(&self, counter: usize) -> u64 {
        self.record.counter(counter).load(Ordering::Acquire)
    }
}

/// The reason why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    #[error("the lock failed: {0}")]
    Lock(Box<dyn Error>),
    #[error("the lock answered {answer:?}, and the section ran {ran} times")]
    Senseless { answer: Answer, ran: usize },
}

fn verdict(
    report: &StressReport,
    record: &Record,
    more: &dyn Fn(&[Event], u64) -> Option<String>,
) -> Finding {
    let excluded = report.verdict();
    if excluded.is_violated() {
        return excluded;
    }
    if let Some(violation) = record.violation() {
        return Finding::Violated(violation);
    }
    let (history, began) = (record.history(), record.began());
    let found = broken_rule(&history)
        .or_else(|| failures(report))
        .or_else(|| more(&history, began));
    if let Some(violation) = found {
        return Finding::Violated(violation);
    }
    let acquired = history
        .iter()
        .any(|event| event.kind == EventKind::Acquired);
    match excluded {
        Finding::NotKnown(Unknown::NothingRan) if acquired => {}
        Finding::NotKnown(why) => return Finding::NotKnown(why),
        _ if !acquired => return Finding::NotKnown(Unknown::NothingRan),
        _ => {}
    }
    match record.lost() {
        0 => Finding::Held,
        lost => Finding::NotKnown(Unknown::Budget(format!(
            "{lost} events did not fit into the record"
        ))),
    }
}

/// The first rule that the history breaks.
fn broken_rule(history: &[Event]) -> Option<String> {
    let promises = Promises {
        lateness: Some(LATE),
        ..Promises::default()
    };
    let findings = checker::check(history, &promises);
    let violations = [findings.exclusion, findings.timeouts];
    let violated = violations.into_iter().find_map(|finding| match finding {
        Finding::Violated(evidence) => Some(evidence),
        _ => None,
    });
    violated.or_else(|| checker::lone_refusal(history))
}

/// Worker processes that failed.
fn failures(report: &StressReport) -> Option<String> {
    let failed: Vec<String> = report
        .outcomes()
        .iter()
        .enumerate()
        .filter(|(_, outcome)| !matches!(outcome, ProcessOutcome::Done | ProcessOutcome::Killed(9)))
        .map(|(process, outcome)| format!("process {process} {outcome}"))
        .collect();
    (!failed.is_empty()).then(|| format!("{}{}", failed.join("; "), report.errors()))
}
