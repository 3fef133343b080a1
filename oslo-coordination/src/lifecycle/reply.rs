//! A value that one side sends and the other awaits, on a thread or in a task.
//!
//! The one place where an acquire and its abandonment meet: either the receiver gets the value, or
//! the sender gets it back, or it is dropped. A value that must not be forgotten has a `Drop`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::{Condvar, Mutex, lock, wait};

#[derive(Debug)]
struct Cell<T> {
    state: Mutex<State<T>>,
    sent: Condvar,
}

#[derive(Debug)]
enum State<T> {
    Open {
        receiver: Option<Waker>,
        sender: Option<Waker>,
    },
    Sent(T),
    /// The value was taken, or one side is gone.
    Closed,
}

#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Cell<T>>);

#[derive(Debug)]
#[must_use]
pub(crate) struct Receiver<T>(Arc<Cell<T>>);

pub(crate) fn reply<T>() -> (Sender<T>, Receiver<T>) {
    let cell = Arc::new(Cell {
        state: Mutex::new(State::Open {
            receiver: None,
            sender: None,
        }),
        sent: Condvar::new(),
    });
    (Sender(Arc::clone(&cell)), Receiver(cell))
}

impl<T> Cell<T> {
    /// Leaves the state closed unless `next` is given, wakes the receiver if it waits.
    fn finish(&self, next: State<T>) -> Result<(), State<T>> {
        let mut state = lock(&self.state);
        let receiver = match &mut *state {
            State::Open { receiver, .. } => receiver.take(),
            _ => return Err(next),
        };
        *state = next;
        drop(state);
        self.sent.notify_all();
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        Ok(())
    }
}

impl<T> Sender<T> {
    /// Sends the value.
    ///
    /// # Errors
    /// Returns the value if the receiver is gone.
    pub(crate) fn send(self, value: T) -> Result<(), T> {
        self.0
            .finish(State::Sent(value))
            .map_err(|state| match state {
                State::Sent(value) => value,
                _ => unreachable!("this state was given"),
            })
    }

    /// Waits until the receiver is gone.
    pub(crate) fn abandoned(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| match &mut *lock(&self.0.state) {
            State::Open { sender, .. } => {
                *sender = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let _ = self.0.finish(State::Closed);
    }
}

impl<T> Receiver<T> {
    /// Blocks until the value is there; `None` if the sender is gone.
    pub(crate) fn wait(self) -> Option<T> {
        let mut state = lock(&self.0.state);
        while let State::Open { .. } = *state {
            state = wait(&self.0.sent, state);
        }
        match std::mem::replace(&mut *state, State::Closed) {
            State::Sent(value) => Some(value),
            _ => None,
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = lock(&self.0.state);
        if let State::Open { receiver, .. } = &mut *state {
            *receiver = Some(context.waker().clone());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Closed) {
            State::Sent(value) => Poll::Ready(Some(value)),
            _ => Poll::Ready(None),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *lock(&self.0.state), State::Closed);
        // Outside the mutex: dropping a value may send others.
        match state {
            State::Open { sender, .. } => {
                if let Some(sender) = sender {
                    sender.wake();
                }
            }
            State::Sent(value) => drop(value),
            State::Closed => {}
        }
    }
}
