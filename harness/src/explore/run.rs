//! One schedule from beginning to end, and what it comes to.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::foreign::judge::{LeaseRule, nanoseconds};
use crate::foreign::protocol::{Answer, Verb};

use super::call::Kind;
use super::schedule::{Step, What};
use super::stage::Stage;
use super::strategy::{Candidate, Chooser, Readiness, View};

/// What befalls the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    /// All acquire and release.
    Contend,
    /// One has died in the section, an hour ago; then all acquire and release.
    Die,
    /// All acquire, release, and remove the lock in the library's own way.
    Remove,
    /// As contend, and somebody deletes the files of the lock at some time.
    Unlink,
}

impl Plot {
    /// All of them.
    pub const ALL: [Plot; 4] = [Plot::Contend, Plot::Die, Plot::Remove, Plot::Unlink];

    /// As in `stress`.
    pub fn word(self) -> &'static str {
        match self {
            Plot::Contend => "contend",
            Plot::Die => "die",
            Plot::Remove => "remove",
            Plot::Unlink => "unlink",
        }
    }
}

/// How a schedule ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Everybody was in the section, one after the other.
    Clean,
    /// Two were in at once.
    Overlap {
        /// Who was in.
        first: usize,
        /// Who came in as well.
        second: usize,
    },
    /// Two were in at once, but the first may have outlived its lease, in real time.
    LeaseExpired,
    /// Nobody can go on, or nobody gets any further.
    Stuck(String),
    /// All who wait look again and again, and time does not pass for them as it does outside: whether they would ever get it is not known.
    Polls,
    /// A worker ended by itself, or hangs.
    Failed(String),
}

/// What a schedule was and came to.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What was done.
    pub(super) steps: Vec<Step>,
    /// What it came to.
    pub end: End,
    /// What the library failed with.
    pub errors: Vec<String>,
}

impl Trace {
    /// Who took each step.
    pub fn choices(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.actor).collect()
    }
}

/// A schedule that is longer leads nowhere.
const MOST_STEPS: usize = 3_000;
/// Nor does one that takes longer.
const MOST_TIME: Duration = Duration::from_secs(20);
/// So many steps without anybody getting any further.
const NO_PROGRESS: usize = 400;
/// So often everybody sleeps and looks again, and nothing has changed.
const IDLE_ROUNDS: usize = 10;
/// For so long one waits for what is not watched, as a server.
const ELSEWHERE: Duration = Duration::from_secs(3);

struct Part {
    script: VecDeque<Verb>,
    nth: usize,
    /// In the section since this step, and this moment.
    inside: Option<(usize, Instant)>,
    /// The step after which it began to look.
    woke_at: usize,
    /// How often it has slept since anybody got any further.
    naps: usize,
}

/// Runs one schedule with so many actors.
pub fn run(
    stage: &mut Stage<'_>,
    plot: Plot,
    actors: usize,
    lease: Option<Duration>,
    chooser: &mut dyn Chooser,
) -> Result<Trace, String> {
    let hidden = usize::from(plot == Plot::Die);
    stage.set(actors + hidden)?;
    if plot == Plot::Die {
        let victim = actors;
        match stage.tell_freely(victim, Verb::Acquire)? {
            Answer::Acquired => {}
            other => return Err(format!("the first worker answered `{other}` to `acquire`")),
        }
        stage.end(victim);
        stage.age(Duration::from_secs(3600) + lease.unwrap_or_default());
    }
    let script: &[Verb] = match plot {
        Plot::Remove => &[Verb::Acquire, Verb::Release, Verb::Remove],
        _ => &[Verb::Acquire, Verb::Release],
    };
    let parts = (0..actors)
        .map(|_| Part {
            script: script.iter().copied().collect(),
            nth: 0,
            inside: None,
            woke_at: 0,
            naps: 0,
        })
        .collect();
    let mut run = Run {
        stage,
        parts,
        steps: Vec::new(),
        errors: Vec::new(),
        lease,
        last_progress: 0,
        fingerprint: Vec::new(),
        changed_at: 0,
        idle_rounds: 0,
        unlinks: plot == Plot::Unlink,
    };
    let end = run.play(chooser);
    Ok(Trace {
        end,
        steps: run.steps,
        errors: run.errors,
    })
}

