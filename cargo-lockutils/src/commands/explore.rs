//! `cargo lockutils explore`: the interleaving in which two are in the section.

pub mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use lockutils_harness::explore::card::{Card, Outcome, SCHEMA};
use lockutils_harness::explore::counterexample::Counterexample;
use lockutils_harness::explore::{Budget, Found, Search};
use lockutils_harness::model::Scenario;
use lockutils_harness::model::worst;
use lockutils_harness::model::{Expectation, Verdict};
use lockutils_harness::protocol::Capability;
use lockutils_harness::stress::offers;
use lockutils_harness::workers::LockUnderTest;

use self::text::{BAD, GOOD, running, told};
use super::configured::{self, Meant};
use super::reports;
use super::screen::{self, Screen, interrupted};
use super::seed::fresh_seed;
use crate::cli::{DirectoryOptions, ExploreOptions};
use crate::github;
use crate::lock_directory::LockDirectory;
use crate::say;
use crate::settings::ConfiguredLock;

pub fn run(chosen: &ExploreOptions) -> Result<u8> {
    screen::unless_interrupted(run_until_interrupted(chosen))
}

fn run_until_interrupted(chosen: &ExploreOptions) -> Result<u8> {
    let profile = configured::profile(&chosen.lock)?;
    let seed = chosen
        .seed
        .or(profile.fixed_seed())
        .unwrap_or_else(fresh_seed);
    let meant = Meant::by(&chosen.lock)?;
    let exploration = Exploration {
        chosen,
        seed,
        budget: chosen
            .budget
            .or(profile.budget.map(|time| time.0))
            .unwrap_or(Duration::from_secs(60)),
        schedules: chosen.schedules.or(profile.schedules).unwrap_or(5000),
        artifacts: reports::artifacts(chosen.artifacts.as_deref(), "explore", seed)?,
        start: std::env::current_dir()?,
        screen: Screen::new(chosen.json),
        interrupted: interrupted()?,
    };
    github::begins("explore", seed)?;
    match meant {
        Meant::Given(lock) => Ok(exploration.in_a_directory(&lock, None)?.exit_status),
        Meant::Configured(locks) => exploration.all(&locks),
    }
}

/// How locks are explored.
struct Exploration<'a> {
    chosen: &'a ExploreOptions,
    seed: u64,
    budget: Duration,
    schedules: usize,
    /// The folder for counterexamples.
    artifacts: Option<PathBuf>,
    /// The folder in which the command was called.
    start: PathBuf,
    screen: Screen,
    interrupted: Arc<AtomicBool>,
}

