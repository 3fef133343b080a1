//! Hands out schedules to explorers, and judges their results in the order of their numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::end::End;
use super::super::error::ExploreError;
use super::super::story::ending;
use super::super::strategy::Plan;
use super::super::trace::Trace;
use super::planner::Planner;
use super::tally::{Later, Record, Tally, kinds_of_deaths};
use crate::model::Scenario;

/// Margin added to the settle time that a lock has been seen to need.
const MARGIN: Duration = Duration::from_millis(200);
/// The explorer that checks results. The directory and the name of its lock are those of a replay.
const FIRST: usize = 0;

/// A piece of work for an explorer.
#[derive(Clone, Debug)]
pub enum Task {
    /// Run a schedule.
    Run {
        number: usize,
        plan: Plan,
        /// The number of restarts of the search before it was planned.
        restarts: usize,
    },
    /// Run this schedule again, and check in real time whether workers that poll in vain get the
    /// lock.
    CheckInRealTime(Trace),
    /// Shorten and replay this schedule, which another explorer may have run.
    Confirm(Trace),
    /// The same for a schedule in which all waiters poll after a crash; then check it in real time.
    ConfirmInRealTime(Trace),
}

/// The answer to an explorer that asks for work.
#[derive(Debug)]
pub enum Offer {
    Task(Task),
    /// There may be work once another explorer has finished.
    Wait,
    /// The search is over for this explorer.
    Stop,
}

/// A counterexample.
#[derive(Clone, Debug)]
pub struct Finding {
    pub trace: Trace,
    /// Number of replays with the same steps and end, and number of all replays.
    pub replayed: (usize, usize),
}

/// The state of a search while explorers are at work.
#[derive(Debug)]
pub struct Coordinator<'a> {
    planner: &'a mut Planner,
    scenario: Scenario,
    workers: usize,
    /// Maximum number of schedules.
    most: usize,
    /// Number of the next schedule to hand out.
    next: usize,
    restarts: usize,
    /// Number of schedules before this part of the search.
    began_at: usize,
    /// Set if workers use a server that all explorers share.
    alone: bool,
    /// Results that were not judged.
    results: BTreeMap<usize, Result<Trace, ExploreError>>,
    tally: Tally,
    /// The check of the next schedule to be judged; `None` inside once it was handed out.
    check: Option<Option<Task>>,
    over: bool,
    finding: Option<Finding>,
    starts_afresh: Option<String>,
    error: Option<ExploreError>,
}

impl<'a> Coordinator<'a> {
    /// Continues a search until it has run `most` schedules.
    pub fn new(planner: &'a mut Planner, scenario: Scenario, workers: usize, most: usize) -> Self {
        let judged = planner.judged();
        Coordinator {
            next: judged,
            tally: planner.tally(),
            planner,
            scenario,
            workers,
            most,
            restarts: 0,
            began_at: judged,
            alone: false,
            results: BTreeMap::new(),
            check: None,
            over: false,
            finding: None,
            starts_afresh: None,
            error: None,
        }
    }

    /// Work for this explorer; `ends` is set once no more schedules may begin.
    pub fn offer(&mut self, explorer: usize, ends: bool) -> Offer {
        if self.over || (self.alone && explorer != FIRST) {
            return Offer::Stop;
        }
        if let Some(check) = &mut self.check {
            let task = check.take_if(|_| explorer == FIRST);
            return task.map_or(Offer::Wait, Offer::Task);
        }
        let unjudged = self.next - self.planner.judged();
        // The first schedule shows whether workers use a server.
        let is_first_run = unjudged > 0 && self.planner.judged() == self.began_at;
        let may_begin = !ends && !is_first_run && self.tally.schedules + unjudged < self.most;
        if may_begin && (self.next < self.planner.planned() || self.planner.plan_next()) {
            let number = self.next;
            if let Some(plan) = self.planner.plan(number) {
                self.next += 1;
                return Offer::Task(Task::Run {
                    number,
                    plan: plan.clone(),
                    restarts: self.restarts,
                });
            }
        }
        if unjudged == 0 {
            self.over = true;
            return Offer::Stop;
        }
        match ends && explorer != FIRST {
            true => Offer::Stop,
            false => Offer::Wait,
        }
    }

    /// Takes the result of a schedule.
    pub fn ran(&mut self, number: usize, restarts: usize, result: Result<Trace, ExploreError>) {
        if self.over || restarts != self.restarts {
            return;
        }
        self.results.insert(number, result);
        self.judge_all();
    }

    fn judge(&mut self, trace: Trace) {
        let record = Record::of(&trace, self.workers);
        let mut with_this = self.tally.clone();
        with_this.add(&record);
        match &trace.end {
            End::Interrupted => self.over = true,
            End::Polls(None) if trace.has_fault() => {
                match self.tally.deaths.contains(&kinds_of_deaths(&trace)) {
                    true => self.record_later(trace, Later::Recovered),
                    false => self.check = Some(Some(Task::ConfirmInRealTime(trace))),
                }
            }
            // One check in real time is enough.
            End::Polls(None) if self.tally.polls == 0 && !self.has_crashes() => {
                self.check = Some(Some(Task::CheckInRealTime(trace)));
            }
            End::Polls(Some(after))
                if self.scenario == Scenario::Die && with_this.polls == with_this.schedules =>
            {
                // No worker gets the lock without it: the lock checks a time that cannot be set
                // back, such as st_ctime (inode(7)). So far it has only been seen how all workers
                // poll in vain.
                let settle_time = *after + MARGIN;
                self.record(trace, record);
                self.planner.restart(settle_time);
                self.run_again();
            }
            // Whatever the workers wait for is not scheduled.
            End::Stuck(_) if !with_this.touched => {
                self.record(trace, record);
                self.over = true;
            }
            // No replay: it takes long, and does not depend on the scheduler.
            End::Stuck(_) if trace.looked_in_real_time() => {
                self.record(trace.clone(), record);
                self.find(trace, (1, 1));
            }
            End::Overlap { .. } | End::FenceBroken(_) | End::Stuck(_) => {
                self.check = Some(Some(Task::Confirm(trace)));
            }
            End::Clean | End::Known | End::LeaseExpired | End::Failed(_) | End::Polls(_) => {
                self.record(trace, record);
            }
        }
    }