struct Run<'a, 'b> {
    stage: &'a mut Stage<'b>,
    parts: Vec<Part>,
    steps: Vec<Step>,
    errors: Vec<String>,
    lease: Option<Duration>,
    last_progress: usize,
    /// The names, inodes and sizes in the directory after the last step.
    fingerprint: Vec<(String, u64, u64)>,
    /// The last step that changed anything for the others.
    changed_at: usize,
    idle_rounds: usize,
    /// The files are still to be deleted; that is the step of an actor of its own.
    unlinks: bool,
}

impl Run<'_, '_> {
    fn play(&mut self, chooser: &mut dyn Chooser) -> End {
        let began = Instant::now();
        loop {
            if began.elapsed() > MOST_TIME {
                return End::Failed(format!(
                    "a schedule took more than {} s",
                    MOST_TIME.as_secs()
                ));
            }
            self.stage.catch_up();
            if let Some(end) = self.listen() {
                return end;
            }
            let candidates = self.candidates();
            if candidates.is_empty() {
                if let Some(end) = self.nobody_can_go_on() {
                    return end;
                }
                continue;
            }
            if self.steps.len() - self.last_progress > NO_PROGRESS * self.parts.len() {
                // While somebody is in the section, the others wait with good reason.
                return match self.parts.iter().any(|part| part.inside.is_some()) {
                    true => {
                        End::Failed("nobody gets any further while one is in the section".into())
                    }
                    false => End::Polls,
                };
            }
            if self.steps.len() > MOST_STEPS {
                return End::Failed(format!("the schedule has more than {MOST_STEPS} steps"));
            }
            if candidates
                .iter()
                .all(|candidate| candidate.readiness == Readiness::Yielded)
            {
                self.idle_rounds += 1;
                if self.idle_rounds > IDLE_ROUNDS * self.parts.len() {
                    return End::Polls;
                }
            }
            let view = View {
                candidates: &candidates,
                last: self.steps.last().map(|step| step.actor),
                at: self.steps.len(),
            };
            let actor = chooser.choose(&view);
            self.step(actor);
            if let Some(end) = self.listen() {
                return end;
            }
        }
    }

    fn outsider(&self) -> usize {
        self.parts.len()
    }

