//! One acquire: local turn, request, and what becomes of an unclear answer.

use std::pin::pin;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use super::backoff::Backoff;
use super::limit::{Stopped, Wait, Warning};
use super::ownership::{Lifeline, Ownership};
use super::race::{Either, race};
use super::reply::{Receiver, Sender, reply};
use super::state::{Core, Held};
use super::turns::{Entered, Turn};
use crate::clock::BootTime;
use crate::engine::{Answered, Claim, Grant, RequestError, Seen, Waited};
use crate::lock_name::LockName;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) name: LockName,
    pub(crate) wait: Wait,
    pub(crate) warn_after: Duration,
    /// The calling thread, if the guard stays there.
    pub(crate) thread: Option<ThreadId>,
    pub(crate) asked: BootTime,
}

/// The reason why an acquire failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Busy,
    TimedOut,
    /// The server could not be asked; tried until the deadline.
    Unavailable(RequestError),
    /// The server refused the request, and would do so again.
    Refused(RequestError),
}

type Caller = Sender<Result<Ownership, Failure>>;

/// An acquire that does not wait asks again after an unclear answer, but only for this time.
const LOOK_UP: Duration = Duration::from_secs(1);

impl Lifeline {
    /// Asks for a lock. Dropping the receiver gives the lock back, whenever it comes.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        request: Request,
    ) -> Receiver<Result<Ownership, Failure>> {
        let (sender, receiver) = reply();
        let task = acquire(Arc::clone(self), request, sender);
        let busy = self.core().busy.enter();
        self.core().spawner.spawn(async move {
            task.await;
            drop(busy);
        });
        receiver
    }
}

async fn acquire(life: Arc<Lifeline>, request: Request, caller: Caller) {
    let core = Arc::clone(life.core());
    let mut warning = Warning {
        began: request.asked,
        after: request.warn_after,
        warn: |waited: Duration| core.warn_of_long_wait(&request.name, waited),
    };
    let turn = match core.turns.enter(&request.name) {
        Entered::Taken(turn) => turn,
        Entered::Queued(_) if request.wait == Wait::Never => {
            return tell(caller, Failure::Busy);
        }
        Entered::Queued(place) => match warning.limit(request.wait, &caller, place).await {
            Ok(turn) => turn,
            Err(Stopped::TimedOut) => return tell(caller, Failure::TimedOut),
            Err(Stopped::Abandoned) => return,
        },
    };
    let claim = Claim {
        name: request.name.clone(),
        id: core.new_id(),
    };
    let mut attempt = Attempt {
        core: &core,
        claim: &claim,
        wait: request.wait,
        unclear: false,
        queued: false,
        last_error: None,
    };
    match attempt.run(&mut warning, caller).await {
        Ended::Granted(caller, grant) => {
            let hold = deliver(&life, &request, claim, grant, turn, caller);
            if let Some(waited) = hold {
                core.log_acquired(&request.name, grant.token, waited);
            }
        }
        Ended::Failed(caller, failure) => {
            if attempt.queued && matches!(failure, Failure::Busy) {
                // The caller may ask again at once, and must not meet its own place in the queue.
                let mut undo = pin!(core.undo(&claim));
                match race(undo.as_mut(), core.pause(LOOK_UP)).await {
                    Either::First(()) => {
                        drop(turn);
                        tell(caller, failure);
                    }
                    Either::Second(()) => {
                        tell(caller, failure);
                        undo.await;
                    }
                }
            } else if attempt.leaves_something() {
                tell(caller, failure);
                core.undo(&claim).await;
            } else {
                // The turn first: the caller may ask again at once.
                drop(turn);
                tell(caller, failure);
            }
        }
        Ended::Undo => core.undo(&claim).await,
        Ended::Nothing => {}
    }
}

fn tell(caller: Caller, failure: Failure) {
    // A caller that is gone needs no answer.
    let _ = caller.send(Err(failure));
}

/// Gives the lock to the caller; if that has left, releases it. Returns the time waited.
fn deliver(
    life: &Arc<Lifeline>,
    request: &Request,
    claim: Claim,
    grant: Grant,
    turn: Turn,
    caller: Caller,
) -> Option<Duration> {
    turn.set_holder(request.thread);
    // From here on the lock is renewed, and released when the ownership is dropped.
    let ownership = life.hold(Held::new(claim, grant, turn));
    match caller.send(Ok(ownership)) {
        Ok(()) => Some(BootTime::now().since(request.asked)),
        Err(ownership) => {
            drop(ownership);
            None
        }
    }
}

