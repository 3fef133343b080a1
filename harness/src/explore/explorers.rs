//! Explorers: threads that each run schedules with workers of their own.
//!
//! Each has its own directory, lock name and processor, and its own server if one is started for the
//! run. The first one also checks, shortens and replays, so that a counterexample does not depend on
//! their number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::engines::{Server, ServerError};
use crate::workers::LockUnderTest;

use super::controller::Controller;
use super::error::ExploreError;
use super::found::Found;
use super::run::run;
use super::schedules::{Coordinator, Offer, Planner, Task};
use super::search::{Budget, Progress, Search, same_end};
use super::trace::Trace;

/// The problem if no worker was seen to use the lock.
const UNSEEN: &str = "no call that touches the lock was seen: it lies elsewhere (LOCKUTILS_DIR \
                      names its directory), on a server or in memory, or processes other than \
                      the workers make its calls";
/// Number of replays of a counterexample.
const REPLAYS: usize = 10;
/// Number of replays that are made however long they take.
const FEWEST_REPLAYS: usize = 3;
/// Time limit of the remaining replays.
const REPLAY_TIME: Duration = Duration::from_secs(6);
/// Time between two reports of progress.
const PROGRESS: Duration = Duration::from_millis(100);

/// What all explorers of a search share.
struct Shared<'a> {
    coordinator: Mutex<Coordinator<'a>>,
    /// Signals that there may be work.
    changed: Condvar,
    /// Signals that an explorer has left.
    left: Condvar,
    /// The time at which no more schedules begin.
    ends_at: Option<Instant>,
    /// Number of explorers at work.
    at_work: AtomicUsize,
}

