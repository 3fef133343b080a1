//! One holder at a time.

use std::panic::resume_unwind;
use std::path::Path;
use std::pin::Pin;
use std::thread;

use super::super::client::{Attempt, Coordinator};
use super::super::context::{Context, acquire, release};
use super::super::executor::join_all;
use super::super::outcome::{OrViolated, Step, deadline, demand, unknown, violated};
use super::super::sections::Sections;
use crate::testing::lock::WaitLimit;

/// Sections of each worker.
const EACH: usize = 100;

/// A file with sections, in a directory that is removed.
struct Shared {
    _directory: tempfile::TempDir,
    path: std::path::PathBuf,
}

impl Shared {
    fn new() -> Step<Self> {
        let made = tempfile::tempdir().and_then(|directory| {
            let path = directory.path().join("sections");
            drop(Sections::open(&path)?);
            Ok(Shared {
                _directory: directory,
                path,
            })
        });
        made.or_else(|error| unknown(format!("no directory for the sections: {error}")))
    }

    /// So many sections must have been counted.
    fn demand_all(&self, expected: usize) -> Step {
        let count = open(&self.path)?.count().or_violated("no count")?;
        demand!(
            count == expected as u64,
            "{expected} sections ran, and {count} were counted: two were in at once"
        );
        Ok(())
    }
}

fn open(path: &Path) -> Step<Sections> {
    Sections::open(path).or_else(|error| unknown(error.to_string()))
}

fn enter(sections: &Sections, me: u64) -> Step {
    alone(me, sections.enter(me))
}

fn alone(me: u64, entered: std::io::Result<Option<u64>>) -> Step {
    match entered {
        Ok(None) => Ok(()),
        Ok(Some(other)) => violated(format!(
            "worker {me} entered while worker {other} held the lock"
        )),
        Err(error) => unknown(error.to_string()),
    }
}

/// Two threads of one coordinator, and one of another.
pub(crate) fn threads<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(super::super::context::LONG);
    let (one, other) = (
        context.connect(&service.url())?,
        context.connect(&service.url())?,
    );
    let shared = Shared::new()?;
    let each = context.amount(EACH);
    let clients = [&one, &one, &other];
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter()
            .zip(1..)
            .map(|(&client, me)| {
                let path = &shared.path;
                scope.spawn(move || {
                    let sections = open(path)?;
                    for _ in 0..each {
                        let guard = acquire(client, &context.lock)?;
                        enter(&sections, me)?;
                        release(guard)?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| violated("a thread that used the lock panicked"))
        })
    })?;
    shared.demand_all(clients.len() * each)
}

/// Four tasks on one thread, of two coordinators.
pub(crate) fn tasks<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(super::super::context::LONG);
    let (one, other) = (
        context.connect(&service.url())?,
        context.connect(&service.url())?,
    );
    let shared = Shared::new()?;
    let each = context.amount(EACH);
    let clients = [&one, &other, &one, &other];
    let tasks = clients.iter().zip(1..).map(|(&client, me)| {
        let path = &shared.path;
        let task = async move {
            let sections = open(path)?;
            for _ in 0..each {
                let limit = WaitLimit::AtMost(deadline());
                let acquired = client.acquire_async(context.lock.as_bytes(), limit).await;
                let Attempt::Acquired(guard) = acquired.or_violated("an acquire failed")? else {
                    return violated("a task did not get the lock");
                };
                alone(me, sections.enter_as_task(me).await)?;
                drop(guard);
            }
            Ok(())
        };
        Box::pin(task) as Pin<Box<dyn Future<Output = Step> + '_>>
    });
    join_all(tasks.collect()).into_iter().collect::<Step>()?;
    shared.demand_all(clients.len() * each)
}

/// Two processes, and a thread of this one.
pub(crate) fn processes<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(super::super::context::LONG);
    let url = service.url();
    let shared = Shared::new()?;
    let each = context.amount(EACH);
    let mut others = [context.process(&url)?, context.process(&url)?];
    for (other, me) in others.iter_mut().zip(1..) {
        let path = shared.path.display();
        other.send(&format!("sections {} {path} {each} {me}", context.lock));
    }
    let client = context.connect(&url)?;
    let sections = open(&shared.path)?;
    for _ in 0..each {
        let guard = context.hold(&client)?;
        enter(&sections, 3)?;
        release(guard)?;
    }
    for other in &others {
        let answer = other.answer()?;
        demand!(answer == "done", "a process: {answer}");
    }
    shared.demand_all(3 * each)
}

/// A panic releases the lock of its thread.
pub(crate) fn panic<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(super::super::context::LONG);
    let (one, other) = (
        context.connect(&service.url())?,
        context.connect(&service.url())?,
    );
    let panicked = thread::scope(|scope| {
        let thread = scope.spawn(|| -> Step {
            let _guard = context.hold(&one)?;
            // Without a message: the panic is intended.
            resume_unwind(Box::new("intended"));
        });
        thread.join()
    });
    if let Ok(ended) = panicked {
        return ended;
    }
    release(context.hold(&other)?)
}
