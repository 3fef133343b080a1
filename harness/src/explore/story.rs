//! A counterexample as a story: one line a step, and what it means.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use serde::Serialize;

use crate::foreign::protocol::{Answer, Verb};

use super::schedule::{Step, What};
use super::trace::{End, Trace};

/// One step, for a person.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Whose it is.
    pub who: String,
    /// The worker's number; none if it was nobody's.
    pub worker: Option<usize>,
    /// What was done.
    pub what: String,
    /// What that means.
    pub means: String,
    /// Whether the worker is in the section after it.
    pub inside: bool,
}

/// The steps of a schedule for a person.
pub fn lines(trace: &Trace) -> Vec<Line> {
    // Which inode each name leads to, as far as the steps say.
    let mut names: HashMap<String, Option<u64>> = HashMap::new();
    let mut inside: HashSet<usize> = HashSet::new();
    let line = |step: &Step| {
        let who = who(step.actor, trace);
        let (what, means) = describe(step, &mut names);
        if matches!(step.what, What::Told(Verb::Release)) {
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

/// The same as text, a line each.
pub fn story(trace: &Trace) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for line in lines(trace) {
        let who = match last == line.who {
            true => "",
            false => &line.who,
        };
        let what = shortened(&line.what);
        let _ = writeln!(
            text,
            "  {}",
            format!("{who:<9} {what:<44} {}", line.means).trim_end()
        );
        last = line.who;
    }
    text + &format!("  {}\n", ending(&trace.end))
}

const SOMEBODY: &str = "somebody";

/// Long names lose their middle.
fn shortened(what: &str) -> String {
    const LONGEST: usize = 34;
    let word = |word: &str| -> String {
        let letters: Vec<char> = word.chars().collect();
        match letters.len() > LONGEST {
            true => format!(
                "{}…{}",
                letters[..16].iter().collect::<String>(),
                letters[letters.len() - 8..].iter().collect::<String>()
            ),
            false => word.to_owned(),
        }
    };
    what.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn who(actor: usize, trace: &Trace) -> String {
    match trace
        .steps
        .iter()
        .any(|step| step.actor == actor && matches!(step.what, What::Told(_)))
    {
        true => format!("worker {actor}"),
        false => SOMEBODY.to_owned(),
    }
}

/// How it ended, in a sentence.
pub fn ending(end: &End) -> String {
    match end {
        End::Clean => "everybody was in the section, one after the other".into(),
        End::Overlap { first, second } => {
            format!("=> worker {first} and worker {second} are in the section at once")
        }
        End::LeaseExpired => {
            "=> two are in the section, but the first may have outlived its lease".into()
        }
        End::Polls => "=> all who wait look again and again".into(),
        End::Known => "=> tried before, in another order".into(),
        End::Stuck(why) => format!("=> stuck: {why}"),
        End::Failed(why) => format!("=> {why}"),
    }
}

fn describe(step: &Step, names: &mut HashMap<String, Option<u64>>) -> (String, Option<String>) {
    match &step.what {
        What::Told(Verb::Acquire) => ("wants the lock".into(), None),
        What::Told(verb) => (format!("is told to {verb}"), None),
        What::Leaves => ("is told to leave".into(), None),
        What::Waits { call } => (
            format!("{} {}", call.name, call.target()),
            Some("held by another: waits".into()),
        ),
        What::Did {
            call,
            result,
            inode,
        } => {
            let target = call.target();
            let mut what = format!("{} {target}", call.name);
            if *result < 0 {
                let error = nix::errno::Errno::from_raw(i32::try_from(-result).unwrap_or(0));
                return (what, Some(format!("{error:?}")));
            }
            if let Some(inode) = inode {
                what += &format!(" (inode {inode})");
            }
            let gone = |names: &HashMap<String, Option<u64>>| {
                inode.is_some() && names.get(&target).is_some_and(|named| named != inode)
            };
            let means = match call.name {
                "open" => {
                    names.insert(target.clone(), *inode);
                    None
                }
                "flock" | "lock" if gone(names) => {
                    Some("locks a file that no longer has this name".into())
                }
                "flock" | "lock" => Some("takes the kernel's lock on this file".into()),
                "unlink" | "rmdir" => {
                    names.insert(target.clone(), None);
                    Some("removes the name, whoever made it".into())
                }
                "rename" => {
                    if let Some((from, to)) = target.split_once(" -> ") {
                        let moved = names.insert(from.to_owned(), None).flatten();
                        names.insert(to.to_owned(), moved);
                    }
                    Some("moves the name, whoever made it".into())
                }
                "mkdir" | "link" | "symlink" => Some("makes the name".into()),
                "sleep" => Some("and looks again".into()),
                _ => None,
            };
            (what, means)
        }
    }
}
