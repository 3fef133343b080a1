//! The text of a counterexample: one line for each step, with its meaning.

use std::collections::{HashMap, HashSet};

use crate::model::{Snapshot, Step as Line};
use crate::protocol::{Answer, Verb};
use crate::report;
use crate::stress::judge::BrokenFence;

use super::command::Command;
use super::deaths;
use super::end::End;
use super::moves::Move;
use super::schedule::{Action, Step};
use super::syscalls::{Effect, Operation};
use super::trace::Trace;

/// The lines of a schedule's steps.
pub fn lines(trace: &Trace) -> Vec<Line> {
    let mut names = Names::new();
    let mut inside: HashSet<usize> = HashSet::new();
    let line = |(at, step): (usize, &Step)| {
        let who = who(step.actor, trace);
        let (what, means) = describe(step, &mut names);
        let means = means.or_else(|| deaths::predicate(trace, at));
        if step.action == Action::Commanded(Command::Verb(Verb::Release)) {
            inside.remove(&step.actor);
        }
        if step.enters() {
            inside.insert(step.actor);
        }
        if matches!(step.action, Action::Crashed(_)) {
            inside.remove(&step.actor);
        }
        let answers = step.answers.iter().map(|answer| match answer {
            Answer::Acquired(None) => "ENTERS THE SECTION".to_owned(),
            Answer::Acquired(Some(token)) => format!("ENTERS THE SECTION with token {token}"),
            Answer::Released => "releases the lock".to_owned(),
            other => other.to_string(),
        });
        let means: Vec<String> = means.into_iter().chain(answers).collect();
        Line {
            fault: fault(step.made()).map(Into::into),
            worker: (who != OUTSIDER).then_some(step.actor),
            who,
            what,
            means: means.join("; "),
            inside: inside.contains(&step.actor),
            after: changed(&trace.snapshots, at),
        }
    };
    trace.steps.iter().enumerate().map(line).collect()
}

/// The steps and the end of a schedule as text.
pub fn story(trace: &Trace) -> String {
    report::steps(&lines(trace), &ending(trace))
}

/// The state after a step, if it differs from the one before.
fn changed(snapshots: &[Snapshot], step: usize) -> Option<Snapshot> {
    let after = snapshots.get(step + 1)?;
    (snapshots.get(step) != Some(after)).then(|| after.clone())
}

/// The name of a fault in the report.
fn fault(made: Move) -> Option<&'static str> {
    match made {
        Move::Step(_) => None,
        Move::Crash(_) => Some("crash"),
        Move::KillWrapper(_) => Some("wrapper-kill"),
        Move::Expire(_) => Some("expiry"),
    }
}

const OUTSIDER: &str = "outsider";

/// The name of an actor.
pub fn who(actor: usize, trace: &Trace) -> String {
    match trace.steps.iter().any(|step| {
        step.actor == actor && matches!(step.action, Action::Commanded(Command::Verb(_)))
    }) {
        true => format!("worker {actor}"),
        false => OUTSIDER.to_owned(),
    }
}

/// The end of a schedule in a sentence.
pub fn ending(trace: &Trace) -> String {
    match &trace.end {
        End::Clean => "every worker was in the section, one after the other".into(),
        End::Overlap { first, second } => {
            format!("=> worker {first} and worker {second} are in the section at once")
        }
        End::FenceBroken(BrokenFence { earlier, later }) => format!(
            "=> fence broken: worker {} has token {} (step {}), and worker {}, which acquired the \
             lock after it, has token {} (step {})",
            earlier.holder, earlier.token, earlier.began, later.holder, later.token, later.began
        ),
        End::LeaseExpired => {
            "=> two workers are in the section, but the first may have outlived its lease".into()
        }
        End::Polls(_) => "=> all waiters keep polling".into(),
        End::Known => "=> already tried, in another order".into(),
        End::Interrupted => "=> interrupted".into(),
        End::Stuck(why) => match &deaths::sentences(trace)[..] {
            [] => format!("=> stuck: {why}"),
            deaths => format!("=> stuck after a crash: {}; {why}", deaths.join("; ")),
        },
        End::Failed(why) => format!("=> {why}"),
    }
}

/// The file that a name refers to, as far as the steps show.
#[derive(Clone, Copy, Debug, Default)]
struct Name {
    inode: Option<u64>,
    /// The actor that created it; `None` if it existed before.
    maker: Option<usize>,
}

/// Every known name; `None` for one that was removed.
type Names = HashMap<String, Option<Name>>;

fn describe(step: &Step, names: &mut Names) -> (String, Option<String>) {
    let (call, result, inode) = match &step.action {
        Action::Commanded(Command::Verb(Verb::Acquire)) => {
            return ("requests the lock".into(), None);
        }
        Action::Commanded(command) => return (format!("is told to {command}"), None),
        Action::Blocked { call } => {
            let what = format!("{} {}", call.operation.word(), call.target());
            return (what, Some("held by another: waits".into()));
        }
        Action::Crashed(_) => return ("is killed (SIGKILL)".into(), None),
        Action::Expired(leases) => {
            let means = format!("the server ends {}", leases.join(", "));
            return ("its lease runs out".into(), Some(means));
        }
        Action::WrapperKilled(_) => return ("its wrapper is killed (SIGKILL)".into(), None),
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
                Some("creates the name".into())
            }
            _ => {
                // The file may have existed before.
                let maker = made.maker.filter(|_| call.effect == Effect::Modify);
                names.insert(target, Some(Name { inode, maker }));
                None
            }
        },
        Operation::Mkdir | Operation::Mknod | Operation::Symlink => {
            names.insert(target, Some(made));
            Some("creates the name".into())
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
            Some("creates the name".into())
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
        Operation::Exchange => Some("swaps the two names".into()),
        Operation::Sleep => Some("then checks again".into()),
        Operation::Request => Some(match call.answer() {
            Some(answer) => format!("the server answers {answer}"),
            None => "the server does not answer yet".into(),
        }),
        Operation::Disconnect => Some("ends its session".into()),
        _ => None,
    };
    (what, means)
}

fn whose(name: Option<Name>, actor: usize) -> String {
    match name.and_then(|name| name.maker) {
        Some(maker) if maker == actor => "the name that it created".into(),
        Some(maker) => format!("the name that worker {maker} created"),
        None => "a name that already existed".into(),
    }
}
