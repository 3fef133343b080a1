//! `cargo lockutils stress`: a card for any lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::builder::styling::{AnsiColor, Style};
use lockutils_harness::model::Scenario;
use lockutils_harness::model::worst;
use lockutils_harness::model::{CheckedReport, Expectation, Outcome, Report, Verdict};
use lockutils_harness::report::{self};
use lockutils_harness::stress::{Options, Progress, Trial, TrialEvent};
use lockutils_harness::workers::LockUnderTest;

use super::configured::{self, Meant};
use super::reports::Reports;
use super::screen::{self, Screen, interrupted};
use super::seed::fresh_seed;
use crate::cli::{DirectoryOptions, StressOptions};
use crate::github;
use crate::lock_directory::LockDirectory;
use crate::settings::{ConfiguredLock, Profile};

const STRONG: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

pub fn run(chosen: &StressOptions) -> Result<u8> {
    screen::unless_interrupted(run_until_interrupted(chosen))
}

fn run_until_interrupted(chosen: &StressOptions) -> Result<u8> {
    let profile = configured::profile(&chosen.lock)?;
    let seed = chosen
        .seed
        .or(profile.fixed_seed())
        .unwrap_or_else(fresh_seed);
    let options = options(chosen, &profile, seed);
    let meant = Meant::by(&chosen.lock)?;
    let reports = Reports::prepare(chosen, matches!(meant, Meant::Configured(_)), seed)?;
    github::begins("stress", seed)?;
    let interrupted = interrupted()?;
    let screen = Screen::new(chosen.json);
    let cards = match meant {
        Meant::Given(lock) => vec![CheckedReport::plain(one(
            &lock,
            &options,
            &screen,
            &interrupted,
        )?)],
        Meant::Configured(locks) => all(&locks, &options, &screen, &interrupted)?,
    };
    let exit_status = worst(cards.iter().map(|judged| judged.exit_status));
    reports.write(&cards, exit_status)?;
    Ok(exit_status)
}

/// The configured locks, one after the other.
fn all(
    locks: &[ConfiguredLock],
    options: &Options,
    screen: &Screen,
    interrupted: &AtomicBool,
) -> Result<Vec<CheckedReport>> {
    let mut cards = Vec::new();
    for configured in locks {
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        if !cards.is_empty() {
            screen.line("");
        }
        configured::enter(configured)?;
        let lock = configured.lock()?;
        let mut options = options.clone();
        options.lease = options.lease.or(configured.lease);
        if options.scenarios.is_empty() {
            options.scenarios.clone_from(&configured.scenarios);
        }
        let mut expect = configured.expect.clone();
        expect.retain(|scenario, _| {
            options.scenarios.is_empty() || options.scenarios.contains(scenario)
        });
        screen.line(&format!("{STRONG}{}{STRONG:#}", configured.name));
        let card = one(&lock, &options, screen, interrupted)?;
        let mut judged = CheckedReport::new(&configured.name, card, &expect);
        if judged.exit_status == 0 && is_not_known(&judged, !options.scenarios.is_empty()) {
            judged.exit_status = Verdict::NotKnown.exit_status();
        }
        screen.line(&expectations(&judged));
        cards.push(judged);
    }
    Ok(cards)
}

/// Whether nothing that counts came to anything, or something that was named did not; what is
/// expected is known.
fn is_not_known(judged: &CheckedReport, named: bool) -> bool {
    let expected = |outcome: &Outcome| {
        let same = |met: &Expectation| met.met && met.scenario == outcome.scenario;
        judged.expectations.iter().any(same)
    };
    let counted: Vec<&Outcome> = judged
        .card
        .outcomes
        .iter()
        .filter(|outcome| outcome.counts)
        .collect();
    let unknown = |outcome: &&Outcome| outcome.verdict == Verdict::NotKnown && !expected(outcome);
    counted.iter().all(unknown) || (named && counted.iter().any(unknown))
}

fn expectations(judged: &CheckedReport) -> String {
    let name = judged.title();
    let unmet: Vec<String> = judged
        .expectations
        .iter()
        .filter(|expectation| !expectation.met)
        .map(|expectation| format!("{BAD}✘ {name}{BAD:#}  {}", expectation.sentence()))
        .collect();
    match (unmet.is_empty(), judged.exit_status) {
        (false, _) => unmet.join("\n"),
        (true, 0) if judged.expectations.is_empty() => format!("{GOOD}✔ {name}{GOOD:#}"),
        (true, 0) => format!("{GOOD}✔ {name}{GOOD:#}  as expected"),
        (true, 2) => format!("{BAD}✘ {name}{BAD:#}  not known"),
        (true, _) => format!("{BAD}✘ {name}{BAD:#}"),
    }
}

/// One lock, and its card on the screen.
fn one(
    lock: &LockUnderTest,
    options: &Options,
    screen: &Screen,
    interrupted: &AtomicBool,
) -> Result<Report> {
    let directory = LockDirectory::make(&DirectoryOptions::default())?;
    let guardian = directory.guard(None)?;
    screen.line(&report::headline(&lock.title(), options));
    let card = Trial::new(lock, options, directory.lock_path())
        .run(interrupted, &mut |progress| show(screen, &progress));
    screen.clear();
    directory.finish(false, true)?;
    guardian.dismiss();
    let mut card = card.map_err(|why| anyhow!("{why}"))?;
    card.exit_status = screen::exit_status(card.exit_status);
    for story in card.outcomes.iter().filter_map(report::story) {
        screen.line(&format!("\n{}", story.trim_end()));
    }
    screen.line(&format!("\n{}", report::verdict_line(&card)));
    Ok(card)
}

/// What the command line says, then the profile, then the defaults.
fn options(chosen: &StressOptions, profile: &Profile, seed: u64) -> Options {
    let default = Options::default();
    let or = |here: Option<Duration>, there: Option<Duration>, else_: Duration| {
        here.or(there).unwrap_or(else_)
    };
    let many = |here: Option<u16>, there: Option<u16>, else_: usize| {
        here.or(there).map_or(else_, usize::from)
    };
    Options {
        seed,
        duration: or(
            chosen.duration,
            profile.duration.map(|time| time.0),
            default.duration,
        ),
        processes: many(chosen.processes, profile.processes, default.processes),
        threads: many(chosen.threads, profile.threads, default.threads),
        hold: or(chosen.hold, profile.hold.map(|time| time.0), default.hold),
        lease: chosen.lock.lease,
        stuck_after: chosen.stuck_after,
        scenarios: chosen.scenario.clone(),
        deny_hazards: chosen.deny_hazards || profile.deny_hazards,
    }
}

fn show(screen: &Screen, progress: &TrialEvent<'_>) {
    match progress {
        TrialEvent::Begun(_) => screen.show("starting workers".to_owned()),
        TrialEvent::Running(scenario, share, sofar) => {
            screen.show(running(*scenario, *share, *sofar));
        }
        TrialEvent::Done(outcome) => {
            screen.line(&report::outcome_line(outcome, screen::width()));
        }
    }
}

fn running(scenario: Scenario, share: Duration, sofar: Progress) -> String {
    let (elapsed, share) = (sofar.elapsed.as_secs_f64(), share.as_secs_f64());
    let overlaps = match sofar.overlaps {
        0 => String::new(),
        overlaps => format!(", {overlaps} overlaps"),
    };
    let waiting = match elapsed > share + 0.5 {
        true => " (waiting for the last ones to get the lock)",
        false => "",
    };
    format!(
        "{scenario}: {elapsed:.1} of {share:.1} s, {} sections{overlaps}{waiting}",
        sofar.sections
    )
}
