//! The options that select the lock under test.

use std::time::Duration;

use clap::Args;
use lockutils_harness::workers::LockUnderTest;

use super::values::time;
use crate::builtin::Builtin;

/// The lock under test.
#[derive(Args, Clone, Debug)]
pub struct LockOptions {
    /// Treat LOCK as a command that runs {cmd} while it holds the lock
    #[arg(long, conflicts_with = "builtin", help_heading = "Lock")]
    pub wrapper: bool,
    /// Exit status of a wrapper that gave up because the lock was held
    #[arg(
        long,
        requires = "wrapper",
        value_name = "STATUS",
        help_heading = "Lock"
    )]
    pub busy_status: Option<u8>,
    /// Built-in lock to test
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Lock")]
    pub builtin: Option<Builtin>,
    /// Lease of the lock; if a holder is stopped for longer and loses the lock, that is not a
    /// violation
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Lock")]
    pub lease: Option<Duration>,
    /// Configured lock to test; repeatable or comma-separated [default: all]
    #[arg(
        long = "lock",
        value_delimiter = ',',
        value_name = "NAME",
        conflicts_with_all = ["builtin", "wrapper", "words"],
        help_heading = "Lock"
    )]
    pub names: Vec<String>,
    /// Set of option values: pull-request (short, fixed seed), nightly (long, fresh seed), or a
    /// profile from the configuration
    #[arg(long, value_name = "NAME", help_heading = "Trial")]
    pub profile: Option<String>,
    /// Worker (or, with --wrapper, command) and its arguments [default: the configured locks]
    #[arg(
        trailing_var_arg = true,
        value_name = "LOCK",
        conflicts_with = "builtin"
    )]
    pub words: Vec<String>,
}

impl LockOptions {
    /// Returns `true` if the command line names no lock, so that the configured ones are tested.
    pub fn is_configured(&self) -> bool {
        self.words.is_empty() && self.builtin.is_none() && !self.wrapper
    }

    /// The lock that the command line names.
    pub fn lock(&self) -> anyhow::Result<LockUnderTest> {
        let ours = std::env::current_exe()?;
        Ok(match self.builtin {
            Some(builtin) => LockUnderTest::builtin(builtin.word(), ours),
            None if self.wrapper => {
                LockUnderTest::wrapper(self.words.clone(), self.busy_status, ours)?
            }
            None => LockUnderTest::worker(self.words.clone())?,
        })
    }
}