impl Exploration<'_> {
    /// The configured locks, one after the other.
    fn all(&self, locks: &[ConfiguredLock]) -> Result<u8> {
        let explored: Vec<&ConfiguredLock> = locks.iter().filter(|lock| lock.explored).collect();
        if explored.is_empty() {
            let names: Vec<&str> = locks.iter().map(|lock| lock.name.as_str()).collect();
            say::note(format_args!(
                "nothing is explored: the configuration says `explore.skip` for {}",
                names.join(", ")
            ));
            return Ok(0);
        }
        let mut statuses = Vec::new();
        for configured in explored {
            if self.is_interrupted() {
                break;
            }
            configured::enter(configured)?;
            let lock = configured.lock()?;
            self.screen.line(&configured.name);
            let card = self.in_a_directory(&lock, Some(configured))?;
            let mut failed = Vec::new();
            if card.exit_status > 100 {
                statuses.push(card.exit_status);
                failed.push("interrupted".to_owned());
            }
            for outcome in &card.outcomes {
                let (plot, word) = (outcome.scenario, outcome.verdict);
                let expectation = configured
                    .expected(plot)
                    .map(|expected| Expectation::new(plot.word(), expected, word));
                match expectation {
                    Some(expectation) => {
                        statuses.push(expectation.exit_status());
                        if !expectation.met {
                            failed.push(expectation.sentence());
                        }
                    }
                    None => {
                        statuses.push(word.exit_status());
                        if word.exit_status() != 0 {
                            failed.push(format!("{}: {}", plot.word(), word.word()));
                        }
                    }
                }
            }
            let name = &configured.name;
            match failed.is_empty() {
                true => self.screen.line(&format!("{GOOD}✔ {name}{GOOD:#}\n")),
                false => self
                    .screen
                    .line(&format!("{BAD}✘ {name}{BAD:#}  {}\n", failed.join("; "))),
            }
        }
        match statuses.is_empty() {
            // Never 0 for what was not tried.
            true => Ok(Verdict::NotKnown.exit_status()),
            false => Ok(worst(statuses)),
        }
    }

    fn in_a_directory(
        &self,
        lock: &LockUnderTest,
        configured: Option<&ConfiguredLock>,
    ) -> Result<Card> {
        let directory = LockDirectory::make(&DirectoryOptions::default())?;
        let guardian = directory.guard(None)?;
        let result = self.explore(lock, configured, directory.lock_path());
        self.screen.clear();
        directory.finish(false, true)?;
        guardian.dismiss();
        result
    }

    fn explore(
        &self,
        lock: &LockUnderTest,
        configured: Option<&ConfiguredLock>,
        base: &Path,
    ) -> Result<Card> {
        let chosen = self.chosen;
        let began = Instant::now();
        self.screen
            .line(&format!("{}\nseed {:#x}", lock.title(), self.seed));
        self.screen.show("starting a worker".to_owned());
        let can =
            offers(lock, &base.join("first"), &self.interrupted).map_err(|why| anyhow!("{why}"))?;
        let wished = match configured {
            Some(configured) if chosen.scenario.is_empty() => &configured.plots,
            _ => &chosen.scenario,
        };
        let plots: Vec<Scenario> = match wished.is_empty() {
            false => wished.clone(),
            true => [
                Scenario::Contend,
                Scenario::Die,
                Scenario::Respawn,
                Scenario::Remove,
            ]
            .into_iter()
            .filter(|plot| *plot != Scenario::Remove || can.has(Capability::Remove))
            .collect(),
        };
        let parties = chosen
            .parties
            .or(configured.and_then(|configured| configured.parties))
            .unwrap_or(3);
        let lease = chosen
            .lock
            .lease
            .or(configured.and_then(|configured| configured.lease));
        let mut outcomes = Vec::new();
        let shares = plots.len() as u32;
        for plot in plots {
            let mut search = Search {
                lock,
                scenario: plot,
                workers: parties.into(),
                rounds: chosen.rounds.into(),
                strategy: chosen.strategy,
                seed: self.seed,
                lease,
                base: base.join(plot.word()),
                settle_time: Duration::ZERO,
                interrupted: &self.interrupted,
            };
            let budget = Budget {
                time: self.budget / shares,
                schedules: self.schedules,
            };
            let found = search.search(&budget, &mut |sofar| {
                self.screen.show(running(plot, &budget, sofar));
            });
            let found = match found {
                // What was found before is not lost.
                Err(why) if !outcomes.is_empty() => Found::failed(plot, search.workers, why),
                found => found.map_err(|why| anyhow!("{}: {why}", plot.word()))?,
            };
            self.screen.line(&told(&found, screen::width()));
            let outcome = Outcome::new(&search, &found);
            let word = outcome.verdict;
            outcomes.push(outcome);
            let title =
                configured.map_or_else(|| lock.title(), |configured| configured.name.clone());
            match &found.counterexample {
                Some(trace) => {
                    let example = Counterexample {
                        lock: lock.arguments(),
                        scenario: plot,
                        workers: found.parties,
                        rounds: search.rounds,
                        seed: self.seed,
                        lease,
                        settle_time: found.rest,
                        patient: trace.looked_in_real_time(),
                        choices: trace.choices(),
                    };
                    let text = example.to_text(trace);
                    let file = self.keep(plot, configured, &text)?;
                    github::explored(&github::Found {
                        title: &title,
                        scenario: plot.word(),
                        verdict: word.text(),
                        expected: configured
                            .and_then(|configured| configured.expected(plot))
                            .is_some_and(|expected| expected.contains(&word)),
                        file: &file,
                        text: &text,
                    })?;
                }
                None => {
                    github::explored_in_vain(&title, plot.word(), word.text(), found.schedules)?;
                }
            }
            if self.is_interrupted() {
                break;
            }
        }
        let interrupted = self.is_interrupted();
        let verdicts = || outcomes.iter().map(|outcome| outcome.verdict);
        // What was to be explored and could not be is not held.
        let not_known = verdicts().any(|verdict| verdict == Verdict::NotKnown);
        let verdict = Verdict::worst(verdicts()).unless_not_known(not_known);
        let card = Card {
            schema: SCHEMA,
            tool: env!("CARGO_PKG_VERSION"),
            title: lock.title(),
            arguments: lock.arguments(),
            seed: format!("{:#x}", self.seed),
            seconds: began.elapsed().as_secs_f64(),
            interrupted,
            verdict,
            exit_status: screen::exit_status(verdict.exit_status_if(interrupted)),
            outcomes,
        };
        self.write_reports(&card, configured)?;
        Ok(card)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// What was asked for; each configured lock has files of its own.
    fn write_reports(&self, card: &Card, configured: Option<&ConfiguredLock>) -> Result<()> {
        let named = |file: &Path| {
            let file = self.start.join(file);
            match configured {
                Some(configured) => reports::with_name(&file, &configured.name),
                None => file,
            }
        };
        if self.chosen.json {
            say::result(serde_json::to_string_pretty(card)?)?;
        }
        if let Some(file) = &self.chosen.junit {
            let xml = card
                .junit()
                .map_err(|why| anyhow!("the JUnit report: {why}"))?;
            let file = named(file);
            fs::write(&file, xml).with_context(|| reports::cannot_write(&file))?;
        }
        if let Some(file) = &self.chosen.html {
            let file = named(file);
            fs::write(&file, card.html()).with_context(|| reports::cannot_write(&file))?;
            say::note(format_args!("the page is {}", file.display()));
        }
        Ok(())
    }

    /// Writes the counterexample into a file, and says how it is run again.
    fn keep(
        &self,
        plot: Scenario,
        configured: Option<&ConfiguredLock>,
        text: &str,
    ) -> Result<PathBuf> {
        let name = match configured {
            Some(configured) => format!("lockutils-{}-{}.txt", configured.name, plot.word()),
            None => format!("lockutils-{}.txt", plot.word()),
        };
        let file = match (&self.artifacts, &self.chosen.save) {
            (Some(folder), _) => folder.join(name),
            (None, Some(file)) => file.clone(),
            (None, None) => name.into(),
        };
        // The lock may run elsewhere.
        fs::write(self.start.join(&file), text).with_context(|| reports::cannot_write(&file))?;
        self.screen.line(&format!(
            "  again: cargo lockutils replay {}\n",
            file.display()
        ));
        Ok(file)
    }
}
