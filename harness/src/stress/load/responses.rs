//! Responses of workers.

use super::Load;
use crate::model::EventKind;
use crate::protocol::{Answer, Line, Verb, excerpt};
use crate::workers::pool::State;

/// Number of lines in a row that may be no lines of the protocol.
const LINES_OF_GARBAGE: u64 = 10_000;

/// A request for the lock.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub verb: Verb,
    /// The time at which it was written.
    pub at: u64,
}

impl Load<'_> {
    pub(super) fn read_responses(&mut self, worker: usize) {
        let mut lines = Vec::new();
        let Some(process) = &mut self.pool.workers[worker].process else {
            return;
        };
        let open = process.lines(&mut lines);
        let life = self.pool.workers[worker].life;
        for line in lines {
            match line {
                Line::Answer(slot, answer) if slot < self.slots => {
                    self.pool.workers[worker].garbage = 0;
                    self.handle_response(worker, slot, answer);
                }
                Line::Answer(slot, answer) => {
                    self.replace_untrusted(
                        worker,
                        &format!("it answered `{slot} {answer}`, but there is no slot {slot}"),
                    );
                }
                Line::Ready(..) => self.replace_untrusted(worker, "it printed `ready` again"),
                Line::Garbage(text) => {
                    self.pool.workers[worker].garbage += 1;
                    let line = excerpt(&text);
                    self.statistics
                        .note(format!("a line outside the protocol: {line}"));
                    if self.pool.workers[worker].garbage > LINES_OF_GARBAGE {
                        self.replace_untrusted(
                            worker,
                            "it printed 10,000 lines in a row outside the protocol",
                        );
                    }
                }
            }
            if self.pool.workers[worker].life != life || self.pool.workers[worker].process.is_none()
            {
                return;
            }
        }
        if !open {
            self.handle_end(worker);
        }
    }

    pub(super) fn handle_response(&mut self, worker: usize, slot: usize, answer: Answer) {
        let now = self.now();
        let id = self.slot_id(worker, slot);
        let state = self.pool.workers[worker].slots[slot].state;
        match (state, answer) {
            (State::Asked { verb, at }, Answer::Acquired(token)) => {
                self.enter(worker, slot, Request { verb, at }, token, now)
            }
            (
                State::Asked {
                    verb: Verb::Try | Verb::TryRead,
                    ..
                },
                Answer::Busy,
            ) => {
                self.statistics.busy += 1;
                self.check_refusal(worker, slot, EventKind::Busy, now);
                self.timeline.note(now, id, EventKind::Busy);
                self.schedule_request(worker, slot, now);
            }
            (
                State::Asked {
                    verb: Verb::AcquireTimeout(_),
                    ..
                },
                Answer::TimedOut | Answer::Busy,
            ) => {
                self.statistics.timed_out += 1;
                self.check_refusal(worker, slot, EventKind::TimedOut, now);
                self.timeline.note(now, id, EventKind::TimedOut);
                self.schedule_request(worker, slot, now);
            }
            (
                State::Asked { verb, .. },
                answer @ (Answer::Unsupported | Answer::Busy | Answer::TimedOut),
            ) => {
                let advice = match verb {
                    Verb::Acquire | Verb::Read => {
                        ": it has to wait for the lock, however long that takes"
                    }
                    _ => "",
                };
                self.statistics
                    .error(format!("`{verb}` was answered with `{answer}`{advice}"));
                self.back_off(worker, slot, now);
            }
            (State::Asked { verb, .. }, Answer::Error(text)) => {
                self.note_uncertainty();
                self.statistics.error(format!("{verb}: {text}"));
                self.timeline.note(now, id, EventKind::Error);
                self.back_off(worker, slot, now);
            }
            (State::Executing { verb, .. }, Answer::Done) => {
                let (fault, what) = effect_of(verb);
                self.statistics.fault(fault);
                self.timeline.note(now, id, what);
                self.extend_hold(worker, slot, now);
            }
            (State::Executing { verb, .. }, Answer::Unsupported) => {
                self.statistics
                    .note(format!("{verb} is not supported at times"));
                self.extend_hold(worker, slot, now);
            }
            (State::Executing { verb, .. }, Answer::Error(text)) => {
                self.statistics.error(format!("{verb}: {text}"));
                self.extend_hold(worker, slot, now);
            }
            (State::Releasing { .. }, answer @ (Answer::Released | Answer::Error(_))) => {
                let lost = self.judge.may_have_lost(id);
                self.judge.confirm(id);
                let what = match &answer {
                    Answer::Error(_) => EventKind::Error,
                    _ => EventKind::Released,
                };
                match answer {
                    Answer::Error(text) if lost => {
                        self.statistics.lost += 1;
                        self.statistics
                            .note(format!("release failed after the lease: {text}"));
                    }
                    Answer::Error(text) => self.statistics.error(format!("release: {text}")),
                    _ => {}
                }
                self.timeline.note(now, id, what);
                if what == EventKind::Error {
                    self.note_uncertainty();
                }
                self.last_release = Some((id, now));
                self.after_release(worker, slot, now);
            }
            (State::Removing { .. }, Answer::Removed) => {
                self.statistics.fault("removals");
                self.timeline.note(now, id, EventKind::Removed);
                self.schedule_request(worker, slot, now);
            }
            (State::Removing { .. }, Answer::Error(text)) => {
                self.statistics.error(format!("remove: {text}"));
                self.schedule_request(worker, slot, now);
            }
            (State::Removing { .. }, Answer::Unsupported) => {
                self.schedule_request(worker, slot, now)
            }
            (
                State::Inside { .. } | State::Executing { .. } | State::Releasing { .. },
                Answer::Lost(text),
            ) => {
                self.statistics.lost += 1;
                self.note_uncertainty();
                self.statistics
                    .note(format!("a library reported that the lock was lost: {text}"));
                self.judge.lost(id, now);
                match state {
                    State::Releasing { .. } => self.after_release(worker, slot, now),
                    _ => self.release(worker, slot),
                }
            }
            (_, Answer::Lost(_)) => {}
            (state, answer) => {
                let expected = match state {
                    State::Idle { .. } | State::Inside { .. } => {
                        "nothing had been requested".to_owned()
                    }
                    State::Asked { verb, .. } | State::Executing { verb, .. } => {
                        format!("`{verb}` had been requested")
                    }
                    State::Releasing { .. } => "`release` had been requested".to_owned(),
                    State::Removing { .. } => "`remove` had been requested".to_owned(),
                };
                self.replace_untrusted(worker, &format!("it answered `{answer}` when {expected}"));
            }
        }
    }
}

fn effect_of(verb: Verb) -> (&'static str, EventKind) {
    match verb {
        Verb::ForkRelease => ("forks that release", EventKind::Forked),
        Verb::ForkExit => ("forks that exit", EventKind::Forked),
        Verb::KillWrapper => ("wrappers killed", EventKind::WrapperKilled),
        _ => ("reopenings", EventKind::Reopened),
    }
}