    fn candidates(&self) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (actor, part) in self.parts.iter().enumerate() {
            let state = &self.stage.actors[actor];
            let commanded = state.told.is_none() && !part.script.is_empty();
            let at_call = state.told.is_some() && !state.parked.is_empty() && !state.blocked;
            if state.gone || !(commanded || at_call) {
                continue;
            }
            let sleeps = state
                .parked
                .front()
                .is_some_and(|(_, call)| call.kind == Kind::Sleeps);
            let readiness = match part.inside {
                Some((since, _)) if commanded => Readiness::Holding { since },
                // Nothing has changed since it began to look: it would find what it has found.
                _ if at_call && sleeps && (self.changed_at <= part.woke_at || part.naps >= 2) => {
                    Readiness::Yielded
                }
                _ => Readiness::Ready,
            };
            candidates.push(Candidate {
                actor,
                nth: part.nth,
                readiness,
            });
        }
        // Deleting waits until somebody is in the section, by default.
        if self.unlinks && self.parts.iter().any(|part| part.inside.is_some()) {
            candidates.push(Candidate {
                actor: self.outsider(),
                nth: 0,
                readiness: Readiness::Ready,
            });
        }
        candidates
    }

    fn step(&mut self, actor: usize) {
        if actor == self.outsider() {
            self.stage.unlink();
            self.unlinks = false;
            let call = super::call::Call {
                kind: Kind::TakesOrRemoves,
                name: "unlink",
                target: "everything".into(),
                blocking: None,
                fd: None,
                nr: 0,
            };
            let what = What::Did {
                call,
                result: 0,
                inode: None,
            };
            self.steps.push(Step {
                actor,
                nth: 0,
                what,
                answers: Vec::new(),
            });
            return;
        }
        let part = &mut self.parts[actor];
        let nth = part.nth;
        part.nth += 1;
        let state = &self.stage.actors[actor];
        let what = match (state.told, part.script.front()) {
            (None, Some(_)) => {
                let verb = part.script.pop_front().unwrap_or(Verb::Release);
                if verb == Verb::Release {
                    part.inside = None;
                }
                self.last_progress = self.steps.len();
                self.stage.tell(actor, verb)
            }
            _ => self.stage.perform(actor),
        };
        // What changes anything may let those go on that wait for a lock.
        let changes = match &what {
            What::Did { call, .. } => !matches!(call.kind, Kind::Looks | Kind::Sleeps),
            What::Told(_) => true,
            What::Waits { .. } => false,
        };
        if changes {
            for (other, state) in self.stage.actors.iter_mut().enumerate() {
                state.blocked &= other == actor;
            }
        }
        let wakes = matches!(&what, What::Did { call, .. } if call.kind == Kind::Sleeps)
            || matches!(what, What::Told(_));
        let fingerprint = self.stage.fingerprint();
        let locks = matches!(&what, What::Did { call, result, .. }
            if *result >= 0 && ["flock", "lock", "funlock", "unlock"].contains(&call.name));
        let changed = locks || matches!(what, What::Told(_)) || fingerprint != self.fingerprint;
        self.fingerprint = fingerprint;
        self.steps.push(Step {
            actor,
            nth,
            what,
            answers: Vec::new(),
        });
        if changed {
            self.has_changed();
        }
        if wakes {
            self.parts[actor].woke_at = self.steps.len();
            self.parts[actor].naps += 1;
        }
    }

    fn has_changed(&mut self) {
        self.changed_at = self.steps.len();
        self.idle_rounds = 0;
    }

    /// Takes note of answers; says how it ended if they end it.
    fn listen(&mut self) -> Option<End> {
        for actor in 0..self.parts.len() {
            for answer in self.stage.take_answers(actor) {
                self.last_progress = self.steps.len();
                for part in &mut self.parts {
                    part.naps = 0;
                }
                self.has_changed();
                if let Some(step) = self.steps.iter_mut().rev().find(|step| step.actor == actor) {
                    step.answers.push(answer.clone());
                }
                let part = &mut self.parts[actor];
                match answer {
                    Answer::Acquired => {
                        part.inside = Some((self.steps.len(), Instant::now()));
                        let other = self
                            .parts
                            .iter()
                            .enumerate()
                            .find(|(other, part)| *other != actor && part.inside.is_some());
                        if let Some((first, part)) = other
                            && let Some((_, since)) = part.inside
                        {
                            let rule = LeaseRule {
                                lease: self.lease.map(nanoseconds),
                                longest_hold: 0,
                            };
                            return Some(
                                match rule.may_be_over(nanoseconds(since.elapsed()), false) {
                                    true => End::LeaseExpired,
                                    false => End::Overlap {
                                        first,
                                        second: actor,
                                    },
                                },
                            );
                        }
                    }
                    Answer::Error(text) => {
                        self.errors.push(text);
                        // What was not acquired is not released.
                        if part.inside.is_none() && part.script.front() == Some(&Verb::Release) {
                            part.script.pop_front();
                        }
                    }
                    Answer::Lost(_) => part.inside = None,
                    _ => {}
                }
            }
            if self.stage.actors[actor].gone {
                return Some(End::Failed(format!("worker {actor} has ended by itself")));
            }
        }
        None
    }

    fn nobody_can_go_on(&mut self) -> Option<End> {
        let unfinished: Vec<usize> = (0..self.parts.len())
            .filter(|&actor| {
                self.stage.actors[actor].told.is_some() || !self.parts[actor].script.is_empty()
            })
            .collect();
        if unfinished.is_empty() {
            return Some(End::Clean);
        }
        if self.stage.actors.iter().any(|actor| actor.waits_elsewhere)
            && self.stage.wait_elsewhere(ELSEWHERE)
        {
            return None;
        }
        let who: Vec<String> = unfinished.iter().map(usize::to_string).collect();
        Some(End::Stuck(format!(
            "nobody is in the section, and worker {} waits for ever",
            who.join(" and ")
        )))
    }
}
