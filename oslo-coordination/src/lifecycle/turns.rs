//! The local turn: of the threads and tasks of one process, one at a time asks the engine for a
//! name, in the order in which they came.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::ThreadId;

use super::reply::{Receiver, Sender, reply};
use crate::lock_name::LockName;
use crate::sync::{Mutex, lock};

#[derive(Debug, Default)]
pub(crate) struct Turns {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// The names whose turn is taken.
    taken: HashMap<LockName, Taken>,
    next_place: u64,
}

#[derive(Debug)]
struct Taken {
    /// The thread that holds the lock, if it can be recognized.
    holder: Option<ThreadId>,
    waiters: VecDeque<(u64, Sender<Turn>)>,
}

/// A turn. Dropping it passes it on.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    name: LockName,
}

/// A place in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub(crate) struct Place {
    turns: Arc<Turns>,
    name: LockName,
    number: u64,
    receiver: Receiver<Turn>,
}

/// The outcome of [`Turns::enter`].
#[derive(Debug)]
pub(crate) enum Entered {
    Taken(Turn),
    Queued(Place),
}

impl Turns {
    pub(crate) fn enter(self: &Arc<Self>, name: &LockName) -> Entered {
        let (turns, name) = (Arc::clone(self), name.clone());
        let mut table = lock(&self.table);
        let number = table.next_place;
        table.next_place += 1;
        if let Some(taken) = table.taken.get_mut(&name) {
            let (sender, receiver) = reply();
            taken.waiters.push_back((number, sender));
            return Entered::Queued(Place {
                turns,
                name,
                number,
                receiver,
            });
        }
        let taken = Taken {
            holder: None,
            waiters: VecDeque::new(),
        };
        table.taken.insert(name.clone(), taken);
        drop(table);
        Entered::Taken(Turn { turns, name })
    }

    /// Returns `true` if `thread` holds the lock, and would wait for itself.
    pub(crate) fn is_held_by(&self, name: &LockName, thread: ThreadId) -> bool {
        let table = lock(&self.table);
        let taken = table.taken.get(name);
        taken.is_some_and(|taken| taken.holder == Some(thread))
    }

    /// Returns `true` if no name is in use.
    #[allow(dead_code, reason = "for the model tests")]
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.table).taken.is_empty()
    }
}

impl Turn {
    /// Records the thread that holds the lock from now on; `None` if no thread does.
    pub(crate) fn set_holder(&self, holder: Option<ThreadId>) {
        if let Some(taken) = lock(&self.turns.table).taken.get_mut(&self.name) {
            taken.holder = holder;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut table = lock(&self.turns.table);
        let Some(taken) = table.taken.get_mut(&self.name) else {
            return;
        };
        taken.holder = None;
        let Some((_, next)) = taken.waiters.pop_front() else {
            table.taken.remove(&self.name);
            return;
        };
        drop(table);
        let turn = Turn {
            turns: Arc::clone(&self.turns),
            name: self.name.clone(),
        };
        // If that waiter is leaving at this moment, the turn comes back and goes to the next.
        drop(next.send(turn));
    }
}

impl Future for Place {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Turn> {
        match Pin::new(&mut self.receiver).poll(context) {
            Poll::Ready(Some(turn)) => Poll::Ready(turn),
            // A sender stays in the queue until it sends or its place is dropped.
            Poll::Ready(None) => unreachable!("a waiter left its queue without a turn"),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = lock(&self.turns.table);
        let Some(taken) = table.taken.get_mut(&self.name) else {
            return;
        };
        let sender = taken
            .waiters
            .iter()
            .position(|(number, _)| *number == self.number)
            .and_then(|at| taken.waiters.remove(at));
        // Outside the mutex, and before the receiver, which may have been sent a turn.
        drop(table);
        drop(sender);
    }
}
