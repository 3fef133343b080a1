//! The trials of the conformance suite that fit into the budget, all at once.

use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use lockutils_harness::testing::coordination::{Oslo, Promise, Service, Suite};
use lockutils_harness::testing::finding::Finding;
use oslo_coordination::{Names, Promises, Survival, Token};

use super::card::{Outcome, Tried};
use super::service::Given;
use crate::cli::COORDINATION_WORKER;

/// Time for all trials.
pub const BUDGET: Duration = Duration::from_secs(10);

/// Each row of the card with its trials.
const ROWS: &[(&str, &[Promise])] = &[
    ("reach", &[Promise::Processes]),
    (
        "exclusion",
        &[Promise::Threads, Promise::Tasks, Promise::Busy],
    ),
    ("token", &[Promise::Tokens]),
    ("a holder dies", &[Promise::Death, Promise::Panic]),
    (
        "a lock is lost",
        &[
            Promise::Silence,
            Promise::CutOff,
            Promise::StoppedHolder,
            Promise::StaleRelease,
        ],
    ),
    (
        "connection breaks",
        &[
            Promise::Reset,
            Promise::LateRenewal,
            Promise::LostAnswer,
            Promise::LostRelease,
        ],
    ),
    ("server restarts", &[Promise::Restart, Promise::Outage]),
    ("names", &[Promise::Names, Promise::ManyLocks]),
    (
        "waiting",
        &[
            Promise::HandOver,
            Promise::Timeout,
            Promise::CancelledWait,
            Promise::Cancelled,
            Promise::RequestInFlight,
            Promise::AnswerInFlight,
        ],
    ),
    (
        "fork and executor",
        &[Promise::Forked, Promise::BlockedExecutor],
    ),
];

/// Runs every trial of a promise that the engine makes.
pub fn run(url: &str, promises: &Promises) -> Vec<Tried> {
    let end = Instant::now() + BUDGET;
    let (send, outcomes) = channel();
    let mut tried = Vec::new();
    for &(row, trials) in ROWS {
        for &promise in trials.iter().filter(|promise| is_made(**promise, promises)) {
            tried.push(Tried {
                row,
                trial: promise.word(),
                outcome: Outcome::NotTried(format!("a trial took longer than {BUDGET:?}")),
            });
            let (send, number) = (send.clone(), tried.len() - 1);
            let (url, promises) = (url.to_owned(), *promises);
            thread::spawn(move || {
                // The receiver is gone when the time is up.
                let _ = send.send((number, examine(promise, &url, &promises)));
            });
        }
    }
    drop(send);
    loop {
        match outcomes.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok((number, outcome)) => tried[number].outcome = outcome,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return tried,
        }
    }
}

fn is_made(promise: Promise, promises: &Promises) -> bool {
    match promise {
        Promise::Tokens => promises.token == Token::Always,
        Promise::Names => promises.names == Names::Any,
        Promise::Restart => matches!(promises.restart, Survival::Held | Survival::HeldIfOnDisk),
        Promise::Reset | Promise::LateRenewal => promises.reset == Survival::Held,
        Promise::Silence
        | Promise::CutOff
        | Promise::StoppedHolder
        | Promise::StaleRelease
        | Promise::LostAnswer
        | Promise::LostRelease
        | Promise::Outage
        | Promise::RequestInFlight
        | Promise::AnswerInFlight => promises.reset != Survival::NoServer,
        _ => true,
    }
}

fn examine(promise: Promise, url: &str, promises: &Promises) -> Outcome {
    if matches!(promise, Promise::Restart | Promise::Outage) {
        let why = "the server is not stopped, since others may use it";
        return Outcome::NotTried(why.to_owned());
    }
    let make = |lease| -> Box<dyn Service> { Box::new(Given::new(url, promises, lease)) };
    let worker = || {
        let program = std::env::current_exe().unwrap_or_else(|_| "cargo-lockutils".into());
        let mut command = Command::new(program);
        command.arg(COORDINATION_WORKER);
        command
    };
    let name = format!(
        "lockutils-{}-{}",
        std::process::id(),
        promise.word().replace(' ', "-")
    );
    let suite = Suite::new(&make, &worker).name(name).brief(true);
    match suite.examine::<Oslo>(promise) {
        Finding::Held => Outcome::Kept,
        Finding::Violated(why) => match promise {
            Promise::Threads
            | Promise::Tasks
            | Promise::Processes
            | Promise::CutOff
            | Promise::StaleRelease => Outcome::Overlap(why),
            _ => Outcome::Broken(why),
        },
        Finding::NotKnown(why) => Outcome::NotTried(why.to_string()),
    }
}
