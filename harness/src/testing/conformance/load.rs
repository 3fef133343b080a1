//! Workers that use a lock in processes and threads, everything that they do recorded, and watched for one that does not come back.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::record::Record;
use crate::testing::checker::{self, Promises, Status};
use crate::testing::finding::{Finding, Unknown};
use crate::testing::forking::Outcome;
use crate::testing::history::{Event, EventKind, Mode};
use crate::testing::lock::{Answer, Lock, WaitLimit};
use crate::testing::stress::{Stress, StressReport, Worker};
use crate::testing::witness::now;

/// So long nothing happens though somebody waits: then the lock is stuck.
const STUCK: Duration = Duration::from_secs(3);
/// And so often the one who watches has slept for a millisecond meanwhile: where the machine lets it wait for its turn, it lets the others wait.
const LOOKS: u32 = 2_000;
/// A timed wait may end this late: far more than a loaded machine delays it.
const LATE: Duration = Duration::from_secs(3);
/// The first time that a worker uses its lock may take longer: a process may have to be started, on a machine that has much else to do.
const STUCK_AT_FIRST: Duration = Duration::from_secs(40);
/// A run that is not over by then is ended, whatever it does.
const DEADLINE: Duration = Duration::from_secs(120);

/// How many use the lock, how often and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) processes: u32,
    pub(super) threads: u32,
    /// Attempts of each worker at most.
    pub(super) attempts: usize,
    /// Nobody begins another section after this.
    pub(super) time: Duration,
    /// How long a section lasts at most.
    pub(super) hold: Duration,
    /// Whether a newcomer tries the lock when all have left.
    pub(super) newcomer: bool,
}

