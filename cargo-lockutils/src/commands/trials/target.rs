//! The target of a trial: the lock on the command line, or those of the configuration.

use std::env;

use anyhow::{Context, Result, anyhow, bail};
use lockutils_harness::workers::LockUnderTest;

use crate::cargo_run;
use crate::cli::{LockOptions, values};
use crate::settings::{ConfiguredLock, Profile, Workspace};

/// The profile that the command line names, or an empty one.
pub fn profile(lock: &LockOptions) -> Result<Profile> {
    match &lock.profile {
        None => Ok(Profile::default()),
        Some(name) => match workspace() {
            Ok(workspace) => workspace.profile(name),
            // The built-in profiles need no project.
            Err(_) => Profile::find(name, &Default::default()),
        },
    }
}

/// The locks to test.
pub enum Target {
    /// The lock on the command line.
    Given(LockUnderTest),
    /// Locks of the configuration.
    Configured(Vec<ConfiguredLock>),
}

impl Target {
    /// The target that the options select.
    pub fn by(lock: &LockOptions) -> Result<Target> {
        match lock.is_configured() {
            true => locks(lock).map(Target::Configured),
            false => lock.lock().map(Target::Given),
        }
    }
}

/// All locks of the configuration, or those that are named.
fn locks(lock: &LockOptions) -> Result<Vec<ConfiguredLock>> {
    const ADVICE: &str = "give a worker after `--`, `--wrapper -- COMMAND`, or `--builtin NAME`";
    let workspace = workspace().map_err(|why| anyhow!("no lock to test: {ADVICE} ({why:#})"))?;
    let mut locks = workspace.locks()?;
    if locks.is_empty() {
        bail!(
            "no lock to test, and none is configured: {ADVICE}, or create a configuration with \
             `cargo lockutils init`"
        );
    }
    for name in &lock.names {
        if !locks.iter().any(|lock| lock.name == *name) {
            let known: Vec<&str> = locks.iter().map(|lock| lock.name.as_str()).collect();
            bail!("{}", values::unknown("configured lock", name, &known));
        }
    }
    if !lock.names.is_empty() {
        locks.retain(|one| lock.names.contains(&one.name));
    }
    Ok(locks)
}

fn workspace() -> Result<Workspace> {
    Workspace::here(&cargo_run::cargo())
}

/// Changes to the folder of a configured lock, because its command is relative to it.
pub fn enter(lock: &ConfiguredLock) -> Result<()> {
    env::set_current_dir(&lock.folder).with_context(|| {
        format!(
            "cannot enter the folder {} of the lock `{}`",
            lock.folder.display(),
            lock.name
        )
    })
}
