//! Looks for a schedule in which two are in the section, and makes it as short as it can.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::stress::statistics::Quotes;
use crate::workers::LockUnderTest;
use crate::workers::pool::WorkerSpawner;

use super::arch::SUPPORTED;
use super::end::End;
use super::error::ExploreError;
use super::found::Found;
use super::run::{Scene, run};
use super::schedule::Step;
use super::stage::Stage;
use super::strategy::{Choice, Replay};
use super::trace::Trace;
use crate::model::Scenario;

/// What bounds a search.
#[derive(Clone, Debug)]
pub struct Budget {
    /// At most so long.
    pub time: Duration,
    /// At most so many.
    pub schedules: usize,
}

/// One plot of one lock, with so many parties.
pub struct Search<'a> {
    /// Which.
    pub lock: &'a LockUnderTest,
    /// What befalls it.
    pub plot: Scenario,
    /// How many acquire it.
    pub parties: usize,
    /// How often each of them does.
    pub rounds: usize,
    /// How schedules are made up.
    pub strategy: Choice,
    /// Of the random schedules, and of the lock's name.
    pub seed: u64,
    /// The lock's lease, if it has one.
    pub lease: Option<Duration>,
    /// An empty directory.
    pub base: std::path::PathBuf,
    /// How long a holder that has died lies there before the others begin, in real time; a search finds out whether that is needed.
    pub rest: Duration,
    /// Everything ends soon after somebody has set this.
    pub interrupted: &'a AtomicBool,
}

/// What is added to the rest that a lock has been seen to need.
const MARGIN: Duration = Duration::from_millis(200);
/// Why nothing is known of a lock that nobody was seen to use.
const UNSEEN: &str = "no call that touches the lock was seen: it lies elsewhere (LOCKUTILS_DIR says where it is to be), on a server or in memory, or \
                      others than the workers make its calls";
/// Replays end after so long; three are made in any case.
const REPLAYS: Duration = Duration::from_secs(6);

/// How far a search is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// How many schedules were run.
    pub schedules: usize,
    /// For how long.
    pub elapsed: Duration,
    /// What was found is being made shorter.
    pub shrinks: bool,
}

