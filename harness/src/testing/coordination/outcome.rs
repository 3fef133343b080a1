//! The outcome of a trial, and waits with a deadline.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::testing::finding::{Finding, Unknown};

/// A step of a trial: its value, or the conclusion that ends the trial.
pub(super) type Step<T = ()> = Result<T, Finding>;

/// The promise is broken.
pub(super) fn violated<T>(evidence: impl Into<String>) -> Step<T> {
    Err(Finding::Violated(evidence.into()))
}

/// The trial cannot conclude.
pub(super) fn unknown<T>(why: impl Into<String>) -> Step<T> {
    Err(Finding::NotKnown(Unknown::Unsupported(why.into())))
}

/// Ends the trial with the evidence unless the condition holds.
macro_rules! demand {
    ($condition:expr, $($evidence:tt)+) => {
        if !$condition {
            return $crate::testing::coordination::outcome::violated(format!($($evidence)+));
        }
    };
}
pub(super) use demand;

/// What a client under test must do, and did not.
pub(super) trait OrViolated<T> {
    fn or_violated(self, what: &str) -> Step<T>;
}

impl<T, E: Display> OrViolated<T> for Result<T, E> {
    fn or_violated(self, what: &str) -> Step<T> {
        self.or_else(|error| violated(format!("{what}: {error}")))
    }
}

/// The limit of every wait in a trial, longer than any event takes on a loaded machine: 60 s, or
/// `LOCKUTILS_TEST_DEADLINE` seconds.
pub(super) fn deadline() -> Duration {
    let seconds = std::env::var("LOCKUTILS_TEST_DEADLINE").ok();
    Duration::from_secs(
        seconds
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(60),
    )
}

/// Polls until `event` returns a value; a violation if it never does.
pub(super) fn until<T>(what: &str, mut event: impl FnMut() -> Option<T>) -> Step<T> {
    let end = Instant::now() + deadline();
    loop {
        if let Some(value) = event() {
            return Ok(value);
        }
        if Instant::now() >= end {
            return violated(format!("waited in vain for {:?}: {what}", deadline()));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
