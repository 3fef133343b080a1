//! Verdicts on a lock, and the exit statuses that follow from them.

use serde::{Deserialize, Serialize};

/// Verdict on a lock in one scenario or in a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No violation was found.
    Held,
    /// Two workers held the lock at once.
    Broken,
    /// The fencing token of a holder is not greater than that of an earlier one.
    FenceBroken,
    /// No worker gets the lock any more.
    Stuck,
    /// A worker was killed, and no other gets the lock any more.
    StuckAfterCrash,
    /// One worker waits forever while others get the lock.
    Starved,
    /// A holder that was stopped beyond the lock's lease overlapped with the next one; not a race.
    LeaseExpired,
    /// A refusal of a free lock, or a timed wait that ended early or late.
    WrongAnswer,
    /// Acquiring or releasing failed.
    Errors,
    /// Nothing is known.
    NotKnown,
}

/// The number of the signal on every system.
const SIGINT: u8 = 2;

impl Verdict {
    /// All verdicts, from good to bad, and *not known*.
    pub const ALL: [Verdict; 10] = [
        Verdict::Held,
        Verdict::LeaseExpired,
        Verdict::Errors,
        Verdict::WrongAnswer,
        Verdict::Starved,
        Verdict::StuckAfterCrash,
        Verdict::Stuck,
        Verdict::FenceBroken,
        Verdict::Broken,
        Verdict::NotKnown,
    ];

    /// The word in JSON and in configurations.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Held => "held",
            Verdict::Broken => "broken",
            Verdict::FenceBroken => "fence-broken",
            Verdict::Stuck => "stuck",
            Verdict::StuckAfterCrash => "stuck-after-crash",
            Verdict::Starved => "starved",
            Verdict::LeaseExpired => "lease-expired",
            Verdict::WrongAnswer => "wrong-answer",
            Verdict::Errors => "errors",
            Verdict::NotKnown => "not-known",
        }
    }

    /// The word in texts for people.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Held => "held",
            Verdict::Broken => "BROKEN",
            Verdict::FenceBroken => "FENCE BROKEN",
            Verdict::Stuck => "stuck",
            Verdict::StuckAfterCrash => "stuck after a crash",
            Verdict::Starved => "starved",
            Verdict::LeaseExpired => "lease expired",
            Verdict::WrongAnswer => "wrong answer",
            Verdict::Errors => "errors",
            Verdict::NotKnown => "not known",
        }
    }

    /// The exit status of a run with this worst verdict: 1 for safety, 3 for liveness, 2 if the
    /// lock could not be tried.
    pub fn exit_status(self) -> u8 {
        match self {
            Verdict::Held | Verdict::LeaseExpired => 0,
            Verdict::Broken | Verdict::FenceBroken => 1,
            Verdict::Stuck
            | Verdict::StuckAfterCrash
            | Verdict::Starved
            | Verdict::WrongAnswer
            | Verdict::Errors => 3,
            Verdict::NotKnown => 2,
        }
    }

    /// The exit status of a run that may have been interrupted: without a violation it is that of a
    /// process ended by SIGINT.
    pub fn exit_status_if(self, interrupted: bool) -> u8 {
        match self {
            Verdict::Held | Verdict::LeaseExpired | Verdict::NotKnown if interrupted => {
                128 + SIGINT
            }
            verdict => verdict.exit_status(),
        }
    }

    /// Severity, compared with other verdicts.
    pub fn badness(self) -> u8 {
        match self {
            Verdict::NotKnown => 0,
            Verdict::Held => 1,
            Verdict::LeaseExpired => 2,
            Verdict::Errors => 3,
            Verdict::WrongAnswer => 4,
            Verdict::Starved => 5,
            Verdict::StuckAfterCrash => 6,
            Verdict::Stuck => 7,
            Verdict::FenceBroken => 8,
            Verdict::Broken => 9,
        }
    }

    /// *Not known* instead of a good verdict, if `something` was not tried.
    pub fn unless_not_known(self, something: bool) -> Verdict {
        match self {
            Verdict::Held | Verdict::LeaseExpired if something => Verdict::NotKnown,
            verdict => verdict,
        }
    }

    /// The worst of several verdicts; *not known* if there are none.
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts
            .into_iter()
            .max_by_key(|verdict| verdict.badness())
            .unwrap_or(Verdict::NotKnown)
    }
}
