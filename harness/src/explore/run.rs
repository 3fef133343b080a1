//! One schedule from beginning to end, and what it comes to.

use std::time::{Duration, Instant};

use crate::protocol::{Answer, Verb, excerpt};
use crate::stress::judge::{LeaseRule, nanoseconds};
use crate::workers::pool::stderr_of;

use super::command::Command;
use super::end::{End, FailureReason, StuckReason};
use super::error::ExploreError;
use super::part::Part;
use super::schedule::{Step, What};
use super::script::script;
use super::stage::{HANGS, Stage, WorkerState};
use super::strategy::{Candidate, Chooser, Readiness, View};
use super::syscalls::{Call, Effect, Footprint, Operation};
use super::trace::Trace;
use crate::model::Scenario;

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
/// And for so long for the end of a wait that has one.
const MOST_WAIT: Duration = Duration::from_secs(12);
/// Who has not got the lock after so long in real time will not get it.
const IN_REAL_TIME: Duration = Duration::from_secs(12);

/// What a schedule is about.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub plot: Scenario,
    pub parties: usize,
    pub rounds: usize,
    pub lease: Option<Duration>,
    /// Whether to look in real time if all who wait poll in vain.
    pub patient: bool,
    /// So long a holder has been dead in real time, since not all times of a file can be set back.
    pub rest: Duration,
}

/// Runs one schedule.
pub fn run(
    stage: &mut Stage<'_>,
    scene: &Scene,
    chooser: &mut dyn Chooser,
) -> Result<Trace, ExploreError> {
    let actors = scene.parties;
    if let Err(why) = set_the_scene(stage, scene) {
        return match stage.is_interrupted() {
            true => Ok(Trace {
                end: End::Interrupted,
                steps: Vec::new(),
                errors: Vec::new(),
            }),
            false => Err(why),
        };
    }
    let set_at = Instant::now();
    let script = script(scene.plot, scene.rounds);
    let parts = (0..actors)
        .map(|_| Part::new(script.iter().copied().collect()))
        .collect();
    let mut run = Run {
        stage,
        parts,
        steps: Vec::new(),
        errors: Vec::new(),
        scene: *scene,
        set_at,
        last_progress: 0,
        fingerprint: Vec::new(),
        changed_at: 0,
        idle_rounds: 0,
        unlinks: scene.plot == Scenario::Unlink,
    };
    let end = match run.play(chooser) {
        // What was waited for was cut short.
        End::Failed(_) | End::Stuck(_) | End::Polls(_) if run.stage.is_interrupted() => {
            End::Interrupted
        }
        end => end,
    };
    Ok(Trace {
        end,
        steps: run.steps,
        errors: run.errors,
    })
}

/// Fresh workers, and what has happened before they begin.
fn set_the_scene(stage: &mut Stage<'_>, scene: &Scene) -> Result<(), ExploreError> {
    let hidden = usize::from(scene.plot == Scenario::Die);
    stage.set(scene.parties + hidden)?;
    if scene.plot == Scenario::Die {
        let victim = scene.parties;
        match stage.tell_freely(victim, Verb::Acquire)? {
            Answer::Acquired => {}
            other => return Err(ExploreError::FirstWorker(other)),
        }
        stage.end(&[victim]);
        stage.age(Duration::from_secs(3600) + scene.lease.unwrap_or_default());
        stage.rest(scene.rest);
    }
    Ok(())
}

