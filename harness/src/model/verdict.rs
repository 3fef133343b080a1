//! Verdicts on a lock, and the exit statuses that follow from them.

use serde::Serialize;

/// A verdict, in one word or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nobody else was ever in, as far as was tried.
    Held,
    /// Two were in at once.
    Broken,
    /// Nobody gets the lock any more.
    Stuck,
    /// Somebody waits for ever while others get it.
    Starved,
    /// A holder that was stopped beyond the lock's lease was not alone; not a race.
    LeaseExpired,
    /// Refused although nobody held it, or a timed wait that ended early or late.
    WrongAnswer,
    /// Acquiring or releasing failed.
    Errors,
    /// Nothing can be said.
    NotKnown,
}

impl Verdict {
    /// All of them, from good to bad, and what is not known.
    pub const ALL: [Verdict; 8] = [
        Verdict::Held,
        Verdict::LeaseExpired,
        Verdict::Errors,
        Verdict::WrongAnswer,
        Verdict::Starved,
        Verdict::Stuck,
        Verdict::Broken,
        Verdict::NotKnown,
    ];

    /// As it stands in the JSON and in a configuration.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Held => "held",
            Verdict::Broken => "broken",
            Verdict::Stuck => "stuck",
            Verdict::Starved => "starved",
            Verdict::LeaseExpired => "lease-expired",
            Verdict::WrongAnswer => "wrong-answer",
            Verdict::Errors => "errors",
            Verdict::NotKnown => "not-known",
        }
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Held => "held",
            Verdict::Broken => "BROKEN",
            Verdict::Stuck => "stuck",
            Verdict::Starved => "starved",
            Verdict::LeaseExpired => "lease expired",
            Verdict::WrongAnswer => "wrong answer",
            Verdict::Errors => "errors",
            Verdict::NotKnown => "not known",
        }
    }

    /// The exit status of a run whose worst verdict this is: 1 for safety, 3 for liveness, 2 if it could not be tried.
    pub fn exit_status(self) -> u8 {
        match self {
            Verdict::Held | Verdict::LeaseExpired => 0,
            Verdict::Broken => 1,
            Verdict::Stuck | Verdict::Starved | Verdict::WrongAnswer | Verdict::Errors => 3,
            Verdict::NotKnown => 2,
        }
    }

    /// The same of a run that somebody may have stopped: it has not shown that the lock holds, and exits as one that SIGINT has ended.
    pub fn exit_status_if(self, interrupted: bool) -> u8 {
        match self {
            Verdict::Held | Verdict::LeaseExpired | Verdict::NotKnown if interrupted => {
                128 + libc::SIGINT as u8
            }
            word => word.exit_status(),
        }
    }

    /// How bad it is, compared with the others.
    fn badness(self) -> u8 {
        match self {
            Verdict::NotKnown => 0,
            Verdict::Held => 1,
            Verdict::LeaseExpired => 2,
            Verdict::Errors => 3,
            Verdict::WrongAnswer => 4,
            Verdict::Starved => 5,
            Verdict::Stuck => 6,
            Verdict::Broken => 7,
        }
    }

    /// The same of a run in which something that was to be tried was not, or came to nothing.
    pub fn unless_not_known(self, something: bool) -> Verdict {
        match self {
            Verdict::Held | Verdict::LeaseExpired if something => Verdict::NotKnown,
            word => word,
        }
    }

    /// The worst of several; *not known* if there are none.
    pub fn worst(words: impl IntoIterator<Item = Verdict>) -> Verdict {
        words
            .into_iter()
            .max_by_key(|word| word.badness())
            .unwrap_or(Verdict::NotKnown)
    }
}
