//! `cargo lockutils promises`: what a coordination service promises, and trials of it.

mod card;
#[cfg(unix)]
mod service;
#[cfg(unix)]
mod trials;

use anyhow::{Result, anyhow};
use oslo_coordination::Promises;

use crate::cli::PromisesOptions;
use crate::output;
use crate::sys::Status;

pub fn run(options: &PromisesOptions) -> Result<Status> {
    let url = match &options.url {
        Some(url) => url.clone(),
        None => std::env::var("OSLO_COORDINATION_URL")
            .ok()
            .filter(|url| !url.is_empty())
            .ok_or_else(|| {
                anyhow!(
                    "no URL: name the service, as in `cargo lockutils promises \
                     redis://localhost:6379`, or set OSLO_COORDINATION_URL"
                )
            })?,
    };
    let promises = Promises::of(&url)?;
    if options.no_trials {
        output::result(card::of(&promises, &[]).trim_end())?;
        return Ok(0);
    }
    try_out(&url, &promises)
}

#[cfg(unix)]
fn try_out(url: &str, promises: &Promises) -> Result<Status> {
    use card::Tried;
    use oslo_coordination::Coordinator;
    use std::io::IsTerminal;

    // A service that does not answer is reported once, not by each trial.
    if let Err(error) = Coordinator::connect(url) {
        output::result(card::of(promises, &[]))?;
        // Its message includes its cause.
        return Err(anyhow!("nothing was tried: {error}"));
    }
    if std::io::stderr().is_terminal() {
        output::note(format_args!(
            "trying what can be tried in {} s",
            trials::BUDGET.as_secs()
        ));
    }
    let tried: Vec<Tried> = trials::run(url, promises);
    output::result(card::of(promises, &tried).trim_end())?;
    Ok(card::exit_status(&tried))
}

#[cfg(not(unix))]
fn try_out(_url: &str, promises: &Promises) -> Result<Status> {
    output::result(card::of(promises, &[]).trim_end())?;
    output::note("nothing was tried: the trials need fork(2) and signals");
    Ok(card::exit_status(&[]))
}

/// Becomes a process of a trial.
#[cfg(unix)]
pub fn work() {
    use lockutils_harness::testing::coordination::{Oslo, serve_if_asked};
    serve_if_asked::<Oslo>();
}

#[cfg(not(unix))]
pub fn work() {}
