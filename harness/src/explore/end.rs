//! The end of a schedule.

use std::time::Duration;

use crate::model::Verdict;
use crate::protocol::Answer;
use crate::stress::judge::BrokenFence;

use super::command::Command;

/// The end of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every worker was in the section, one after the other.
    Clean,
    /// Two workers were in the section at once.
    Overlap {
        /// The worker that was in the section.
        first: usize,
        /// The worker that entered while the first was inside.
        second: usize,
    },
    /// The fencing token of a worker is not greater than that of one that acquired the lock before.
    FenceBroken(BrokenFence<usize>),
    /// Two workers were in the section at once, but the first may have outlived its lease in real
    /// time.
    LeaseExpired,
    /// No worker can go on, or none makes progress.
    Stuck(StuckReason),
    /// All waiting workers poll in vain. Their time does not pass as real time does, so it is
    /// unknown whether they would ever get the lock. If one did get it in real time, the value is
    /// the time since the holder's death.
    Polls(Option<Duration>),
    /// A worker, or the explorer, failed.
    Failed(FailureReason),
    /// The rest of the schedule was already tried in another order.
    Known,
    /// Set if the user interrupted the search.
    Interrupted,
}

/// The reason why no worker gets the lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StuckReason {
    /// Workers that poll did not get the lock without the scheduler either.
    #[error(
        "no worker is in the section, and none got the lock in {} s of real time either",
        .waited.as_secs()
    )]
    InRealTime {
        /// The real time for which they ran unscheduled.
        waited: Duration,
    },
    /// Each unfinished worker waits for something that no other one will do.
    #[error("no worker is in the section, and {} forever", waiting(.workers))]
    ForEver {
        /// The numbers of these workers; never empty.
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

/// The reason why a schedule says nothing about the lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// The schedule took too long.
    #[error("a schedule took more than {} s", .limit.as_secs())]
    TooSlow {
        /// Maximum time of a schedule.
        limit: Duration,
    },
    /// The schedule has too many steps.
    #[error("the schedule has more than {limit} steps")]
    TooLong {
        /// Maximum number of steps.
        limit: usize,
    },
    /// The others look again and again while one is in the section.
    #[error("no waiter makes progress while one worker is in the section")]
    NoProgress,
    /// A worker is still there after SIGKILL, if only as a zombie.
    #[error("worker {worker} was killed, and its processes have not ended or were not reaped")]
    NotKilled {
        /// The worker's number.
        worker: usize,
    },
    /// The lease is longer than the explorer waits for its end.
    #[error(
        "all waiters poll after a crash, and --lease is too long to wait for: the explorer waits \
         for leases of up to {} s",
        .limit.as_secs()
    )]
    LongLease {
        /// The longest lease that it waits for.
        limit: Duration,
    },
    /// Processes of a killed wrapper are left, and do not run the command.
    #[error(
        "the wrapper of worker {worker} was killed, and processes that it has left neither run its \
         command nor end"
    )]
    Orphaned {
        /// The worker's number.
        worker: usize,
    },
    /// The command of a killed wrapper has ended with it.
    #[error("the command of worker {worker} ended when its wrapper was killed")]
    CommandEnded {
        /// The worker's number.
        worker: usize,
    },
    /// A worker computes without end.
    #[error(
        "worker {worker} has computed for {} s without an answer or a system call that matters to \
         a lock",
        .time.as_secs()
    )]
    Computes {
        /// The worker's number.
        worker: usize,
        /// The time for which it has computed.
        time: Duration,
    },
    /// An answer does not fit the command.
    #[error(
        "worker {worker} answered `{answer}` when it was asked to {}",
        .command.map_or_else(|| "do nothing".to_owned(), |command| command.to_string())
    )]
    UnexpectedAnswer {
        /// The worker's number.
        worker: usize,
        /// The answer.
        answer: Answer,
        /// The last command, if there was one.
        command: Option<Command>,
    },
    /// A worker wrote something else than an answer.
    #[error("worker {worker} does not answer; it printed a line outside the protocol: {line}")]
    NotOfTheProtocol {
        /// The worker's number.
        worker: usize,
        /// An excerpt of the line.
        line: String,
    },
    /// A worker has exited or was killed.
    #[error("worker {worker} ended on its own{stderr}")]
    Ended {
        /// The worker's number.
        worker: usize,
        /// The end of its standard error, as part of the sentence.
        stderr: String,
    },
    /// A worker got the lock by requests that no command has caused, as far as their tasks show.
    #[error(
        "worker {worker} got the lock by requests of a thread that was at work before the command, so \
         their order is not known"
    )]
    NotOrdered {
        /// The worker's number.
        worker: usize,
    },
    /// The server failed.
    #[error("{0}")]
    Server(String),
    /// No fresh worker could be started in place of one that left.
    #[error("{0}")]
    NotReplaced(String),
}

impl End {
    /// The verdict on the lock after a single schedule with this end.
    pub fn verdict(&self) -> Verdict {
        match self {
            End::Overlap { .. } => Verdict::Broken,
            End::FenceBroken(_) => Verdict::FenceBroken,
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
            "worker 1 answered `busy` when it was asked to leave"
        );
        assert_eq!(
            unexpected(None).to_string(),
            "worker 1 answered `busy` when it was asked to do nothing"
        );
    }
}
