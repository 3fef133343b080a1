//! Looks for a schedule in which two are in the section, and makes it as short as it can.

use std::time::{Duration, Instant};

use crate::foreign::LockUnderTest;
use crate::foreign::crew::Recruiter;
use crate::foreign::tally::Quotes;
use crate::report::Quoted;

use super::run::{End, Plot, Trace, run};
use super::schedule::{segments, switches};
use super::stage::Stage;
use super::strategy::{Chooser, Mix, Replay, Strategy};

/// What bounds a search.
#[derive(Clone, Debug)]
pub struct Budget {
    /// At most so long.
    pub time: Duration,
    /// At most so many.
    pub schedules: usize,
}

/// What a search has come to.
#[derive(Clone, Debug)]
pub struct Found {
    /// What befell the lock.
    pub plot: Plot,
    /// How many acquired it.
    pub parties: usize,
    /// How many schedules were run.
    pub schedules: usize,
    /// How long that took, shrinking and replays included.
    pub seconds: f64,
    /// All schedules with at most so many delays were tried.
    pub complete: Option<usize>,
    /// The shortest schedule that breaks the lock, or gets it stuck.
    pub counterexample: Option<Trace>,
    /// How many of how many runs of it came to the same.
    pub replayed: (usize, usize),
    /// Schedules in which a lease may have run out.
    pub expiries: usize,
    /// Schedules in which nobody got any further by looking again and again; `stress` tells whether the lock is stuck.
    pub polls: usize,
    /// What the library failed with, and how often.
    pub errors: Vec<Quoted>,
    /// What went wrong with the workers.
    pub problem: Option<String>,
}

/// One plot of one lock, with so many parties.
pub struct Search<'a> {
    /// Which.
    pub lock: &'a LockUnderTest,
    /// What befalls it.
    pub plot: Plot,
    /// How many acquire it.
    pub parties: usize,
    /// Of the random schedules, and of the lock's name.
    pub seed: u64,
    /// The lock's lease, if it has one.
    pub lease: Option<Duration>,
    /// An empty directory.
    pub base: std::path::PathBuf,
}

impl Search<'_> {
    /// The workers, ready for schedules.
    pub fn stage(&self) -> Result<Stage<'_>, String> {
        let name = format!("lock-{:x}-{}", self.seed & 0xffff, self.plot.word());
        let recruiter = Recruiter::new(self.lock, self.base.clone(), name, 1, self.seed)
            .map_err(|error| format!("no directory for the workers: {error}"))?;
        on_one_processor();
        Stage::new(recruiter).map_err(|error| format!("no directory for the workers: {error}"))
    }

    fn one(&self, stage: &mut Stage<'_>, chooser: &mut dyn Chooser) -> Result<Trace, String> {
        run(stage, self.plot, self.parties, self.lease, chooser)
    }

    /// Tries schedules until one breaks the lock or the budget is spent.
    pub fn search(&self, budget: &Budget, stop: &dyn Fn() -> bool) -> Result<Found, String> {
        let began = Instant::now();
        let mut stage = self.stage()?;
        let mut found = Found {
            plot: self.plot,
            parties: self.parties,
            schedules: 0,
            seconds: 0.0,
            complete: None,
            counterexample: None,
            replayed: (0, 0),
            expiries: 0,
            polls: 0,
            errors: Vec::new(),
            problem: None,
        };
        let mut errors = Quotes::default();
        let mut strategy = Mix::new(self.seed);
        while found.schedules < budget.schedules && began.elapsed() < budget.time && !stop() {
            let Some(mut chooser) = strategy.next() else {
                break;
            };
            let trace = self.one(&mut stage, chooser.as_mut())?;
            strategy.learn(&trace.steps);
            found.schedules += 1;
            for error in &trace.errors {
                errors.add(error);
            }
            match &trace.end {
                End::Clean => {}
                End::Polls => found.polls += 1,
                End::LeaseExpired => found.expiries += 1,
                End::Failed(why) => drop(found.problem.get_or_insert(why.clone())),
                End::Overlap { .. } | End::Stuck(_) => {
                    let short = self.shrink(&mut stage, trace)?;
                    let runs = 10;
                    let same = self.replay(&mut stage, &short, runs)?;
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
        found.errors = errors.all();
        found.complete = strategy.complete();
        found.seconds = began.elapsed().as_secs_f64();
        Ok(found)
    }

    /// Runs a schedule so often, and counts how often it came to the same.
    pub fn replay(
        &self,
        stage: &mut Stage<'_>,
        trace: &Trace,
        times: usize,
    ) -> Result<usize, String> {
        let choices = trace.choices();
        let mut same = 0;
        for _ in 0..times {
            let again = self.one(stage, &mut Replay::new(&choices))?;
            same += usize::from(same_end(&again.end, &trace.end) && again.choices() == choices);
        }
        Ok(same)
    }

    /// Runs these choices once.
    pub fn follow(&self, stage: &mut Stage<'_>, choices: &[usize]) -> Result<Trace, String> {
        self.one(stage, &mut Replay::new(choices))
    }

    /// Fewer switches, and then fewer steps, as long as it comes to the same.
    fn shrink(&self, stage: &mut Stage<'_>, found: Trace) -> Result<Trace, String> {
        let size = |trace: &Trace| (switches(&trace.choices()), trace.steps.len());
        // A schedule that gets stuck is long by nature.
        let limit = Duration::from_secs(if matches!(found.end, End::Stuck(_)) {
            3
        } else {
            15
        });
        let began = Instant::now();
        let mut best = found;
        'again: loop {
            let parts = segments(&best.choices());
            for candidate in shorter(&parts) {
                if began.elapsed() > limit {
                    return Ok(best);
                }
                let trace = self.follow(stage, &candidate)?;
                if same_end(&trace.end, &best.end) && size(&trace) < size(&best) {
                    best = trace;
                    continue 'again;
                }
            }
            return Ok(best);
        }
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

fn same_end(one: &End, other: &End) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// Schedules with a switch less: a segment left out, or joined with the next or the last one of the same actor.
fn shorter(parts: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let flat = |parts: &[(usize, usize)]| -> Vec<usize> {
        parts
            .iter()
            .flat_map(|&(actor, count)| std::iter::repeat_n(actor, count))
            .collect()
    };
    let mut all = Vec::new();
    for at in 0..parts.len() {
        let mut without = parts.to_vec();
        let taken = without.remove(at);
        all.push(flat(&without));
        if let Some(later) = (at..without.len()).find(|&later| without[later].0 == taken.0) {
            let mut joined = without.clone();
            joined[later].1 += taken.1;
            all.push(flat(&joined));
        }
        if let Some(earlier) = (0..at).rev().find(|&earlier| without[earlier].0 == taken.0) {
            let mut joined = without.clone();
            joined[earlier].1 += taken.1;
            all.push(flat(&joined));
        }
        if parts[at].1 > 1 {
            let mut fewer = parts.to_vec();
            fewer[at].1 -= 1;
            all.push(flat(&fewer));
        }
    }
    all
}
