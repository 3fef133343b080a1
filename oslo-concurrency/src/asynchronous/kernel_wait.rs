//! Waits for a lock in the kernel that do not block the thread of an executor.
//!
//! The kernel can only make a thread wait. So a helper thread waits, at most one for each file,
//! because only the owner of the *turn* among the threads and tasks of this process may wait for
//! the file. No pool is used, so none can be exhausted. A task that is dropped leaves its turn to
//! the thread, interrupts it, and does not wait. The turn ends when the thread has left the kernel,
//! together with a lock that it acquired at the last moment.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::files::FileLockError;
use crate::fork;
use crate::named::lock_table::{self, ExternalEntry};
use crate::sync::{Arc, Mutex, MutexGuard, lock};
use crate::sys::{self, Cancel};
use crate::wait::{AcquireFailure, Wait, WaitLimit};

/// The turn for a lock on a file, with or without the kernel's lock. Dropping it ends the turn.
#[derive(Debug)]
pub(crate) struct Turn {
    entry: Option<Arc<ExternalEntry>>,
    fair: bool,
    generation: u64,
}

impl Turn {
    /// The turn that the caller has just acquired.
    pub(crate) fn new(entry: Arc<ExternalEntry>, fair: bool) -> Self {
        Turn {
            entry: Some(entry),
            fair,
            generation: fork::generation(),
        }
    }

    /// Ends the turn, and releases the kernel's lock if that came with it.
    pub(crate) fn give_back(mut self) {
        if let Some(entry) = self.entry.take() {
            entry.give_back();
        }
    }

    /// The lock, which the caller must release.
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

/// Acquires the kernel's lock on the file of `turn`. A failure ends the turn.
pub(super) async fn lock_file(turn: Turn, may_wait: bool) -> Result<Turn, FileLockError> {
    let Some(entry) = &turn.entry else {
        return Ok(turn);
    };
    if !may_wait || !entry.must_pause() {
        let mut limit = WaitLimit::silent();
        match entry.lock(
            Wait::Never,
            turn.fair,
            Some(&lock_table::this_section_holds),
            &mut limit,
        ) {
            Ok(()) => return Ok(turn),
            Err(FileLockError::NotAcquired(AcquireFailure::Busy)) if may_wait => {}
            Err(failure) => return Err(failure),
        }
    }
    // Checked here, because the helper thread is not in the section.
    if entry.leads_to(lock_table::this_section_holds) {
        return Err(AcquireFailure::HeldBySelf.into());
    }
    KernelWait::start(turn)?.await
}

/// The task's side of a wait by a helper thread.
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
    /// Taken by the task or by the helper thread, whichever is the last to look.
    turn: Option<Turn>,
    outcome: Option<Result<(), FileLockError>>,
    task: Option<Waker>,
    /// The thread is or was in the kernel, and may have the lock.
    begun: bool,
    abandoned: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Waits in the kernel. Runs in the helper thread.
    fn wait(&self, entry: &ExternalEntry, fair: bool) {
        let mut state = self.state();
        if state.abandoned {
            return;
        }
        state.begun = true;
        drop(state);
        let mut limit = WaitLimit::until_cancelled(&self.cancel);
        let outcome = entry.lock(Wait::Forever, fair, None, &mut limit);
        let mut state = self.state();
        state.outcome = Some(outcome);
        let abandoned_turn = if state.abandoned {
            state.turn.take()
        } else {
            None
        };
        let task = state.task.take();
        drop(state);
        drop(abandoned_turn); // releases a lock that was acquired at the last moment
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl KernelWait {
    fn start(turn: Turn) -> Result<Self, FileLockError> {
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
            sys::spawn("lock-wait", move || for_thread.wait(&entry, fair)).map_err(|source| {
                FileLockError::Io {
                    path,
                    source: io::Error::new(
                        source.kind(),
                        format!(
                            "a wait without blocking needs a thread, which cannot be started: \
                                 {source}"
                        ),
                    ),
                }
            })?;
        }
        Ok(KernelWait {
            shared: Some(shared),
            generation: fork::generation(),
        })
    }
}

impl Future for KernelWait {
    type Output = Result<Turn, FileLockError>;

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
