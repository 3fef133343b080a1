//! What a killed worker had done last, and what it was about to do.

use crate::model::Verb;

use super::command::Command;
use super::schedule::{Action, Death, Step};
use super::syscalls::{Call, Operation};
use super::trace::Trace;

/// The kind of a death: two deaths of one kind leave the lock in the same state, as far as the
/// calls of the worker show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    wrapper: bool,
    inside: bool,
    command: Option<&'static str>,
    last: Option<&'static str>,
    next: Option<&'static str>,
}

/// A worker that was killed in a schedule.
#[derive(Debug)]
struct Dead<'a> {
    worker: usize,
    /// Set if only its wrapper was killed.
    wrapper: bool,
    death: &'a Death,
    /// Its last command.
    command: Option<Command>,
    /// Its last call that changed something.
    last: Option<&'a Call>,
}

/// The kinds of all deaths in a schedule.
pub fn kinds(trace: &Trace) -> Vec<Kind> {
    dead(trace).iter().map(Dead::kind).collect()
}

/// The deaths in a schedule, such as `worker 0 died in acquire, between creating a and writing to
/// it`.
pub fn sentences(trace: &Trace) -> Vec<String> {
    dead(trace).iter().map(Dead::sentence).collect()
}

/// The sentence about the death in step `at`, without its subject.
pub fn predicate(trace: &Trace, at: usize) -> Option<String> {
    dead_in(trace, at).map(|dead| dead.predicate())
}

fn dead(trace: &Trace) -> Vec<Dead<'_>> {
    let steps = 0..trace.steps.len();
    steps.filter_map(|at| dead_in(trace, at)).collect()
}

fn dead_in(trace: &Trace, at: usize) -> Option<Dead<'_>> {
    let step = &trace.steps[at];
    let (death, wrapper) = match &step.action {
        Action::Crashed(death) => (death, false),
        Action::WrapperKilled(death) => (death, true),
        _ => return None,
    };
    let before = || {
        let steps = trace.steps[..at].iter().rev();
        steps.filter(|before| before.actor == step.actor)
    };
    let command = |step: &Step| match step.action {
        Action::Commanded(command) => Some(command),
        _ => None,
    };
    Some(Dead {
        worker: step.actor,
        wrapper,
        death,
        command: before().find_map(command),
        last: before().find_map(change),
    })
}

/// The call of the step if it changed something. That a descriptor is closed rarely matters.
fn change(step: &Step) -> Option<&Call> {
    match &step.action {
        Action::Called { call, result, .. } if *result >= 0 && is_change(call) => Some(call),
        _ => None,
    }
}

/// Returns `true` if the call is to change something.
pub fn is_change(call: &Call) -> bool {
    call.effect.changes() && call.operation != Operation::Close
}

impl Dead<'_> {
    fn kind(&self) -> Kind {
        let operation = |call: &Call| call.operation.word();
        Kind {
            wrapper: self.wrapper,
            inside: self.death.inside,
            command: self.phase(),
            last: self.last.map(operation),
            next: self.next().map(operation),
        }
    }

    /// The call that it was about to make, if that is to change something.
    fn next(&self) -> Option<&Call> {
        self.death.before.as_ref().filter(|call| is_change(call))
    }

    fn phase(&self) -> Option<&'static str> {
        Some(match self.command? {
            Command::Verb(Verb::Release) => "in release",
            Command::Verb(Verb::Remove) => "in remove",
            Command::Verb(_) => "in acquire",
            Command::Leave => "while it exited",
        })
    }

    fn sentence(&self) -> String {
        let whose = if self.wrapper { "the wrapper of " } else { "" };
        format!("{whose}worker {} {}", self.worker, self.predicate())
    }

    fn predicate(&self) -> String {
        if self.death.inside {
            return "died in the section".to_owned();
        }
        let phase = self.phase().unwrap_or("before it had a command");
        let about = match (self.last, self.next()) {
            (Some(last), Some(next)) => {
                let same = next.targets == last.targets;
                let target = if same { "it".into() } else { next.target() };
                let next = doing(next.operation, &target);
                format!(", between {} and {next}", done(last))
            }
            (Some(last), None) => format!(", after {}", done(last)),
            (None, Some(next)) => format!(", before {}", done(next)),
            (None, None) => ", before it had changed anything".to_owned(),
        };
        format!("died {phase}{about}")
    }
}

fn done(call: &Call) -> String {
    doing(call.operation, &call.target())
}

/// The operation as a gerund with its object.
fn doing(operation: Operation, target: &str) -> String {
    let verb = match operation {
        Operation::Open | Operation::Mkdir | Operation::Mknod | Operation::Symlink => "creating",
        Operation::Write => "writing to",
        Operation::Link => "linking",
        Operation::Rename => "renaming",
        Operation::Unlink | Operation::Rmdir => "removing",
        Operation::Flock | Operation::Lock => "locking",
        Operation::Funlock | Operation::Unlock => "unlocking",
        Operation::Truncate => "truncating",
        Operation::Close => "closing",
        Operation::Utime => "setting the times of",
        Operation::Chmod => "setting the mode of",
        Operation::Exchange => "swapping",
        other => return format!("{} {target}", other.word()),
    };
    format!("{verb} {target}")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::end::End;
    use super::super::syscalls::Effect;
    use super::*;

    fn step(action: Action) -> Step {
        Step {
            actor: 1,
            nth: 0,
            action,
            answers: Vec::new(),
            candidates: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn call(operation: Operation, effect: Effect, target: &str) -> Call {
        Call::from_outside(operation, effect, target)
    }

    /// The sentence about a worker that dies in this state.
    fn told(verb: Verb, calls: &[(Call, i64)], before: Option<Call>, inside: bool) -> String {
        let mut steps = vec![step(Action::Commanded(Command::Verb(verb)))];
        for (call, result) in calls {
            steps.push(step(Action::called(call.clone(), *result)));
        }
        steps.push(step(Action::Crashed(Death { before, inside })));
        let trace = Trace {
            steps,
            end: End::Clean,
            errors: Vec::new(),
            snapshots: Vec::new(),
        };
        sentences(&trace).join("; ")
    }

    #[test]
    fn a_death_is_told_by_what_was_done_and_what_was_not() {
        let creates = call(Operation::Open, Effect::Modify, "a");
        let writes = call(Operation::Write, Effect::Modify, "a");
        let looks = call(Operation::Fstat, Effect::Observe, "a");
        let removes = call(Operation::Unlink, Effect::Claim, "b");
        let acquire = |calls: &[(Call, i64)], before: &Call| {
            told(Verb::Acquire, calls, Some(before.clone()), false)
        };
        assert_eq!(
            acquire(&[(creates.clone(), 3), (looks.clone(), 0)], &writes),
            "worker 1 died in acquire, between creating a and writing to it"
        );
        assert_eq!(
            acquire(&[(creates.clone(), 3)], &removes),
            "worker 1 died in acquire, between creating a and removing b"
        );
        // One that failed has changed nothing.
        assert_eq!(
            acquire(&[(creates.clone(), -17)], &looks),
            "worker 1 died in acquire, before it had changed anything"
        );
        assert_eq!(
            told(Verb::Release, &[(removes, 0)], None, false),
            "worker 1 died in release, after removing b"
        );
        assert_eq!(
            told(Verb::Acquire, &[(creates, 3)], None, true),
            "worker 1 died in the section"
        );
    }
}
