//! How a schedule ended.

use std::time::Duration;

use crate::model::Verdict;
use crate::protocol::Answer;

use super::command::Command;

/// The end of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Everybody was in the section, one after the other.
    Clean,
    /// Two workers were in the section at once.
    Overlap {
        /// The worker that was in the section.
        first: usize,
        /// The worker that entered it as well.
        second: usize,
    },
    /// Two were in the section at once, but the first may have outlived its lease in real time.
    LeaseExpired,
    /// No worker can go on, or none gets any further.
    Stuck(StuckReason),
    /// All workers that wait look again and again. Time does not pass for them as it does outside,
    /// so it is not known whether they would ever get the lock; unless one got it in real time, so
    /// long after a holder's death.
    Polls(Option<Duration>),
    /// A worker, or the explorer, failed.
    Failed(FailureReason),
    /// The rest was tried before, in another order.
    Known,
    /// The user interrupted it.
    Interrupted,
}

/// Why no worker gets the lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StuckReason {
    /// Workers that look again and again did not get it outside of the scheduler either.
    #[error(
        "no worker is in the section, and none got the lock in {} s of real time either",
        .waited.as_secs()
    )]
    InRealTime {
        /// How long they were left to themselves.
        waited: Duration,
    },
    /// Each unfinished worker waits for something that no other one will do.
    #[error("no worker is in the section, and {} forever", waiting(.workers))]
    ForEver {
        /// Their numbers; never empty.
        workers: Vec<usize>,
    },
}

fn waiting(workers: &[usize]) -> String {
    match workers {
        [others @ .., last] if !others.is_empty() => {
            let others: Vec<String> = others.iter().map(usize::to_string).collect();
            format!("workers {} and {last} wait", others.join(", "))
        }
        workers => format!("worker {} waits", workers.first().copied().unwrap_or(0)),
    }
}

/// Why a schedule says nothing about the lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// It took too long.
    #[error("a schedule took more than {} s", .limit.as_secs())]
    TooSlow {
        /// The longest time that one may take.
        limit: Duration,
    },
    /// It has too many steps.
    #[error("the schedule has more than {limit} steps")]
    TooLong {
        /// The most steps that one may have.
        limit: usize,
    },
    /// The others look again and again while one is in the section.
    #[error("no waiter makes progress while one worker is in the section")]
    NoProgress,
    /// A worker computes without an end.
    #[error(
        "worker {worker} has computed for {} s without an answer or a system call that matters to \
         a lock",
        .time.as_secs()
    )]
    Computes {
        /// Its number.
        worker: usize,
        /// For how long.
        time: Duration,
    },
    /// An answer does not fit the command.
    #[error(
        "worker {worker} answered `{answer}` when it was told to {}",
        .command.map_or_else(|| "do nothing".to_owned(), |command| command.to_string())
    )]
    UnexpectedAnswer {
        /// The worker's number.
        worker: usize,
        /// Its answer.
        answer: Answer,
        /// What it was told last, if anything.
        command: Option<Command>,
    },
    /// A worker wrote something else than an answer.
    #[error("worker {worker} does not answer; it printed a line outside the protocol: {line}")]
    NotOfTheProtocol {
        /// Its number.
        worker: usize,
        /// An excerpt of the line.
        line: String,
    },
    /// A worker has exited or was killed.
    #[error("worker {worker} ended on its own{stderr}")]
    Ended {
        /// Its number.
        worker: usize,
        /// The end of its standard error, as part of the sentence.
        stderr: String,
    },
    /// No fresh worker could be started in the place of one that left.
    #[error("{0}")]
    NotReplaced(String),
}

impl End {
    /// The verdict on the lock after one schedule with this end.
    pub fn verdict(&self) -> Verdict {
        match self {
            End::Overlap { .. } => Verdict::Broken,
            End::Stuck(_) => Verdict::Stuck,
            End::Clean | End::LeaseExpired | End::Polls(Some(_)) | End::Known => Verdict::Held,
            End::Polls(None) | End::Failed(_) | End::Interrupted => Verdict::NotKnown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_sentences() {
        let stuck = |workers: &[usize]| {
            let workers = workers.to_vec();
            StuckReason::ForEver { workers }.to_string()
        };
        assert_eq!(
            stuck(&[1]),
            "no worker is in the section, and worker 1 waits forever"
        );
        assert_eq!(
            stuck(&[0, 1, 2]),
            "no worker is in the section, and workers 0, 1 and 2 wait forever"
        );
        let waited = Duration::from_secs(12);
        assert_eq!(
            StuckReason::InRealTime { waited }.to_string(),
            "no worker is in the section, and none got the lock in 12 s of real time either"
        );
        let unexpected = |command| FailureReason::UnexpectedAnswer {
            worker: 1,
            answer: Answer::Busy,
            command,
        };
        assert_eq!(
            unexpected(Some(Command::Leave)).to_string(),
            "worker 1 answered `busy` when it was told to leave"
        );
        assert_eq!(
            unexpected(None).to_string(),
            "worker 1 answered `busy` when it was told to do nothing"
        );
    }
}