impl<'a> Shared<'a> {
    fn lock(&self) -> MutexGuard<'_, Coordinator<'a>> {
        // A panic of another explorer is passed on when its thread is joined.
        let coordinator = self.coordinator.lock();
        coordinator.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a while. Returns the number of schedules, the depth and whether a counterexample
    /// is being shortened; `None` once all explorers have left.
    fn watch(&self) -> Option<(usize, Option<String>, bool)> {
        let coordinator = self.lock();
        let is_at_work = |_: &mut Coordinator<'a>| self.at_work.load(Ordering::Relaxed) > 0;
        let waited = self
            .left
            .wait_timeout_while(coordinator, PROGRESS, is_at_work);
        let coordinator = waited.unwrap_or_else(PoisonError::into_inner).0;
        (self.at_work.load(Ordering::Relaxed) > 0).then(|| {
            let schedules = coordinator.tally().schedules;
            (
                schedules,
                coordinator.planner().depth(),
                coordinator.confirms(),
            )
        })
    }

    fn ends(&self) -> bool {
        self.ends_at.is_some_and(|end| Instant::now() >= end)
    }
}

/// Wakes the others when an explorer leaves, even by a panic.
struct Leaves<'s, 'a>(&'s Shared<'a>);

impl Drop for Leaves<'_, '_> {
    fn drop(&mut self) {
        let mut coordinator = self.0.lock();
        if thread::panicking() {
            coordinator.stop();
        }
        self.0.at_work.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_all();
        self.0.left.notify_all();
    }
}

impl Search<'_> {
    /// Runs schedules until one breaks the lock or the budget is spent.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be started or traced.
    pub fn search(
        &self,
        budget: &Budget,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Found, ExploreError> {
        self.go_on(&mut self.begin(), budget, progress)
    }

    /// The state of this search before its first schedule.
    pub fn begin(&self) -> Planner {
        Planner::new(self.strategy, self.seed, self.shard, self.settle_time)
    }

    /// Continues a search, as [`search`](Self::search). The budget's number of schedules includes
    /// those that were run before, its time does not.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be started or traced.
    pub fn go_on(
        &self,
        planner: &mut Planner,
        budget: &Budget,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Found, ExploreError> {
        let began = Instant::now();
        let before = (planner.tally().schedules, planner.seconds);
        let shared = Shared {
            coordinator: Mutex::new(Coordinator::new(
                planner,
                self.scenario,
                self.workers,
                budget.schedules,
            )),
            changed: Condvar::new(),
            left: Condvar::new(),
            ends_at: began.checked_add(budget.time),
            at_work: AtomicUsize::new(self.explorers()),
        };
        // This thread only watches.
        let _blocked = Controller::block_signals()?;
        thread::scope(|scope| {
            for number in 0..self.explorers() {
                let shared = &shared;
                scope.spawn(move || self.explore(number, shared));
            }
            while let Some((schedules, depth, shrinks)) = shared.watch() {
                progress(Progress {
                    schedules,
                    new_schedules: schedules - before.0,
                    elapsed: began.elapsed(),
                    depth,
                    shrinks,
                });
            }
        });
        let coordinator = shared.coordinator.into_inner();
        let coordinator = coordinator.unwrap_or_else(PoisonError::into_inner);
        let starts_afresh = coordinator.starts_afresh().map(str::to_owned);
        let (tally, finding) = coordinator.finish()?;
        planner.seconds = before.1 + began.elapsed().as_secs_f64();
        let mut found = Found::nothing(self.scenario, self.workers);
        found.schedules = tally.schedules;
        found.known = tally.known;
        found.polls = tally.polls;
        found.expiries = tally.expiries;
        found.recoveries = tally.recoveries;
        found.crashes = (self.has_crashes() && tally.schedules > 0).then_some(tally.crashes);
        found.could_crash = tally.could_crash;
        found.errors = tally.errors.all();
        found.problem = tally.problem;
        found.starts_afresh = starts_afresh;
        if let Some(finding) = finding {
            found.replayed = finding.replayed;
            found.counterexample = Some(finding.trace);
        }
        if !tally.touched && found.schedules > 0 && found.counterexample.is_none() {
            found.problem.get_or_insert_with(|| UNSEEN.to_owned());
        }
        found.complete = planner.complete();
        found.strayed = planner.strayed();
        found.settle_time = planner.settle_time;
        found.interrupted = self.interrupted.load(Ordering::Relaxed);
        found.seconds = planner.seconds;
        Ok(found)
    }

    /// Number of explorers: on a server that was not started for the run, they would meet.
    fn explorers(&self) -> usize {
        match self.server {
            Some(server) if !server.is_ours() => 1,
            _ => self.jobs.max(1),
        }
    }

    /// Works until the search is over.
    fn explore(&self, number: usize, shared: &Shared<'_>) {
        let _leaves = Leaves(shared);
        let Some(first) = self.next_task(number, shared) else {
            return;
        };
        let own = match self.own_server(number) {
            Ok(own) => own,
            Err(error) => return shared.lock().fail(error.into()),
        };
        let search = match &own {
            Some((server, lock)) => Search {
                server: Some(server),
                lock,
                ..self.clone()
            },
            None => self.clone(),
        };
        let mut controller = match search.controller_of(number) {
            Ok(controller) => controller,
            Err(error) => return shared.lock().fail(error),
        };
        let mut next = Some(first);
        while let Some((task, settle_time)) = next {
            let search = Search {
                settle_time,
                ..search.clone()
            };
            self.perform(&search, number, task, &mut controller, shared);
            shared.changed.notify_all();
            next = self.next_task(number, shared);
        }
    }

    /// The server of an explorer that cannot use that of the first one, and the lock on it. It ends
    /// with the thread that starts it.
    fn own_server(&self, explorer: usize) -> Result<Option<(Server, LockUnderTest)>, ServerError> {
        let engine = self.server.and_then(Server::engine);
        let Some(engine) = engine.filter(|_| explorer > 0) else {
            return Ok(None);
        };
        let server = Server::start(engine, &self.base.join(format!("server-{explorer}")))?;
        let lock = self.lock.clone();
        let lock = lock.on_server(server.address(), server.environment());
        Ok(Some((server, lock)))
    }

    /// Waits for work.
    fn next_task(&self, number: usize, shared: &Shared<'_>) -> Option<(Task, Duration)> {
        let mut coordinator = shared.lock();
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                coordinator.stop();
            }
            match coordinator.offer(number, shared.ends()) {
                Offer::Task(task) => return Some((task, coordinator.planner().settle_time)),
                Offer::Stop => return None,
                Offer::Wait => {
                    let waited = shared.changed.wait_timeout(coordinator, PROGRESS);
                    coordinator = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// Lets an explorer with this search of its own do a piece of work.
    fn perform(
        &self,
        search: &Search<'_>,
        explorer: usize,
        task: Task,
        controller: &mut Controller<'_>,
        shared: &Shared<'_>,
    ) {
        match task {
            Task::Run {
                number,
                plan,
                restarts,
            } => {
                let mut trace = run(controller, &search.config(false), plan.scheduler().as_mut());
                if let Ok(trace) = &mut trace {
                    for error in &mut trace.errors {
                        *error = self.as_by_the_first(explorer, search.server, error);
                    }
                }
                let mut coordinator = shared.lock();
                if let Some(why) = controller.starts_afresh() {
                    coordinator.start_afresh(why);
                }
                if search.server.is_none() && controller.uses_servers() {
                    coordinator.go_on_alone();
                }
                coordinator.ran(number, restarts, trace);
            }
            Task::CheckInRealTime(first) => {
                let checked = search.follow(controller, &first.moves(), true);
                shared.lock().checked_in_real_time(first, checked);
            }
            Task::Confirm(first) => {
                let short = search.confirm(controller, first.clone());
                shared.lock().confirmed(first, short);
            }
            Task::ConfirmInRealTime(first) => {
                let checked = search.confirm(controller, first.clone());
                let checked = checked.and_then(|(short, replayed)| {
                    Ok((search.follow(controller, &short.moves(), true)?, replayed))
                });
                shared.lock().confirmed_in_real_time(first, checked);
            }
        }
    }

    /// Runs a schedule again, which another explorer may have found, shortens it and replays it.
    /// Returns it with the number of replays that took the same
    /// steps to the same end, and the number of all replays.
    fn confirm(
        &self,
        controller: &mut Controller<'_>,
        found: Trace,
    ) -> Result<(Trace, (usize, usize)), ExploreError> {
        // The names of its files are those of this explorer, and its files are identified.
        let again = self.follow(controller, &found.moves(), false)?;
        let trace = match same_end(&again.end, &found.end) {
            true => again,
            false => found,
        };
        let short = self.shrink(controller, trace)?;
        let replayed = self.replay(controller, &short)?;
        Ok((short, replayed))
    }

    /// Replays a counterexample.
    fn replay(
        &self,
        controller: &mut Controller<'_>,
        trace: &Trace,
    ) -> Result<(usize, usize), ExploreError> {
        let moves = trace.moves();
        let mut same = 0;
        let began = Instant::now();
        for run in 0..REPLAYS {
            if run >= FEWEST_REPLAYS && began.elapsed() > REPLAY_TIME {
                return Ok((same, run));
            }
            let again = self.follow(controller, &moves, false)?;
            if again.end == super::end::End::Interrupted {
                return Ok((same, run));
            }
            same += usize::from(same_end(&again.end, &trace.end) && again.moves() == moves);
        }
        Ok((same, REPLAYS))
    }
}