enum Ended {
    Granted(Caller, Grant),
    Failed(Caller, Failure),
    /// The caller has left or was told; the engine may have given the lock to this claim.
    Undo,
    /// The caller has left or was told, and the engine has nothing of this claim.
    Nothing,
}

struct Attempt<'a> {
    core: &'a Core,
    claim: &'a Claim,
    wait: Wait,
    /// An earlier request may have been carried out, or may be still.
    unclear: bool,
    /// The claim may stand in a queue of the engine.
    queued: bool,
    last_error: Option<RequestError>,
}

impl Attempt<'_> {
    async fn run(&mut self, warning: &mut Warning<impl FnMut(Duration)>, caller: Caller) -> Ended {
        let engine = &self.core.engine;
        let mut backoff = Backoff::new();
        let mut tries = 0;
        loop {
            tries += 1;
            let mut asking = pin!(engine.ask(self.claim, BootTime::now()));
            let answer = match warning.limit(self.wait, &caller, asking.as_mut()).await {
                Ok(answer) => answer,
                Err(stopped) => {
                    // The caller does not wait for the answer, but the answer decides.
                    self.leave(stopped, caller);
                    return match asking.await {
                        Ok(Answered::Granted(_)) => Ended::Undo,
                        Err(error) if error.unclear => Ended::Undo,
                        Ok(Answered::Held(_)) if engine.queues() => Ended::Undo,
                        _ => self.undo_if_needed(),
                    };
                }
            };
            let pause = match answer {
                Ok(Answered::Granted(grant)) => {
                    if grant.is_valid() {
                        return Ended::Granted(caller, grant);
                    }
                    // It took so long to arrive that it has expired. The next answer tells.
                    self.unclear = true;
                    None
                }
                Ok(Answered::Held(_)) if self.wait == Wait::Never => {
                    self.queued |= engine.queues();
                    return Ended::Failed(caller, Failure::Busy);
                }
                Ok(Answered::Held(seen)) => {
                    self.last_error = None;
                    backoff = Backoff::new();
                    self.queued |= engine.queues();
                    let waiting = engine.wait(self.claim, Seen { tries, ..seen });
                    match warning.limit(self.wait, &caller, waiting).await {
                        Ok(Waited::AskAgain) => None,
                        Ok(Waited::Granted(grant)) if grant.is_valid() => {
                            return Ended::Granted(caller, grant);
                        }
                        Ok(Waited::Granted(_)) => {
                            self.unclear = true;
                            None
                        }
                        Err(stopped) => {
                            self.leave(stopped, caller);
                            return self.undo_if_needed();
                        }
                    }
                }
                Err(error) => {
                    self.unclear |= error.unclear;
                    if !error.transient {
                        return Ended::Failed(caller, Failure::Refused(error));
                    }
                    let looks_up = error.unclear && warning.waited() < LOOK_UP;
                    if self.wait == Wait::Never && !looks_up {
                        return Ended::Failed(caller, Failure::Unavailable(error));
                    }
                    self.core.log_unanswered(self.claim, &error);
                    self.last_error = Some(error);
                    Some(backoff.next())
                }
            };
            if let Some(pause) = pause {
                let pause = warning.limit(self.wait, &caller, self.core.pause(pause));
                if let Err(stopped) = pause.await {
                    self.leave(stopped, caller);
                    return self.undo_if_needed();
                }
            }
        }
    }

    /// Tells a caller whose time is up.
    fn leave(&mut self, stopped: Stopped, caller: Caller) {
        if stopped == Stopped::TimedOut {
            let failure = match self.last_error.take() {
                Some(error) => Failure::Unavailable(error),
                None => Failure::TimedOut,
            };
            tell(caller, failure);
        }
    }

    fn leaves_something(&self) -> bool {
        self.unclear || self.queued
    }

    fn undo_if_needed(&self) -> Ended {
        if self.leaves_something() {
            Ended::Undo
        } else {
            Ended::Nothing
        }
    }
}
