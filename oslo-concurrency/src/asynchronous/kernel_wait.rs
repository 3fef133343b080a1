//! Waiting for a lock in the kernel without blocking the thread of an executor.
//!
//! The kernel can only make a thread wait. So a thread of ours waits, one for each file at most: only whoever has the *turn* among the
//! threads and tasks of this process may wait for the file. No pool is used, and so none is exhausted. A task that is dropped
//! leaves its turn to the thread, interrupts it, and does not wait: the turn ends when the thread has left the kernel, and with it a lock that
//! it took in the last moment.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::files::{Cancel, Failure};
use crate::fork;
use crate::named::lock_table::{self, ExternalEntry};
use crate::sync::{Arc, Mutex, MutexGuard, lock};
use crate::sys;
use crate::wait::{Missed, Patience, Wait};

/// The turn at an external lock, with or without the kernel's; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Turn {
    entry: Option<Arc<ExternalEntry>>,
    fair: bool,
    generation: u64,
}

impl Turn {
    /// The caller has just taken it.
    pub(crate) fn taken(entry: Arc<ExternalEntry>, fair: bool) -> Self {
        Turn {
            entry: Some(entry),
            fair,
            generation: fork::generation(),
        }
    }

    /// Ends the turn, and frees the kernel's lock if it came with it.
    pub(crate) fn give_back(mut self) {
        if let Some(entry) = self.entry.take() {
            entry.give_back();
        }
    }

    /// The lock, which the caller will release.
    pub(crate) fn into_entry(mut self) -> Option<Arc<ExternalEntry>> {
        self.entry.take()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else {
            return;
        };
        if self.generation == fork::generation() {
            entry.release(self.fair);
        } else {
            std::mem::forget(entry);
        }
    }
}

/// Takes the kernel's lock on the file of `turn`. A failure ends the turn.
pub(super) async fn lock_file(turn: Turn, may_wait: bool) -> Result<Turn, Failure> {
    let Some(entry) = &turn.entry else {
        return Ok(turn);
    };
    if !may_wait || !entry.owes_courtesy() {
        let mut patience = Patience::silent();
        match entry.lock(
            Wait::Never,
            turn.fair,
            Some(&lock_table::this_section_holds),
            &mut patience,
        ) {
            Ok(()) => return Ok(turn),
            Err(Failure::Missed(Missed::Busy)) if may_wait => {}
            Err(failure) => return Err(failure),
        }
    }
    // The thread that waits is not in the section: it cannot tell.
    if entry.leads_to(lock_table::this_section_holds) {
        return Err(Missed::HeldBySelf.into());
    }
    KernelWait::start(turn)?.await
}

/// The thread that waits, as its task sees it.
#[derive(Debug)]
struct KernelWait {
    shared: Option<Arc<Shared>>,
    generation: u64,
}

#[derive(Debug)]
struct Shared {
    cancel: Cancel,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Taken by whoever of the two is the last to look.
    turn: Option<Turn>,
    outcome: Option<Result<(), Failure>>,
    task: Option<Waker>,
    /// The thread is in the kernel, or was: it may have the lock.
    begun: bool,
    abandoned: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What the thread does.
    fn wait(&self, entry: &ExternalEntry, fair: bool) {
        let mut state = self.state();
        if state.abandoned {
            return;
        }
        state.begun = true;
        drop(state);
        let mut patience = Patience::until_cancelled(&self.cancel);
        let outcome = entry.lock(Wait::Forever, fair, None, &mut patience);
        let mut state = self.state();
        state.outcome = Some(outcome);
        let nobodys = if state.abandoned {
            state.turn.take()
        } else {
            None
        };
        let task = state.task.take();
        drop(state);
        drop(nobodys); // releases what it got in the last moment
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl KernelWait {
    fn start(turn: Turn) -> Result<Self, Failure> {
        let (entry, fair) = (turn.entry.clone(), turn.fair);
        let shared = Arc::new(Shared {
            cancel: Cancel::default(),
            state: Mutex::new(State {
                turn: Some(turn),
                outcome: None,
                task: None,
                begun: false,
                abandoned: false,
            }),
        });
        if let Some(entry) = entry {
            let path = entry.path().to_owned();
            let for_thread = Arc::clone(&shared);
            sys::spawn("lock-wait", move || for_thread.wait(&entry, fair)).map_err(
                |source| Failure::Io {
                    path,
                    source: io::Error::new(
                        source.kind(),
                        format!("a wait without blocking needs a thread, which cannot be started: {source}"),
                    ),
                },
            )?;
        }
        Ok(KernelWait {
            shared: Some(shared),
            generation: fork::generation(),
        })
    }
}

impl Future for KernelWait {
    type Output = Result<Turn, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(shared) = &self.shared else {
            unreachable!("a future is not polled after it was ready");
        };
        let mut state = shared.state();
        let Some(outcome) = state.outcome.take() else {
            // Dropping a waker runs an executor's code, which may drop or poll what waits here.
            let unused = state.task.replace(context.waker().clone());
            drop(state);
            drop(unused);
            return Poll::Pending;
        };
        let turn = state.turn.take();
        drop(state);
        self.shared = None;
        Poll::Ready(match (outcome, turn) {
            (Ok(()), Some(turn)) => Ok(turn),
            (Err(failure), _) => Err(failure),
            (Ok(()), None) => {
                unreachable!("the thread takes the turn only of a wait that was dropped")
            }
        })
    }
}

impl Drop for KernelWait {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        if self.generation != fork::generation() {
            std::mem::forget(shared);
            return;
        }
        let mut state = shared.state();
        state.abandoned = true;
        if state.outcome.is_some() || !state.begun {
            let turn = state.turn.take();
            drop(state);
            drop(turn);
        } else {
            let task = state.task.take();
            drop(state);
            drop(task);
            shared.cancel.cancel();
        }
    }
}