impl<'a> Search<'a> {
    /// The workers, ready for schedules.
    pub fn stage(&self) -> Result<Stage<'a>, ExploreError> {
        if !SUPPORTED {
            let architecture = std::env::consts::ARCH;
            return Err(ExploreError::Processor { architecture });
        }
        let name = format!("lock-{:x}-{}", self.seed & 0xffff, self.plot.word());
        let spawner = WorkerSpawner::new(self.lock, self.base.clone(), name, 1, self.seed)
            .map_err(ExploreError::Directory)?
            .unless(self.interrupted);
        on_one_processor();
        Stage::new(spawner).map_err(ExploreError::Directory)
    }

    fn scene(&self, patient: bool) -> Scene {
        Scene {
            plot: self.plot,
            parties: self.parties,
            rounds: self.rounds,
            lease: self.lease,
            patient,
            rest: self.rest,
        }
    }

    /// Tries schedules until one breaks the lock or the budget is spent.
    pub fn search(
        &mut self,
        budget: &Budget,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Found, ExploreError> {
        let began = Instant::now();
        let mut stage = self.stage()?;
        let mut found = Found::nothing(self.plot, self.parties);
        let mut errors = Quotes::default();
        let mut strategy = self.strategy.strategy(self.seed);
        // Whether any call on the lock was.
        let mut seen = false;
        while found.schedules < budget.schedules && began.elapsed() < budget.time {
            let mut sofar = Progress {
                schedules: found.schedules,
                elapsed: began.elapsed(),
                shrinks: false,
            };
            progress(sofar);
            let Some(mut chooser) = strategy.next() else {
                break;
            };
            // Whether they would get it in real time is looked at once.
            let scene = self.scene(found.polls == 0);
            let trace = run(&mut stage, &scene, chooser.as_mut())?;
            if trace.end == End::Interrupted {
                break;
            }
            strategy.learn(&trace.steps);
            let by_a_worker = |step: &Step| step.actor < self.parties && step.touches_the_lock();
            seen = seen || trace.steps.iter().any(by_a_worker);
            if trace.end == End::Known {
                found.known += 1;
                continue;
            }
            found.schedules += 1;
            for error in &trace.errors {
                errors.add(error);
            }
            match &trace.end {
                End::Clean | End::Known | End::Interrupted => {}
                End::Polls(got_after) => {
                    found.polls += 1;
                    if let Some(after) = got_after
                        && self.plot == Scenario::Die
                        && found.polls == found.schedules
                    {
                        // Nobody has got it without. The lock looks at times that cannot be set back, as st_ctime (inode(7)).
                        self.rest = *after + MARGIN;
                        // What it has learned is how all looked in vain.
                        strategy = self.strategy.strategy(self.seed);
                    }
                }
                End::LeaseExpired => found.expiries += 1,
                End::Failed(why) => drop(found.problem.get_or_insert(why.to_string())),
                // Whatever they wait for, it is not what is scheduled here.
                End::Stuck(_) if !seen => break,
                // It took its time already, and is not the scheduler's doing.
                End::Stuck(_) if trace.looked_in_real_time() => {
                    found.counterexample = Some(trace);
                    found.replayed = (1, 1);
                    break;
                }
                End::Overlap { .. } | End::Stuck(_) => {
                    sofar.shrinks = true;
                    progress(sofar);
                    let short = self.shrink(&mut stage, trace)?;
                    let (same, runs) = self.replay(&mut stage, &short, 10)?;
                    if matches!(short.end, End::Stuck(_)) && same < runs {
                        // Two in the section are two in the section; but who is stuck now and then only may have been slow.
                        found.problem.get_or_insert_with(|| {
                            format!(
                                "{}, but in {same} of {runs} runs only",
                                super::story::ending(&short.end)
                            )
                        });
                        continue;
                    }
                    found.replayed = (same, runs);
                    found.counterexample = Some(short);
                    break;
                }
            }
        }
        if !seen && found.schedules > 0 && found.counterexample.is_none() {
            found.problem.get_or_insert_with(|| UNSEEN.to_owned());
        }
        found.errors = errors.all();
        found.complete = strategy.complete();
        found.rest = self.rest;
        found.interrupted = stage.is_interrupted();
        found.seconds = began.elapsed().as_secs_f64();
        Ok(found)
    }

    /// Runs these choices, and nothing else; looks in real time, if asked to, whether those that look in vain get the lock.
    pub(crate) fn only(&self, choices: &[usize], patient: bool) -> Result<Found, ExploreError> {
        let began = Instant::now();
        let mut stage = self.stage()?;
        let trace = self.follow(&mut stage, choices, patient)?;
        let mut found = Found::nothing(self.plot, self.parties);
        found.schedules = 1;
        found.seconds = began.elapsed().as_secs_f64();
        let mut errors = Quotes::default();
        for error in &trace.errors {
            errors.add(error);
        }
        found.errors = errors.all();
        match &trace.end {
            End::Overlap { .. } | End::Stuck(_) => {
                found.replayed = (1, 1);
                found.counterexample = Some(trace);
            }
            End::Failed(why) => found.problem = Some(why.to_string()),
            End::Polls(_) => found.polls = 1,
            End::LeaseExpired => found.expiries = 1,
            End::Clean | End::Known | End::Interrupted => {}
        }
        Ok(found)
    }

    /// Runs a schedule so often, and counts in how many of how many runs it came to the same.
    fn replay(
        &self,
        stage: &mut Stage<'_>,
        trace: &Trace,
        times: usize,
    ) -> Result<(usize, usize), ExploreError> {
        let choices = trace.choices();
        let mut same = 0;
        let began = Instant::now();
        for run in 0..times {
            if run >= 3 && began.elapsed() > REPLAYS {
                return Ok((same, run));
            }
            let again = self.follow(stage, &choices, false)?;
            if again.end == End::Interrupted {
                return Ok((same, run));
            }
            same += usize::from(same_end(&again.end, &trace.end) && again.choices() == choices);
        }
        Ok((same, times))
    }

    /// Runs these choices once; looks in real time, if asked to, whether those that look in vain get the lock.
    pub fn follow(
        &self,
        stage: &mut Stage<'_>,
        choices: &[usize],
        patient: bool,
    ) -> Result<Trace, ExploreError> {
        run(stage, &self.scene(patient), &mut Replay::new(choices))
    }
}

/// One runs at a time: on one processor, they hand over five times quicker (17 µs a stop instead of 98, measured in a trial).
fn on_one_processor() {
    let me = nix::unistd::Pid::from_raw(0);
    if let Ok(allowed) = nix::sched::sched_getaffinity(me)
        && let Some(first) =
            (0..nix::sched::CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap_or(false))
    {
        let mut one = nix::sched::CpuSet::new();
        // Without it, it is only slower.
        let _ = one
            .set(first)
            .and_then(|()| nix::sched::sched_setaffinity(me, &one));
    }
}

pub(super) fn same_end(one: &End, other: &End) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}