    /// Returns `true` if the scheduler may kill workers.
    fn has_crashes(&self) -> bool {
        matches!(self.scenario, Scenario::Crash | Scenario::WrapperKill)
    }

    /// Records a schedule in which all waiters polled after a crash.
    fn record_later(&mut self, trace: Trace, later: Later) {
        let record = Record::after_crash(&trace, self.workers, later);
        self.record(trace, record);
    }

    fn record(&mut self, trace: Trace, record: Record) {
        self.tally.add(&record);
        self.planner.judge(trace.steps, record);
    }

    fn find(&mut self, trace: Trace, replayed: (usize, usize)) {
        self.finding = Some(Finding { trace, replayed });
        self.over = true;
    }

    /// Takes the result of a check in real time of `first`.
    pub fn checked_in_real_time(&mut self, first: Trace, checked: Result<Trace, ExploreError>) {
        self.check = None;
        let trace = match checked {
            Err(error) => return self.fail(error),
            Ok(trace) if trace.end == End::Interrupted => return self.over = true,
            // Without a verdict in real time, the schedule is one in which all poll.
            Ok(trace) if matches!(trace.end, End::Clean | End::Known | End::Failed(_)) => first,
            Ok(trace) => trace,
        };
        match trace.end {
            End::Polls(None) => {
                let record = Record::of(&trace, self.workers);
                self.record(trace, record);
            }
            _ => self.judge(trace),
        }
        self.judge_all();
    }

    /// Takes the shortest schedule with the end of `first`, and the numbers of its replays with the
    /// same result and of all replays.
    pub fn confirmed(
        &mut self,
        first: Trace,
        short: Result<(Trace, (usize, usize)), ExploreError>,
    ) {
        self.check = None;
        let (short, (same, runs)) = match short {
            Ok(short) => short,
            Err(error) => return self.fail(error),
        };
        let record = Record::of(&first, self.workers);
        if matches!(short.end, End::Stuck(_)) && same < runs {
            // A worker that gets stuck only in some replays may have been slow.
            let problem = format!("{}, but in {same} of {runs} runs only", ending(&short));
            self.record(first, record.with_problem(problem));
            return self.judge_all();
        }
        self.record(first, record);
        self.find(short, (same, runs));
    }

    /// Takes the shortest schedule in which all waiters poll after the crashes of `first`, as it went
    /// on in real time, and the numbers of its replays with the same result and of all replays.
    pub fn confirmed_in_real_time(
        &mut self,
        first: Trace,
        checked: Result<(Trace, (usize, usize)), ExploreError>,
    ) {
        self.check = None;
        let (checked, replayed) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.fail(error),
        };
        match &checked.end {
            End::Interrupted => return self.over = true,
            End::Stuck(_) => {
                self.record_later(first, Later::Stuck);
                return self.find(checked, replayed);
            }
            End::Polls(Some(_)) => self.record_later(first, Later::Recovered),
            End::Failed(why) => {
                let record = Record::after_crash(&first, self.workers, Later::Stuck);
                self.record(first, record.with_problem(why.to_string()));
            }
            _ => self.record_later(first, Later::NotKnown),
        }
        self.judge_all();
    }

    /// Judges results as long as the next one is there.
    fn judge_all(&mut self) {
        while self.check.is_none()
            && !self.over
            && let Some(result) = self.results.remove(&self.planner.judged())
        {
            match result {
                Ok(trace) => self.judge(trace),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Lets the first explorer go on alone, on a server that the others would share. What may have met
    /// there is run again.
    pub fn go_on_alone(&mut self) {
        let others_run = self.next - self.planner.judged() > 1;
        if !std::mem::replace(&mut self.alone, true) && others_run {
            self.run_again();
        }
    }

    /// Discards the results that were not judged.
    fn run_again(&mut self) {
        self.restarts += 1;
        self.results.clear();
        let is_checked = usize::from(self.check.is_some());
        self.next = self.planner.judged() + is_checked;
    }

    /// Records why workers start afresh for each schedule.
    pub fn start_afresh(&mut self, why: &str) {
        self.starts_afresh.get_or_insert_with(|| why.to_owned());
    }

    /// The reason why workers start afresh for each schedule, if they do.
    pub fn starts_afresh(&self) -> Option<&str> {
        self.starts_afresh.as_deref()
    }

    /// Ends the search with an error.
    pub fn fail(&mut self, error: ExploreError) {
        self.over = true;
        self.error.get_or_insert(error);
    }

    /// Ends the search at once.
    pub fn stop(&mut self) {
        self.over = true;
    }

    /// Counts over all schedules that were judged.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The planner.
    pub fn planner(&self) -> &Planner {
        self.planner
    }

    /// Returns `true` while a counterexample is shortened.
    pub fn confirms(&self) -> bool {
        self.check.is_some()
    }

    /// The counterexample, if one was found.
    ///
    /// # Errors
    /// Returns an error if one ended the search.
    pub fn finish(self) -> Result<(Tally, Option<Finding>), ExploreError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok((self.tally, self.finding)),
        }
    }
}
