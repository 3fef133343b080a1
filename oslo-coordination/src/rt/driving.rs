//! Who runs the tasks of a coordinator: its own thread, or a thread that waits for an answer.
//!
//! A thread that waits for the coordinator's thread costs two changes of threads, one for the
//! request and one for the answer, which is as much as a server on the same machine takes. So a
//! caller that blocks asks the coordinator's thread to step aside, and runs the tasks itself until
//! it has its answer: those of all other callers as well. tokio lets one thread at a time run
//! them, and passes that on when this thread is done.
//!
//! After [`LONGEST`] without an answer, the caller leaves the tasks and sleeps: a thread of low
//! priority that waits for a lock must not be the one that renews all others.
//! The coordinator's thread takes over when nobody has come for [`QUIET`], and at once for a task
//! that somebody starts without waiting. What another thread wakes in between, and timers, may be
//! late by twice that time.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

/// Time without callers after which the coordinator's thread runs the tasks again.
const QUIET: Duration = Duration::from_millis(1);

/// Time for which a caller runs the tasks.
const LONGEST: Duration = Duration::from_millis(10);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the coordinator's thread while it stands aside.
    take_over: Condvar,
    /// Makes the coordinator's thread step aside.
    step_aside: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Number of threads that run the tasks, or wait for their turn to do so.
    callers: usize,
    /// Number of callers so far.
    entered: u64,
    /// Whether the coordinator's thread runs the tasks.
    driving: bool,
    /// Whether a task was started while nobody ran the tasks.
    wanted: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the tasks of one coordinator on its own thread.
#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Arc<Runtime>,
    shared: Arc<Shared>,
}

/// Starts tasks of the coordinator, from any thread and without blocking.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    handle: Handle,
    /// Not owned: the tasks have spawners.
    runtime: Weak<Runtime>,
    shared: Arc<Shared>,
}

/// A thread that will wait for an answer. Until it is dropped, the coordinator's thread leaves the
/// tasks to it.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    /// `None` if this thread cannot run tasks.
    driver: Option<(Arc<Runtime>, &'a Shared)>,
}

impl Tasks {
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Tasks {
            runtime: Arc::new(runtime),
            shared: Arc::new(Shared {
                state: Mutex::default(),
                take_over: Condvar::new(),
                step_aside: Notify::new(),
            }),
        })
    }

    pub(crate) fn spawner(&self) -> Spawner {
        Spawner {
            handle: self.runtime.handle().clone(),
            runtime: Arc::downgrade(&self.runtime),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Runs the tasks until this one is done. What it returns is lost if it panics.
    pub(crate) fn run(self, task: impl Future<Output = ()> + Send + 'static) {
        // A task, so that callers run it as well.
        let mut task = self.runtime.spawn(task);
        let mut seen = 0;
        loop {
            seen = self.stand_aside(seen);
            let is_done = self.runtime.block_on(async {
                let mut aside = pin!(self.shared.step_aside.notified());
                let mut task = pin!(&mut task);
                poll_fn(|context| {
                    if task.as_mut().poll(context).is_ready() {
                        return Poll::Ready(true);
                    }
                    aside.as_mut().poll(context).map(|()| false)
                })
                .await
            });
            if is_done {
                return;
            }
        }
    }

    /// Waits until no caller runs the tasks. `seen` and the result are numbers of callers.
    fn stand_aside(&self, mut seen: u64) -> u64 {
        let mut state = self.shared.lock();
        state.driving = false;
        while state.callers > 0 || (state.entered != seen && !state.wanted) {
            seen = state.entered;
            let waited = self.shared.take_over.wait_timeout(state, QUIET);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.driving = true;
        state.wanted = false;
        state.entered
    }
}

impl Spawner {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(task));
        let mut state = self.shared.lock();
        if state.callers == 0 && !state.driving && !state.wanted {
            state.wanted = true;
            self.shared.take_over.notify_one();
        }
    }

    /// Announces that this thread will wait for the answer to what it asks for next.
    pub(crate) fn caller(&self) -> Caller<'_> {
        // A thread of a tokio runtime must not block on another one. One that is about to end has
        // no thread-local values any more.
        let is_free = Handle::try_current().is_err_and(|error| error.is_missing_context());
        let runtime = is_free.then(|| self.runtime.upgrade()).flatten();
        Caller {
            driver: runtime.map(|runtime| {
                let mut state = self.shared.lock();
                state.callers += 1;
                state.entered += 1;
                if state.driving {
                    self.shared.step_aside.notify_one();
                }
                (runtime, &*self.shared)
            }),
        }
    }
}

impl Caller<'_> {
    /// Runs the tasks until the answer is there, for at most [`LONGEST`].
    ///
    /// # Errors
    /// Gives back what is to be awaited in another way.
    pub(crate) fn block_on<F: Future + Unpin>(self, mut answer: F) -> Result<F::Output, F> {
        let Some((runtime, _)) = &self.driver else {
            return Err(answer);
        };
        let answered = runtime.block_on(async {
            let mut longest = pin!(tokio::time::sleep(LONGEST));
            poll_fn(|context| {
                if let Poll::Ready(output) = Pin::new(&mut answer).poll(context) {
                    return Poll::Ready(Some(output));
                }
                longest.as_mut().poll(context).map(|()| None)
            })
            .await
        });
        answered.ok_or(answer)
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if let Some((_, shared)) = &self.driver {
            shared.lock().callers -= 1;
        }
    }
}
