//! A counterexample for people: one line a step, with what it means.

use std::collections::{HashMap, HashSet};

use crate::model::Step as Line;
use crate::protocol::{Answer, Verb};
use crate::report;

use super::command::Command;
use super::end::End;
use super::schedule::{Action, Step};
use super::syscalls::{Effect, Operation};
use super::trace::Trace;

/// The steps of a schedule for a person.
pub fn lines(trace: &Trace) -> Vec<Line> {
    let mut names = Names::new();
    let mut inside: HashSet<usize> = HashSet::new();
    let line = |step: &Step| {
        let who = who(step.actor, trace);
        let (what, means) = describe(step, &mut names);
        if step.action == Action::Commanded(Command::Verb(Verb::Release)) {
            inside.remove(&step.actor);
        }
        if step.answers.contains(&Answer::Acquired) {
            inside.insert(step.actor);
        }
        let answers = step.answers.iter().map(|answer| match answer {
            Answer::Acquired => "IS IN THE SECTION".to_owned(),
            Answer::Released => "has released".to_owned(),
            other => other.to_string(),
        });
        let means: Vec<String> = means.into_iter().chain(answers).collect();
        Line {
            worker: (who != SOMEBODY).then_some(step.actor),
            who,
            what,
            means: means.join("; "),
            inside: inside.contains(&step.actor),
        }
    };
    trace.steps.iter().map(line).collect()
}

/// The steps and the end of a schedule as text.
pub fn story(trace: &Trace) -> String {
    report::steps(&lines(trace), &ending(&trace.end))
}

const SOMEBODY: &str = "somebody";

fn who(actor: usize, trace: &Trace) -> String {
    match trace.steps.iter().any(|step| {
        step.actor == actor && matches!(step.action, Action::Commanded(Command::Verb(_)))
    }) {
        true => format!("worker {actor}"),
        false => SOMEBODY.to_owned(),
    }
}

/// The end of a schedule in a sentence.
pub fn ending(end: &End) -> String {
    match end {
        End::Clean => "everybody was in the section, one after the other".into(),
        End::Overlap { first, second } => {
            format!("=> worker {first} and worker {second} are in the section at once")
        }
        End::LeaseExpired => {
            "=> two are in the section, but the first may have outlived its lease".into()
        }
        End::Polls(_) => "=> all who wait look again and again".into(),
        End::Known => "=> tried before, in another order".into(),
        End::Interrupted => "=> interrupted".into(),
        End::Stuck(why) => format!("=> stuck: {why}"),
        End::Failed(why) => format!("=> {why}"),
    }
}

/// What a name leads to, as far as the steps say.
#[derive(Clone, Copy, Debug, Default)]
struct Name {
    inode: Option<u64>,
    /// The actor that made it; `None` if it was there before.
    maker: Option<usize>,
}

/// Every name that is known; `None` for one that was removed.
type Names = HashMap<String, Option<Name>>;

fn describe(step: &Step, names: &mut Names) -> (String, Option<String>) {
    let (call, result, inode) = match &step.action {
        Action::Commanded(Command::Verb(Verb::Acquire)) => return ("wants the lock".into(), None),
        Action::Commanded(command) => return (format!("is told to {command}"), None),
        Action::Blocked { call } => {
            let what = format!("{} {}", call.operation.word(), call.target());
            return (what, Some("held by another: waits".into()));
        }
        Action::Called {
            call,
            result,
            inode,
        } => (call, *result, *inode),
    };
    let target = call.target();
    let mut what = format!("{} {target}", call.operation.word())
        .trim_end()
        .to_owned();
    if call.effect != Effect::Sleep && result < 0 {
        return (what, Some(call.error(result)));
    }
    if let Some(inode) = inode {
        what += &format!(" (inode {inode})");
    }
    let made = Name {
        inode,
        maker: Some(step.actor),
    };
    let means = match call.operation {
        Operation::Open => match names.get(&target) {
            Some(Some(_)) => {
                if let Some(Some(name)) = names.get_mut(&target) {
                    name.inode = inode.or(name.inode);
                }
                None
            }
            Some(None) if call.effect == Effect::Modify => {
                names.insert(target, Some(made));
                Some("makes the name".into())
            }
            _ => {
                // It may have been there before.
                let maker = made.maker.filter(|_| call.effect == Effect::Modify);
                names.insert(target, Some(Name { inode, maker }));
                None
            }
        },
        Operation::Mkdir | Operation::Mknod | Operation::Symlink => {
            names.insert(target, Some(made));
            Some("makes the name".into())
        }
        Operation::Link => {
            if let Some((from, to)) = target.split_once(" -> ") {
                let inode = names
                    .get(from)
                    .copied()
                    .flatten()
                    .and_then(|name| name.inode);
                names.insert(to.to_owned(), Some(Name { inode, ..made }));
            }
            Some("makes the name".into())
        }
        Operation::Flock | Operation::Lock => {
            let named = names.get(&target).copied();
            let gone = inode.is_some()
                && named.is_some_and(|name| name.and_then(|name| name.inode) != inode);
            let file = inode.map_or_else(String::new, |inode| format!(" on inode {inode}"));
            Some(match gone {
                true => format!("acquires the kernel's lock{file}, which no longer has this name"),
                false => format!("acquires the kernel's lock{file}"),
            })
        }
        Operation::Unlink | Operation::Rmdir => {
            let name = names.insert(target, None).flatten();
            Some(format!("removes {}", whose(name, step.actor)))
        }
        Operation::Rename => target.split_once(" -> ").map(|(from, to)| {
            let name = names.insert(from.to_owned(), None).flatten();
            names.insert(to.to_owned(), Some(name.unwrap_or_default()));
            format!("moves {}", whose(name, step.actor))
        }),
        Operation::Exchange => Some("exchanges what the two names lead to".into()),
        Operation::Sleep => Some("and looks again".into()),
        _ => None,
    };
    (what, means)
}

fn whose(name: Option<Name>, actor: usize) -> String {
    match name.and_then(|name| name.maker) {
        Some(maker) if maker == actor => "the name that it has made itself".into(),
        Some(maker) => format!("the name that worker {maker} has made"),
        None => "a name that was there before".into(),
    }
}