/// One worker of a load.
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
            newcomer: true,
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

    /// Runs `body` once in each worker, each with a lock of its own, and judges what was recorded.
    pub(super) fn run<L: Lock>(
        self,
        make: &(dyn Fn() -> L + Sync),
        body: &(dyn Fn(&Participant<'_, '_, L>) + Sync),
    ) -> Finding {
        self.judged(make, body, &|_, _| None)
    }

    /// As [`run`](Self::run); `more` may find something else in the history, whose second argument is when the first worker began.
    pub(super) fn judged<L: Lock>(
        self,
        make: &(dyn Fn() -> L + Sync),
        body: &(dyn Fn(&Participant<'_, '_, L>) + Sync),
        more: &dyn Fn(&[Event], u64) -> Option<String>,
    ) -> Finding {
        // One more process watches; of its threads, one does.
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
                    return self.look_afterwards(&record, &|| participant(make()));
                }
                let pid = u64::from(std::process::id());
                record.pid(number).store(pid, Ordering::Release);
                let participant = participant(make());
                participant.warm_up();
                let _began = record.elapsed();
                body(&participant);
                // A child that was forked in the section may come by here.
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

    /// Until all have finished, one has complained, or nothing happens any more.
    fn watch(self, record: &Record) {
        let (mut quiet_since, mut looks) = (Instant::now(), 0);
        let mut before = 0;
        while record.finished().load(Ordering::Acquire) < u64::from(self.workers()) {
            if record.complaint().is_some() {
                return self.end(record);
            }
            std::thread::sleep(Duration::from_millis(1));
            let events = (0..self.workers())
                .map(|worker| record.events(worker))
                .sum();
            let nothing_new = std::mem::replace(&mut before, events) == events;
            let Some(limit) = self.somebody_waits(record).filter(|_| nothing_new) else {
                (quiet_since, looks) = (Instant::now(), 0);
                continue;
            };
            looks += 1;
            if quiet_since.elapsed() >= limit && looks >= LOOKS {
                let story = Status::after(&record.history()).describe(now());
                record.complain(&format!("stuck: {story}"));
                return self.end(record);
            }
        }
    }

    /// How long that may take, if somebody has asked the lock for something and has no answer.
    fn somebody_waits(self, record: &Record) -> Option<Duration> {
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

    /// Those that are still there come to no end by themselves.
    fn end(self, record: &Record) {
        for worker in 0..self.workers() {
            let pid = record.pid(worker).load(Ordering::Acquire);
            if pid != 0 {
                let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
            }
        }
    }

    /// With everybody outside, a newcomer gets the lock at once; after a death, as soon as the kernel has taken note of it.
    fn look_afterwards<'a, 'w: 'a, L: Lock>(
        self,
        record: &Record,
        newcomer: &dyn Fn() -> Participant<'a, 'w, L>,
    ) {
        if record.complaint().is_some() || !self.newcomer {
            return;
        }
        let newcomer = newcomer();
        let somebody_died =
            (0..self.workers()).any(|worker| record.last(worker) == Some(EventKind::Died));
        let deadline = Instant::now() + STUCK;
        while newcomer.attempt(WaitLimit::NoWait, &mut || ()) == Answer::Busy && somebody_died {
            if Instant::now() > deadline {
                newcomer.complain(&format!(
                    "a newcomer found the lock held for {} s after all others had left or died",
                    STUCK.as_secs()
                ));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl<L: Lock> Participant<'_, '_, L> {
    /// Uses the lock once, and waits until all have done so: what takes long only the first time is over then.
    fn warm_up(&self) {
        // What goes wrong here does so again in the trial.
        let _ = self.try_attempt(WaitLimit::Forever, &mut || ());
        self.attempts.set(0);
        self.record.warm().fetch_add(1, Ordering::AcqRel);
        while self.record.warm().load(Ordering::Acquire) < u64::from(self.load.workers()) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Its number, from 0.
    pub(super) fn number(&self) -> u32 {
        self.worker.number()
    }

    /// Whether its share of attempts or the time of the load is used up.
    pub(super) fn is_over(&self) -> bool {
        self.attempts.get() >= self.load.attempts
            || u128::from(self.record.elapsed()) >= self.load.time.as_nanos()
    }

    /// Says why the lock is broken, and ends this worker; the one who watches ends the others.
    pub(super) fn complain(&self, why: &str) -> ! {
        self.record.complain(why);
        std::panic::resume_unwind(Box::new("the lock is broken, as was complained"))
    }

    /// Waits for the lock however long that takes, and runs `section` under it.
    pub(super) fn acquire(&self, section: &mut dyn FnMut()) {
        self.attempt(WaitLimit::Forever, section);
    }

    /// The same, seen by the witness.
    pub(super) fn section(&self, section: impl Fn()) {
        self.acquire(&mut || self.worker.section(&section));
    }

    /// The same for a section that changes what it knows.
    pub(super) fn section_mut(&self, section: &mut dyn FnMut()) {
        self.acquire(&mut || self.worker.section(&mut *section));
    }

    /// Waits for the lock, but neither the witness nor the history hear of it.
    pub(super) fn unwatched(&self, section: &mut dyn FnMut()) {
        self.attempts.set(self.attempts.get() + 1);
        match self.lock.run(WaitLimit::Forever, section) {
            Ok(Answer::Ran) => {}
            other => self.complain(&format!(
                "worker {} waited for the lock and was answered {other:?}",
                self.number()
            )),
        }
    }

    /// Uses the lock once. An answer that makes no sense is a complaint.
    pub(super) fn attempt(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Answer {
        let outcome = self.try_attempt(limit, section);
        match outcome {
            Ok(answer) => answer,
            Err(error) => self.complain(&format!(
                "worker {} asked for the lock ({limit:?}), which failed: {error}",
                self.number()
            )),
        }
    }

    /// The same; what the lock says of a failure is the caller's affair.
    pub(super) fn try_attempt(
        &self,
        limit: WaitLimit,
        section: &mut dyn FnMut(),
    ) -> Result<Answer, String> {
        self.attempts.set(self.attempts.get() + 1);
        let ran = Cell::new(0);
        self.note(asked(limit));
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
            Ok(answer) => Err(format!(
                "the answer was {answer:?}, and the section ran {} times",
                ran.get()
            )),
            Err(error) => {
                self.note(EventKind::Failed);
                Err(error.to_string())
            }
        }
    }

    /// Dies here and now, as a holder that is killed.
    pub(super) fn die(&self) -> ! {
        self.note(EventKind::Died);
        self.record.finished().fetch_add(1, Ordering::AcqRel);
        self.worker.die()
    }

    /// A forked child is not the worker, and what it does is not recorded.
    fn note(&self, kind: EventKind) {
        if std::process::id() == self.pid {
            self.record.note(self.number(), kind);
        }
    }

    /// Raises the counter `step` to `value`.
    pub(super) fn reach(&self, step: usize, value: u64) {
        self.record.step(step).store(value, Ordering::Release);
    }

    /// Adds one to the counter `step`.
    pub(super) fn count(&self, step: usize) {
        self.record.step(step).fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until the counter `step` has reached `value`.
    pub(super) fn wait_for(&self, step: usize, value: u64) {
        const LOOKS: u32 = 100;
        let mut looks = 0;
        while self.record.step(step).load(Ordering::Acquire) < value {
            looks += 1;
            match looks < LOOKS {
                true => std::thread::yield_now(),
                false => std::thread::sleep(Duration::from_micros(30)),
            }
        }
    }

    /// What the counter `step` has reached.
    pub(super) fn reached(&self, step: usize) -> u64 {
        self.record.step(step).load(Ordering::Acquire)
    }
}

fn asked(limit: WaitLimit) -> EventKind {
    EventKind::Requested {
        mode: Mode::Exclusive,
        limit,
    }
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
    if let Some(complaint) = record.complaint() {
        return Finding::Violated(complaint);
    }
    let (history, began) = (record.history(), record.began());
    let found = broken_rule(&history)
        .or_else(|| failures(report))
        .or_else(|| more(&history, began));
    if let Some(complaint) = found {
        return Finding::Violated(complaint);
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

/// Workers that ended in a way that they were not meant to.
fn failures(report: &StressReport) -> Option<String> {
    let failed: Vec<String> = report
        .outcomes()
        .iter()
        .enumerate()
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Done | Outcome::Killed(9)))
        .map(|(process, outcome)| format!("process {process} {outcome}"))
        .collect();
    (!failed.is_empty()).then(|| format!("{}{}", failed.join("; "), report.errors()))
}
