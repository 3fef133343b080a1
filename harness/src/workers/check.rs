//! Checks a worker against the protocol, one request at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use super::error::WorkerError;
use super::lock_under_test::LockUnderTest;
use super::pool::{Ready, WorkerSpawner, answer_of, answers_of, wait_for};
use super::worker::WorkerProcess;
use crate::protocol::{Answer, Capabilities, Capability, Verb};

/// Time limit of an answer while no other process uses the lock.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// The answer to a request for the lock, to which a worker may add a token.
const ACQUIRED: Answer = Answer::Acquired(None);

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolCheck {
    /// The subject of the check.
    pub what: String,
    /// The defect; `None` if there is none.
    pub wrong: Option<String>,
}

/// Runs two workers of this lock through the whole protocol. `base` is an empty directory.
///
/// # Errors
/// Returns an error if a worker does not become ready.
pub fn check(lock: &LockUnderTest, base: &Path) -> Result<Vec<ProtocolCheck>, WorkerError> {
    let mut spawner = WorkerSpawner::new(lock, base.to_owned(), "lock-1".into(), 2, 1)?;
    let first = spawner.start(0)?;
    let (first, ready) = spawner.until_ready(first)?;
    let (second, _) = spawner.start_ready(1)?;
    let mut check = Check {
        findings: Vec::new(),
        first,
        second,
    };
    let Ready {
        capabilities,
        unknown,
        before,
    } = ready;
    check.note(
        format!("prints `{capabilities}`"),
        before.first().map(|line| {
            format!(
                "another line came before it: {line:?}; standard output is for the protocol \
                 only, so log to standard error"
            )
        }),
    );
    if let Some(word) = unknown.first() {
        let known: Vec<&str> = Capability::ALL.into_iter().map(Capability::word).collect();
        let known = known.join(", ");
        check.note(
            "names only known capabilities after `ready`",
            Some(format!("`{word}` is not a capability; known: {known}")),
        );
    }
    check.basics(&capabilities);
    check.extras(&capabilities);
    if capabilities.has(Capability::Threads) {
        check.threads();
    }
    check.strange_verbs();
    check.end_of_input();
    Ok(check.findings)
}

struct Check {
    findings: Vec<ProtocolCheck>,
    first: WorkerProcess,
    second: WorkerProcess,
}

#[derive(Clone, Copy)]
enum By {
    First,
    Second,
}

impl Check {
    fn note(&mut self, what: impl Into<String>, wrong: Option<String>) {
        self.findings.push(ProtocolCheck {
            what: what.into(),
            wrong,
        });
    }

    /// Sends a request and returns `true` if the answer is the expected one.
    fn expect(
        &mut self,
        by: By,
        slot: usize,
        verb: Verb,
        expected: &Answer,
        meaning: &str,
    ) -> bool {
        let worker = match by {
            By::First => &mut self.first,
            By::Second => &mut self.second,
        };
        let answer = match worker.send(slot, verb) {
            Ok(()) => answer_of(worker, slot, WAIT_LIMIT),
            Err(_) => None,
        };
        let is_acquired = matches!(answer, Some(Answer::Acquired(_)));
        if is_acquired && *expected != ACQUIRED {
            // Otherwise the next checks would fail for this reason alone.
            let _ = worker.send(slot, Verb::Release);
            answer_of(worker, slot, WAIT_LIMIT);
        }
        let wrong = match &answer {
            // With or without a token.
            Some(Answer::Acquired(_)) if *expected == ACQUIRED => None,
            Some(answer) if answer == expected => None,
            Some(Answer::Error(error)) => Some(format!("the library failed: {error}")),
            Some(Answer::Acquired(_)) => Some(format!(
                "it answered `{slot} acquired` instead of `{slot} {expected}`: do both workers \
                 use one lock, in LOCKUTILS_DIR and named LOCKUTILS_NAME? \
                 If they do, the lock does not exclude other processes; `stress` shows more"
            )),
            Some(answer) => Some(format!(
                "it answered `{slot} {answer}` instead of `{slot} {expected}`"
            )),
            None => Some(match worker.ended() {
                Some(status) => format!(
                    "it ended instead: {}{}",
                    super::worker::describe(status),
                    super::pool::stderr_of(worker)
                ),
                None => format!(
                    "no answer within {} s; does it flush its standard output after each line?",
                    WAIT_LIMIT.as_secs()
                ),
            }),
        };
        let right = wrong.is_none();
        self.note(format!("`{slot} {verb}` {meaning}"), wrong);
        right
    }

    fn basics(&mut self, capabilities: &Capabilities) {
        use By::{First, Second};
        self.expect(First, 0, Verb::Acquire, &ACQUIRED, "acquires a free lock");
        if !capabilities.has(Capability::NoTry) {
            self.expect(
                Second,
                0,
                Verb::Try,
                &Answer::Busy,
                "is refused while another worker holds it",
            );
        }
        self.expect(First, 0, Verb::Release, &Answer::Released, "releases it");
        self.expect(
            Second,
            0,
            Verb::Acquire,
            &ACQUIRED,
            "acquires it in another worker afterwards",
        );
        self.expect(Second, 0, Verb::Release, &Answer::Released, "releases it");
        if !capabilities.has(Capability::NoTry) {
            self.expect(First, 0, Verb::Try, &ACQUIRED, "acquires a free lock");
            self.expect(First, 0, Verb::Release, &Answer::Released, "releases it");
        }
    }

