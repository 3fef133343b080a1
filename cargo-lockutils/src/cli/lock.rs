//! Which lock is tried, for the commands that try one.

use std::time::Duration;

use clap::Args;
use lockutils_harness::workers::LockUnderTest;

use super::values::time;
use crate::builtin::Builtin;

/// Which lock is tried.
#[derive(Args, Clone, Debug)]
pub struct LockOptions {
    /// The lock is a command that runs another one, {cmd}, while it holds it
    #[arg(long, conflicts_with = "builtin", help_heading = "Lock")]
    pub wrapper: bool,
    /// The exit status with which a wrapper that does not wait says that the lock is busy
    #[arg(
        long,
        requires = "wrapper",
        value_name = "STATUS",
        help_heading = "Lock"
    )]
    pub busy_status: Option<u8>,
    /// Try one of the locks that come along
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Lock")]
    pub builtin: Option<Builtin>,
    /// The lock's own lease: a holder that is stopped for longer may lose it, and that is no race
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Lock")]
    pub lease: Option<Duration>,
    /// Of the configured locks, only this one; may be given several times, or with commas
    #[arg(
        long = "lock",
        value_delimiter = ',',
        value_name = "NAME",
        conflicts_with_all = ["builtin", "wrapper", "words"],
        help_heading = "Lock"
    )]
    pub names: Vec<String>,
    /// How long and how hard: `pull-request` (short, a fixed seed), `nightly` (long, a new seed),
    /// or one that is configured
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The worker, or with --wrapper the command, and its arguments; without one, the configured
    /// locks are tried
    #[arg(
        trailing_var_arg = true,
        value_name = "LOCK",
        conflicts_with = "builtin"
    )]
    pub words: Vec<String>,
}

impl LockOptions {
    /// Whether no lock is given, so that those of the configuration are meant.
    pub fn is_configured(&self) -> bool {
        self.words.is_empty() && self.builtin.is_none() && !self.wrapper
    }

    /// The lock that is meant.
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