struct Run<'a, 'b> {
    stage: &'a mut Stage<'b>,
    parts: Vec<Part>,
    steps: Vec<Step>,
    errors: Vec<String>,
    scene: Scene,
    set_at: Instant,
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
            if self.stage.is_interrupted() {
                return End::Interrupted;
            }
            if began.elapsed() > MOST_TIME {
                return End::Failed(FailureReason::TooSlow { limit: MOST_TIME });
            }
            self.stage.catch_up();
            if let Some(end) = self.listen() {
                return end;
            }
            if let Some(actor) = self.computing() {
                return End::Failed(FailureReason::Computes {
                    worker: actor,
                    time: HANGS,
                });
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
                    true => End::Failed(FailureReason::NoProgress),
                    false => self.polls(),
                };
            }
            if self.steps.len() > MOST_STEPS {
                return End::Failed(FailureReason::TooLong { limit: MOST_STEPS });
            }
            if candidates.iter().all(|candidate| {
                candidate.readiness == Readiness::Yielded
                    && !self.parts[candidate.actor].takes_long()
            }) {
                self.idle_rounds += 1;
                if self.idle_rounds > IDLE_ROUNDS * self.parts.len() {
                    return self.polls();
                }
            }
            let view = View {
                candidates: &candidates,
                last: self.steps.last().map(|step| step.actor),
                steps: &self.steps,
            };
            let Some(actor) = chooser.choose(&view) else {
                return End::Known;
            };
            self.step(actor, candidates);
            if let Some(end) = self.listen() {
                return end;
            }
        }
    }

    /// All who wait look again and again, and nobody is in the section.
    fn polls(&mut self) -> End {
        if !self.scene.patient {
            return End::Polls(None);
        }
        if self.stage.let_go(IN_REAL_TIME) {
            return End::Polls(Some(self.set_at.elapsed()));
        }
        End::Stuck(StuckReason::InRealTime {
            waited: IN_REAL_TIME,
        })
    }

    fn computing(&self) -> Option<usize> {
        let mut workers = self.stage.actors.iter();
        workers.position(|worker| worker.state == WorkerState::Computing)
    }

    fn outsider(&self) -> usize {
        self.parts.len()
    }

    fn candidates(&self) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (actor, part) in self.parts.iter().enumerate() {
            let state = &self.stage.actors[actor];
            let commanded = state.told.is_none() && !part.script.is_empty();
            let at_call = state.stands_before_call();
            if state.state == WorkerState::Gone || !(commanded || at_call) {
                continue;
            }
            let sleeps = state
                .parked
                .front()
                .map_or(state.state == WorkerState::Dozing, |parked| {
                    parked.call.effect == Effect::Sleep
                });
            let readiness = match part.inside {
                Some((since, _)) if commanded => Readiness::Holding { since },
                _ if at_call
                    && (part.takes_long() || part.looks_in_vain(sleeps, self.changed_at)) =>
                {
                    Readiness::Yielded
                }
                _ => Readiness::Ready,
            };
            candidates.push(self.candidate(actor, readiness));
        }
        let looks_in_vain = |candidate: &Candidate| candidate.readiness == Readiness::Yielded;
        if candidates.iter().all(looks_in_vain) {
            candidates.extend(self.those_who_tidy_up());
        }
        // Deleting waits until somebody is in the section, by default.
        if self.unlinks && self.parts.iter().any(|part| part.inside.is_some()) {
            candidates.push(Candidate {
                actor: self.outsider(),
                nth: 0,
                readiness: Readiness::Ready,
                next: Footprint::of(&unlinking(), false),
            });
        }
        candidates
    }

    /// Workers that have answered and still do something, as closing a file: the others may wait for that.
    fn those_who_tidy_up(&self) -> impl Iterator<Item = Candidate> {
        let idle = (0..self.parts.len()).filter(|&actor| self.stage.tidies_up(actor));
        idle.map(|actor| self.candidate(actor, Readiness::Ready))
    }

    fn candidate(&self, actor: usize, readiness: Readiness) -> Candidate {
        Candidate {
            actor,
            nth: self.parts[actor].nth,
            readiness,
            next: self.stage.next_effect(actor),
        }
    }

    fn step(&mut self, actor: usize, candidates: Vec<Candidate>) {
        let mut step = Step {
            actor,
            nth: 0,
            what: What::Leaves,
            answers: Vec::new(),
            candidates,
        };
        if actor == self.outsider() {
            self.stage.unlink();
            self.unlinks = false;
            step.what = What::Did {
                call: unlinking(),
                result: 0,
                inode: None,
            };
            self.steps.push(step);
            for state in &mut self.stage.actors {
                state.unblocks();
            }
            self.has_changed();
            return;
        }
        let part = &mut self.parts[actor];
        step.nth = part.nth;
        part.nth += 1;
        let state = &self.stage.actors[actor];
        let what = match (state.told, part.script.front().copied()) {
            (None, Some(told)) => {
                part.script.pop_front();
                self.last_progress = self.steps.len();
                match told {
                    Command::Verb(verb) => {
                        if verb == Verb::Release {
                            part.inside = None;
                        }
                        self.stage.tell(actor, verb)
                    }
                    Command::Leave => self.stage.dismiss(actor),
                }
            }
            _ => self.stage.perform(actor),
        };
        // What changes anything may let those go on that wait for a lock.
        let changes = match &what {
            What::Did { call, .. } => call.effect.changes(),
            What::Told(_) | What::Leaves => true,
            What::Waits { .. } => false,
        };
        if changes {
            for (other, state) in self.stage.actors.iter_mut().enumerate() {
                if other != actor {
                    state.unblocks();
                }
            }
        }
        let mut changed = matches!(what, What::Told(_) | What::Leaves)
            || matches!(&what, What::Did { call, result, .. }
                if *result >= 0 && call.operation.changes_holder());
        if changes {
            let fingerprint = self.stage.fingerprint();
            changed |= fingerprint != self.fingerprint;
            self.fingerprint = fingerprint;
        }
        step.what = what;
        self.steps.push(step);
        if changed {
            self.has_changed();
        }
        let steps = self.steps.len();
        self.parts[actor].did(&self.steps[steps - 1].what, steps);
    }

    fn has_changed(&mut self) {
        self.changed_at = self.steps.len();
        self.idle_rounds = 0;
        for part in &mut self.parts {
            part.may_look_again();
        }
    }

    /// Takes note of answers; says how it ended if they end it.
    fn listen(&mut self) -> Option<End> {
        for actor in 0..self.parts.len() {
            for answer in self.stage.take_answers(actor) {
                self.last_progress = self.steps.len();
                for part in &mut self.parts {
                    part.gets_further();
                }
                self.has_changed();
                if let Some(step) = self.steps.iter_mut().rev().find(|step| step.actor == actor) {
                    step.answers.push(answer.clone());
                }
                let part = &mut self.parts[actor];
                match answer {
                    Answer::Acquired => {
                        part.inside = Some((self.steps.len(), Instant::now()));
                        let other = self.parts.iter().enumerate().find(|(other, part)| {
                            // Who has died holds nothing any more.
                            *other != actor && part.inside.is_some() && self.stage.lives(*other)
                        });
                        if let Some((first, part)) = other
                            && let Some((_, since)) = part.inside
                        {
                            let rule = LeaseRule {
                                lease: self.scene.lease.map(nanoseconds),
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
                        if part.inside.is_none()
                            && part.script.front() == Some(&Command::Verb(Verb::Release))
                        {
                            part.script.pop_front();
                        }
                    }
                    Answer::Lost(_) => part.inside = None,
                    Answer::Released | Answer::Removed => {}
                    other => {
                        return Some(End::Failed(FailureReason::UnexpectedAnswer {
                            worker: actor,
                            answer: other,
                            command: self.last_told(actor),
                        }));
                    }
                }
            }
            let state = &self.stage.actors[actor];
            // As it was told to.
            if state.state == WorkerState::Gone && state.told.is_none() && self.left(actor) {
                if let Err(why) = self.stage.replace(actor) {
                    return Some(End::Failed(FailureReason::NotReplaced(why.to_string())));
                }
                self.has_changed();
            }
            if self.stage.actors[actor].state == WorkerState::Gone {
                let stderr = stderr_of(&mut self.stage.actors[actor].process);
                return Some(End::Failed(FailureReason::Ended {
                    worker: actor,
                    stderr,
                }));
            }
        }
        None
    }

    /// Whether the last thing that a worker was told was to leave.
    fn left(&self, actor: usize) -> bool {
        self.last_told(actor) == Some(Command::Leave)
    }

    fn last_told(&self, actor: usize) -> Option<Command> {
        let mut steps = self.steps.iter().rev().filter(|step| step.actor == actor);
        steps.find_map(|step| match step.what {
            What::Told(verb) => Some(Command::Verb(verb)),
            What::Leaves => Some(Command::Leave),
            What::Did { .. } | What::Waits { .. } => None,
        })
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
        if self.stage.wait_elsewhere(ELSEWHERE, MOST_WAIT) {
            return None;
        }
        if self.stage.is_timed() {
            return Some(self.polls());
        }
        let misspoke = unfinished.iter().find_map(|&actor| {
            let line = self.stage.actors[actor].misspoke.as_ref()?;
            Some(FailureReason::NotOfTheProtocol {
                worker: actor,
                line: excerpt(line),
            })
        });
        if let Some(why) = misspoke {
            return Some(End::Failed(why));
        }
        Some(End::Stuck(StuckReason::ForEver {
            workers: unfinished,
        }))
    }
}

fn unlinking() -> Call {
    Call::from_outside(Operation::Unlink, Effect::Claim, "everything")
}