    fn extras(&mut self, capabilities: &Capabilities) {
        use By::{First, Second};
        if capabilities.has(Capability::Timeout) {
            self.expect(
                First,
                0,
                Verb::AcquireTimeout(1000),
                &ACQUIRED,
                "acquires a free lock",
            );
            self.expect(
                Second,
                0,
                Verb::AcquireTimeout(50),
                &Answer::TimedOut,
                "gives up while another holds it",
            );
            self.expect(First, 0, Verb::Release, &Answer::Released, "releases it");
        }
        if capabilities.has(Capability::Shared) {
            self.expect(First, 0, Verb::Read, &ACQUIRED, "shares a free lock");
            self.expect(
                Second,
                0,
                Verb::TryRead,
                &ACQUIRED,
                "shares it with another",
            );
            self.expect(Second, 0, Verb::Release, &Answer::Released, "releases it");
            if !capabilities.has(Capability::NoTry) {
                self.expect(
                    Second,
                    0,
                    Verb::Try,
                    &Answer::Busy,
                    "is refused while another worker shares it",
                );
            }
            self.expect(First, 0, Verb::Release, &Answer::Released, "releases it");
            self.expect(First, 0, Verb::Acquire, &ACQUIRED, "acquires a free lock");
            self.expect(
                Second,
                0,
                Verb::TryRead,
                &Answer::Busy,
                "is refused while another worker holds it",
            );
            self.expect(First, 0, Verb::Release, &Answer::Released, "releases it");
        }
        if capabilities.has(Capability::Remove) {
            self.expect(
                First,
                0,
                Verb::Remove,
                &Answer::Removed,
                "removes a free lock",
            );
        }
        for (capability, verbs) in [
            (Capability::Fork, &[Verb::ForkRelease, Verb::ForkExit][..]),
            (Capability::Reopen, &[Verb::Reopen]),
            (Capability::Wrapper, &[Verb::KillWrapper]),
        ] {
            for verb in verbs.iter().filter(|_| capabilities.has(capability)) {
                self.expect(First, 0, Verb::Acquire, &ACQUIRED, "acquires a free lock");
                self.expect(
                    First,
                    0,
                    *verb,
                    &Answer::Done,
                    "works while the lock is held",
                );
                if *verb == Verb::ForkRelease {
                    // A lock may or may not treat the child's release as the parent's.
                    let _ = self.first.send(0, Verb::Release);
                    answer_of(&mut self.first, 0, WAIT_LIMIT);
                    continue;
                }
                self.expect(First, 0, Verb::Release, &Answer::Released, "releases it");
            }
        }
    }

    /// A waiting slot must not block requests to the other.
    fn threads(&mut self) {
        use By::First;
        self.expect(
            First,
            1,
            Verb::Acquire,
            &ACQUIRED,
            "acquires a free lock in the second slot",
        );
        let sent = self
            .first
            .send(0, Verb::Acquire)
            .and_then(|()| self.first.send(1, Verb::Release));
        let answers = match sent {
            Ok(()) => answers_of(&mut self.first, [0, 1], WAIT_LIMIT),
            Err(_) => [None, None],
        };
        let what = [
            (
                0,
                ACQUIRED,
                "slot 0 waits for the lock, and gets it when slot 1 releases it",
            ),
            (1, Answer::Released, "slot 1 is served while slot 0 waits"),
        ];
        for ((slot, expected, what), answer) in what.into_iter().zip(answers) {
            let is_right = match (&answer, &expected) {
                (Some(Answer::Acquired(_)), Answer::Acquired(_)) => true,
                (answer, expected) => answer.as_ref() == Some(expected),
            };
            let wrong = (!is_right).then(|| match answer {
                Some(answer) => format!("slot {slot} answered `{answer}`"),
                None => format!(
                    "slot {slot} did not answer within {} s; does each slot have a thread of its \
                     own?",
                    WAIT_LIMIT.as_secs()
                ),
            });
            self.note(what, wrong);
        }
        self.expect(First, 0, Verb::Release, &Answer::Released, "releases it");
    }

    fn strange_verbs(&mut self) {
        let right = self.first.write_line("0 teleport\n").is_ok()
            && answer_of(&mut self.first, 0, WAIT_LIMIT) == Some(Answer::Unsupported);
        let wrong =
            (!right).then(|| "it must answer `0 unsupported` to an unknown verb".to_owned());
        self.note("`0 teleport` is answered with `unsupported`", wrong);
        self.expect(
            By::First,
            0,
            Verb::Acquire,
            &ACQUIRED,
            "still works after that",
        );
        self.expect(
            By::First,
            0,
            Verb::Release,
            &Answer::Released,
            "still works after that",
        );
    }

    fn end_of_input(&mut self) {
        self.first.end_input();
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.first.ended().is_none() && Instant::now() < deadline {
            self.first.lines(&mut Vec::new());
            wait_for(&self.first, Duration::from_millis(20));
        }
        let wrong = self
            .first
            .ended()
            .is_none()
            .then(|| "it is still running; it must exit when standard input ends".to_owned());
        self.note("exits when its input ends", wrong);
    }
}
