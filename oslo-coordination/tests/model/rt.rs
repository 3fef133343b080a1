//! The items of `src/rt.rs`, from shuttle instead of tokio.
//!
//! Time is a number that advances by [`TICK`] whenever a sleep is scheduled, and the scheduler
//! decides what has happened by then: a deadline may pass at any moment.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

pub(crate) const TICK: Duration = Duration::from_secs(1);
/// Sleeps of this length and more never end.
const FOREVER: Duration = Duration::from_secs(1_000_000);

thread_local!(static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) });

pub(crate) fn reset_clock() {
    // No deadline is zero.
    NOW.set(TICK);
}

pub(crate) fn time_since_boot() -> Duration {
    NOW.get()
}

#[derive(Clone, Debug)]
pub(crate) struct Spawner;

impl Spawner {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(shuttle::future::spawn(task));
    }
}

pub(crate) fn sleep(duration: Duration) -> impl Future<Output = ()> {
    let end = NOW.get().saturating_add(duration);
    poll_fn(move |context| {
        if duration >= FOREVER {
            return Poll::Pending;
        }
        if NOW.get() >= end {
            return Poll::Ready(());
        }
        NOW.set(NOW.get() + TICK);
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

pub(crate) fn call(functions: Vec<Box<dyn FnOnce() + Send>>) {
    functions.into_iter().for_each(|function| function());
}
