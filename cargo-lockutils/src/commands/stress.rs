//! `cargo lockutils stress`: a card for any lock.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use lockutils_harness::foreign::{Options, Progress, Scenario, Sofar, Trial};
use lockutils_harness::report::{self, Card};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::cli::{DirectoryOptions, StressOptions};
use crate::lock_directory::LockDirectory;
use crate::say;

pub fn run(chosen: &StressOptions) -> Result<u8> {
    let lock = chosen.lock.lock()?;
    let options = options(chosen);
    for file in chosen.html.iter().chain(&chosen.junit) {
        // Better now than when the work is done.
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .with_context(|| cannot_write(file))?;
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The second time, nobody wants to see what was found.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let directory = LockDirectory::make(&DirectoryOptions::default())?;
    let guardian = directory.guard()?;
    let screen = Screen::new(chosen.json);
    screen.line(&report::headline(&lock.title(), &options));
    let card = Trial::new(&lock, &options, directory.lock_path())
        .run(&interrupted, &mut |progress| screen.show(&progress));
    screen.live.finish_and_clear();
    directory.finish(false, true)?;
    drop(guardian);
    let card = card.map_err(|why| anyhow!("{why}"))?;
    for story in card.outcomes.iter().filter_map(report::story) {
        screen.line(&format!("\n{}", story.trim_end()));
    }
    screen.line(&format!("\n{}", report::verdict_line(&card)));
    write_reports(&card, chosen)?;
    Ok(card.exit_status)
}

fn options(chosen: &StressOptions) -> Options {
    let fresh = || {
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        (time.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(20)) & 0xffff_ffff
    };
    Options {
        seed: chosen.seed.unwrap_or_else(fresh),
        duration: chosen.duration,
        processes: chosen.processes.into(),
        threads: chosen.threads.into(),
        hold: chosen.hold,
        lease: chosen.lock.lease,
        stuck_after: chosen.stuck_after,
        scenarios: chosen.scenario.clone(),
        deny_hazards: chosen.deny_hazards,
    }
}

/// Where the card appears: line by line, with one that moves if somebody looks on.
struct Screen {
    on_stderr: bool,
    live: ProgressBar,
}

impl Screen {
    fn new(json: bool) -> Self {
        let live = match io::stderr().is_terminal() {
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            live.set_style(style);
        }
        Screen {
            on_stderr: json,
            live,
        }
    }

    fn line(&self, text: &str) {
        self.live.suspend(|| match self.on_stderr {
            true => say::on_stderr(text),
            false => say::on_stdout(text),
        });
    }

    fn show(&self, progress: &Progress<'_>) {
        match progress {
            Progress::Begun(_) => self.live.set_message("starting workers"),
            Progress::Running(scenario, share, sofar) => {
                self.live.set_message(running(*scenario, *share, *sofar));
                self.live.tick();
            }
            Progress::Done(outcome) => {
                // A log has no width; a terminal's may change while we run.
                let width = terminal_size::terminal_size().map(|(width, _)| width.0.into());
                self.line(&report::outcome_line(outcome, width));
            }
        }
    }
}

fn running(scenario: Scenario, share: Duration, sofar: Sofar) -> String {
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

fn write_reports(card: &Card, chosen: &StressOptions) -> Result<()> {
    if chosen.json {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, card)?;
        writeln!(out)?;
    }
    if let Some(file) = &chosen.junit {
        let xml = report::junit(card).map_err(|why| anyhow!("the JUnit report: {why}"))?;
        fs::write(file, xml).with_context(|| cannot_write(file))?;
    }
    if let Some(file) = &chosen.html {
        fs::write(file, report::html(card)).with_context(|| cannot_write(file))?;
        say::note(format_args!("the page is {}", file.display()));
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // Workflow commands are read from standard output, and from standard error as well.
        eprint!("{}", report::annotations(card));
        if let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY") {
            let file = Path::new(&file);
            let mut summary = OpenOptions::new()
                .append(true)
                .create(true)
                .open(file)
                .with_context(|| cannot_write(file))?;
            summary.write_all(report::job_summary(card).as_bytes())?;
        }
    }
    Ok(())
}

fn cannot_write(file: &Path) -> String {
    format!("{} cannot be written", file.display())
}
