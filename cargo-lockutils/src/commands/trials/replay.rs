//! `cargo lockutils replay`: replays a counterexample saved by `explore`.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use lockutils_harness::engines::{Engine, ServerError};
use lockutils_harness::explore::counterexample::Counterexample;
use lockutils_harness::explore::story::{ending, story};
use lockutils_harness::explore::{Choice, End, Search, Shard, Trace, adopt_orphans};
use lockutils_harness::report;
use lockutils_harness::workers::LockUnderTest;

use super::screen::{self, Screen, interrupted};
use super::server::{on_server, server};
use crate::lock_directory::LockDirectory;
use crate::output;
use crate::sys::{NO_EXPLORE, Status};

/// Default number of runs.
const TIMES: usize = 10;

pub fn run(file: &Path, times: Option<usize>) -> Result<Status> {
    if let Some(why) = NO_EXPLORE {
        bail!("`replay` is not available on this system: {why}");
    }
    adopt_orphans();
    screen::unless_interrupted(run_until_interrupted(file, times))
}

fn run_until_interrupted(file: &Path, times: Option<usize>) -> Result<Status> {
    let text = match file == Path::new("-") {
        true => io::read_to_string(io::stdin()).context("cannot read standard input")?,
        false => {
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
        }
    };
    let example = Counterexample::from_text(&text).with_context(|| file.display().to_string())?;
    let times = times.unwrap_or(if example.patient { 1 } else { TIMES });
    let lock = example.lock(std::env::current_exe()?)?;
    let interrupted = interrupted()?;
    let traces = LockDirectory::with_fresh(|lock_path| {
        follow(&example, &lock, lock_path, times, &interrupted)
    })?;
    let traces = traces?;
    // Only the first run waits in real time. Others that take the same steps end in the same state.
    let is_stuck = |trace: &Trace| matches!(trace.end, End::Stuck(_));
    let first_is_stuck = traces.first().is_some_and(is_stuck);
    let broke = |trace: &&Trace| match trace.end {
        End::Overlap { .. } | End::FenceBroken(_) | End::Stuck(_) => true,
        End::Polls(None) => first_is_stuck && trace.moves() == example.moves,
        _ => false,
    };
    let told = traces.iter().find(|trace| is_stuck(trace));
    let Some(last) = told.or(traces.iter().rev().find(broke)).or(traces.last()) else {
        bail!("interrupted before the first run ended");
    };
    output::on_stdout(lock.title());
    let steps = report::steps_in_short(&story(last));
    output::on_stdout(report::fold(&steps, screen::width()));
    let broken = traces.iter().filter(broke).count();
    let same = traces
        .iter()
        .filter(|trace| trace.moves() == example.moves)
        .count();
    let times = traces.len();
    output::on_stdout(format_args!(
        "{broken} of {times} runs reached the violation; {same} took exactly the steps in the file"
    ));
    let elsewhere = example.other_processor().filter(|_| same == 0);
    if let Some(processor) = elsewhere {
        output::note(format_args!(
            "the file was found on {processor}, and on {} the worker makes other system calls: \
             replay it there, or explore the lock here",
            std::env::consts::ARCH
        ));
    }
    if broken == 0 {
        match &last.end {
            End::Failed(_) | End::Polls(None) => output::warning(ending(last)),
            _ if elsewhere.is_some() => {}
            _ => output::note(
                "this schedule no longer leads to a violation: the lock was repaired, or is not \
                 deterministic",
            ),
        }
    }
    Ok(last.verdict().exit_status().into())
}

fn follow(
    example: &Counterexample,
    lock: &LockUnderTest,
    base: &Path,
    times: usize,
    interrupted: &AtomicBool,
) -> Result<Vec<Trace>> {
    let engine = example.servers.as_deref().map(Engine::find).transpose();
    let engine = engine.map_err(ServerError::from)?;
    let server = server(engine.as_ref(), example.server.as_deref(), base)?;
    let lock = on_server(lock, server.as_ref());
    let search = Search {
        lock: &lock,
        scenario: example.scenario,
        workers: example.workers,
        rounds: example.rounds,
        crashes: 0,
        strategy: Choice::Mix,
        seed: example.seed,
        lease: example.lease,
        jobs: 1,
        shard: Shard::WHOLE,
        base: base.join(example.scenario.word()),
        settle_time: example.settle_time,
        server: server.as_ref(),
        interrupted,
    };
    let mut controller = search.controller()?;
    let mut traces = Vec::new();
    let screen = Screen::new(false);
    for run in 1..=times {
        screen.show(format!("run {run} of {times}"));
        let patient = example.patient && run == 1;
        let trace = search.follow(&mut controller, &example.moves, patient)?;
        if trace.end == End::Interrupted {
            break;
        }
        traces.push(trace);
    }
    screen.clear();
    Ok(traces)
}
