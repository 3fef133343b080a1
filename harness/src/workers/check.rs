//! Tells the author of a worker what it gets wrong, one request at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use super::lock_under_test::LockUnderTest;
use super::pool::{Ready, WorkerSpawner, answer_of, answers_of, wait_for};
use super::worker::WorkerProcess;
use crate::protocol::{Answer, Capabilities, Capability, Verb};

/// How long an answer may take when nobody else uses the lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolCheck {
    /// What was tried.
    pub what: String,
    /// What is wrong with the answer, if anything.
    pub wrong: Option<String>,
}

/// Talks to workers of this lock through the whole protocol. `base` is an empty directory.
///
/// # Errors
/// If no worker starts: a sentence for the user.
pub fn check(lock: &LockUnderTest, base: &Path) -> Result<Vec<ProtocolCheck>, String> {
    let mut spawner = WorkerSpawner::new(lock, base.to_owned(), "lock-1".into(), 2, 1)
        .map_err(|error| format!("no directory for the workers: {error}"))?;
    let not_started = |error| format!("the worker cannot be started: {error}");
    let first = spawner.start(0).map_err(not_started)?;
    let (first, ready) = spawner.until_ready(first)?;
    let (second, ..) = spawner.start_ready(1)?;
    let mut check = Check {
        findings: Vec::new(),
        first,
        second,
    };
    let Ready {
        can,
        unknown,
        before,
    } = ready;
    check.note(
        format!("says `{can}`"),
        before.first().map(|line| {
            format!("something else came before it: {line:?}; standard output is for the protocol alone, log to standard error")
        }),
    );
    if let Some(word) = unknown.first() {
        let known: Vec<&str> = Capability::ALL.into_iter().map(Capability::word).collect();
        let known = known.join(", ");
        check.note(
            "says nothing else after `ready`",
            Some(format!("`{word}` is no capability; there are: {known}")),
        );
    }
    check.basics(&can);
    check.extras(&can);
    if can.has(Capability::Threads) {
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

    /// Whether the answer was the expected one.
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
        let answer = match worker.tell(slot, verb) {
            Ok(()) => answer_of(worker, slot, PATIENCE),
            Err(_) => None,
        };
        if answer == Some(Answer::Acquired) && *expected != Answer::Acquired {
            // Else what follows would be wrong for this reason alone.
            let _ = worker.tell(slot, Verb::Release);
            answer_of(worker, slot, PATIENCE);
        }
        let wrong = match &answer {
            Some(answer) if answer == expected => None,
            Some(Answer::Error(error)) => Some(format!("the library failed: {error}")),
            Some(Answer::Acquired) => Some(format!(
                "it answered `{slot} acquired` instead of `{slot} {expected}`: do both workers use one lock, in LOCKUTILS_DIR and named LOCKUTILS_NAME? \
                 Or does the lock not exclude between processes? Then `stress` tells more"
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
                    PATIENCE.as_secs()
                ),
            }),
        };
        let right = wrong.is_none();
        self.note(format!("`{slot} {verb}` {meaning}"), wrong);
        right
    }

    fn basics(&mut self, can: &Capabilities) {
        use By::{First, Second};
        self.expect(
            First,
            0,
            Verb::Acquire,
            &Answer::Acquired,
            "takes a free lock",
        );
        if !can.has(Capability::NoTry) {
            self.expect(
                Second,
                0,
                Verb::Try,
                &Answer::Busy,
                "is refused while another worker holds it",
            );
        }
        self.expect(First, 0, Verb::Release, &Answer::Released, "gives it back");
        self.expect(
            Second,
            0,
            Verb::Acquire,
            &Answer::Acquired,
            "takes it in another worker afterwards",
        );
        self.expect(Second, 0, Verb::Release, &Answer::Released, "gives it back");
        if !can.has(Capability::NoTry) {
            self.expect(First, 0, Verb::Try, &Answer::Acquired, "takes a free lock");
            self.expect(First, 0, Verb::Release, &Answer::Released, "gives it back");
        }
    }

    fn extras(&mut self, can: &Capabilities) {
        use By::{First, Second};
        if can.has(Capability::Timeout) {
            self.expect(
                First,
                0,
                Verb::AcquireTimeout(1000),
                &Answer::Acquired,
                "takes a free lock",
            );
            self.expect(
                Second,
                0,
                Verb::AcquireTimeout(50),
                &Answer::TimedOut,
                "gives up while another holds it",
            );
            self.expect(First, 0, Verb::Release, &Answer::Released, "gives it back");
        }
        if can.has(Capability::Shared) {
            self.expect(
                First,
                0,
                Verb::Read,
                &Answer::Acquired,
                "shares a free lock",
            );
            self.expect(
                Second,
                0,
                Verb::TryRead,
                &Answer::Acquired,
                "shares it with another",
            );
            self.expect(Second, 0, Verb::Release, &Answer::Released, "gives it back");
            if !can.has(Capability::NoTry) {
                self.expect(
                    Second,
                    0,
                    Verb::Try,
                    &Answer::Busy,
                    "is refused while another worker shares it",
                );
            }
            self.expect(First, 0, Verb::Release, &Answer::Released, "gives it back");
            self.expect(
                First,
                0,
                Verb::Acquire,
                &Answer::Acquired,
                "takes a free lock",
            );
            self.expect(
                Second,
                0,
                Verb::TryRead,
                &Answer::Busy,
                "is refused while another worker holds it",
            );
            self.expect(First, 0, Verb::Release, &Answer::Released, "gives it back");
        }
        if can.has(Capability::Remove) {
            self.expect(
                First,
                0,
                Verb::Remove,
                &Answer::Removed,
                "removes the lock while nobody holds it",
            );
        }
        for (capability, verbs) in [
            (Capability::Fork, &[Verb::ForkRelease, Verb::ForkExit][..]),
            (Capability::Reopen, &[Verb::Reopen]),
            (Capability::Wrapper, &[Verb::KillWrapper]),
        ] {
            for verb in verbs.iter().filter(|_| can.has(capability)) {
                self.expect(
                    First,
                    0,
                    Verb::Acquire,
                    &Answer::Acquired,
                    "takes a free lock",
                );
                self.expect(First, 0, *verb, &Answer::Done, "does it in the section");
                if *verb == Verb::ForkRelease {
                    // Whether the child's release was the parent's as well is the lock's affair.
                    let _ = self.first.tell(0, Verb::Release);
                    answer_of(&mut self.first, 0, PATIENCE);
                    continue;
                }
                self.expect(First, 0, Verb::Release, &Answer::Released, "gives it back");
            }
        }
    }

    /// A slot that waits must not keep the other from being heard.
    fn threads(&mut self) {
        use By::First;
        self.expect(
            First,
            1,
            Verb::Acquire,
            &Answer::Acquired,
            "takes a free lock in the second slot",
        );
        let told = self
            .first
            .tell(0, Verb::Acquire)
            .and_then(|()| self.first.tell(1, Verb::Release));
        let answers = match told {
            Ok(()) => answers_of(&mut self.first, [0, 1], PATIENCE),
            Err(_) => [None, None],
        };
        let what = [
            (
                0,
                Answer::Acquired,
                "slot 0 waits for the lock, and gets it when slot 1 gives it back",
            ),
            (1, Answer::Released, "slot 1 is heard while slot 0 waits"),
        ];
        for ((slot, expected, what), answer) in what.into_iter().zip(answers) {
            let wrong = (answer.as_ref() != Some(&expected)).then(|| match answer {
                Some(answer) => format!("slot {slot} answered `{answer}`"),
                None => format!("slot {slot} did not answer within {} s; does each slot have a thread of its own?", PATIENCE.as_secs()),
            });
            self.note(what, wrong);
        }
        self.expect(First, 0, Verb::Release, &Answer::Released, "gives it back");
    }

    fn strange_verbs(&mut self) {
        let right = self.first.say("0 teleport\n").is_ok()
            && answer_of(&mut self.first, 0, PATIENCE) == Some(Answer::Unsupported);
        let wrong = (!right)
            .then(|| "it has to answer `0 unsupported` to what it does not know".to_owned());
        self.note(
            "`0 teleport` is not supported, and the worker goes on",
            wrong,
        );
        self.expect(
            By::First,
            0,
            Verb::Acquire,
            &Answer::Acquired,
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
            .then(|| "it stays; leave when standard input ends".to_owned());
        self.note("it leaves when its input ends", wrong);
    }
}
