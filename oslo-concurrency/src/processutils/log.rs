//! Log events about commands, at the level that the caller chooses.

/// The attempts after which the output of a failed command is logged, with its exit code. The
/// failure itself is always logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogErrors {
    /// None: only the caller gets the output, in the error.
    #[default]
    Never,
    /// After the first attempt that fails.
    First,
    /// After the last attempt, if it fails.
    Final,
    /// After each attempt that fails.
    All,
}

impl LogErrors {
    pub(super) fn wants(self, attempt: u32, attempts: u32) -> bool {
        match self {
            LogErrors::Never => false,
            LogErrors::First => attempt == 1,
            LogErrors::Final => attempt == attempts,
            LogErrors::All => true,
        }
    }
}

/// `tracing::event!` for a level that is not a constant.
macro_rules! log_at {
    ($level:expr, $($event:tt)+) => {{
        const TARGET: &str = "oslo_concurrency::processutils";
        match $level {
            tracing::Level::ERROR => tracing::error!(target: TARGET, $($event)+),
            tracing::Level::WARN => tracing::warn!(target: TARGET, $($event)+),
            tracing::Level::INFO => tracing::info!(target: TARGET, $($event)+),
            tracing::Level::DEBUG => tracing::debug!(target: TARGET, $($event)+),
            tracing::Level::TRACE => tracing::trace!(target: TARGET, $($event)+),
        }
    }};
}
pub(super) use log_at;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_attempts_are_logged() {
        let logged = |when: LogErrors| [1, 2, 3].map(|attempt| when.wants(attempt, 3));
        assert_eq!(logged(LogErrors::Never), [false; 3]);
        assert_eq!(logged(LogErrors::First), [true, false, false]);
        assert_eq!(logged(LogErrors::Final), [false, false, true]);
        assert_eq!(logged(LogErrors::All), [true; 3]);
        assert!(LogErrors::First.wants(1, 1) && LogErrors::Final.wants(1, 1));
    }
}
