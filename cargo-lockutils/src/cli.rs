//! The command line: one definition, from which help, completions and the man page are made.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use lockutils_harness::explore::{Choice, Plot};
use lockutils_harness::foreign::{BUILTIN_WORKER, LockUnderTest, Scenario, WRAPPER_ADAPTER};

use crate::builtin::Builtin;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Run tests under an isolated lock path, and try whether locks exclude.
#[derive(Debug, Parser)]
#[command(
    name = "cargo lockutils",
    bin_name = "cargo lockutils",
    version,
    styles = STYLES,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value_t, value_enum)]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    pub fn write_global(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }

    /// For cargo, if it was chosen here.
    pub fn argument(self) -> Option<&'static str> {
        match self {
            Color::Auto => None,
            Color::Always => Some("--color=always"),
            Color::Never => Some("--color=never"),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run `cargo test` with an isolated OSLO_LOCK_PATH
    ///
    /// A fresh directory is made for the run, OSLO_LOCK_PATH names it in unit tests, integration tests and doctests, and it is removed
    /// afterwards, however the run ends. The exit status is that of `cargo test`.
    #[command(override_usage = "cargo lockutils test [OPTIONS] [ARGUMENTS OF CARGO TEST]...")]
    Test(TestOptions),
    /// Run `cargo nextest run` with an isolated OSLO_LOCK_PATH, then the doctests
    ///
    /// As `test`. Since cargo-nextest leaves doctests out, `cargo test --doc` follows, unless the arguments select other tests.
    #[command(
        override_usage = "cargo lockutils nextest [OPTIONS] [ARGUMENTS OF CARGO NEXTEST RUN]..."
    )]
    Nextest {
        #[command(flatten)]
        options: TestOptions,
        /// Leave the doctests out
        #[arg(long)]
        no_doctests: bool,
    },
    /// Run a command with an isolated OSLO_LOCK_PATH, as oslo's lockutils-wrapper
    ///
    /// The directory is removed when the command and what it started have ended. The exit status is the command's own, 128 + N if signal N
    /// ended it, 127 if it was not found and 126 if it cannot be executed.
    Run {
        #[command(flatten)]
        directory: DirectoryOptions,
        /// The command and its arguments
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "COMMAND"
        )]
        command: Vec<OsString>,
    },
    /// Try whether a lock excludes, by load and faults
    ///
    /// LOCK is a worker in any language that speaks the line protocol (docs/protocol.md); with --wrapper a command that runs
    /// another one, {cmd}, under the lock; or, with --builtin, one of the locks that come along. In its words {dir} is a fresh
    /// directory, {name} a lock name, {lock} the path of both, {worker} the worker's number.
    ///
    /// Exit status: 0 the lock held, 1 it broke (two were in at once), 3 it got stuck, starved somebody or failed, 2 it could not be tried.
    #[command(after_help = "Examples:
  cargo lockutils stress --wrapper -- flock {lock} {cmd}
  cargo lockutils stress --builtin oslo --duration 60s --html report.html
  cargo lockutils stress --scenario die --seed 0x5eed -- python3 worker.py {dir} {name}")]
    Stress(Box<StressOptions>),
    /// Break a lock by choosing every interleaving
    ///
    /// Runs the workers one system call at a time (ptrace(2)), and searches for the order in which two are in the section. What is found is
    /// made as short as possible, told step by step, and kept in a file. LOCK is as for `stress`.
    ///
    /// Exit status: 0 nothing was found, 1 two were in at once, 3 it got stuck, 2 it could not be tried.
    #[command(after_help = "Examples:
  cargo lockutils explore -- python3 worker.py
  cargo lockutils explore --scenario die --lease 2s --budget 3m -- node worker.js")]
    Explore(Box<ExploreOptions>),
    /// Run a counterexample that `explore` has kept again
    ///
    /// Exit status: 1 or 3 if the lock still follows it, 0 if it does not, 2 if it could not be tried.
    Replay {
        /// The file
        file: PathBuf,
        /// How often
        #[arg(long, value_name = "N", default_value_t = 10)]
        times: usize,
    },
    /// Say what a worker gets wrong in the line protocol
    WorkerCheck {
        /// The worker and its arguments
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "WORKER"
        )]
        command: Vec<String>,
    },
    /// Print OSLO_LOCK_PATH for a shell or another tool
    ///
    /// The directory is made and not removed: do that when you no longer need it.
    ///
    /// Example: eval "$(cargo lockutils show-env)"
    ShowEnv {
        /// In which form
        #[arg(long, value_enum, default_value_t)]
        format: EnvFormat,
        /// Use this directory instead of a fresh one
        #[arg(long, value_name = "DIR")]
        lock_path: Option<PathBuf>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man,
    /// The worker of a lock that is built in
    #[command(name = BUILTIN_WORKER, hide = true)]
    BuiltinWorker {
        #[arg(value_enum)]
        lock: Builtin,
    },
    /// Makes a worker of a command that runs another one under a lock
    #[command(name = WRAPPER_ADAPTER, hide = true)]
    WrapperWorker {
        #[arg(long)]
        busy_status: Option<u8>,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// What cargo runs instead of a test binary under --isolate
    #[command(name = RUNNER, hide = true)]
    Runner {
        #[arg(value_enum)]
        isolate: Isolate,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

/// The name of the hidden subcommand that stands before each test binary.
pub const RUNNER: &str = "test-runner";

#[derive(Args, Clone, Debug, Default)]
pub struct TestOptions {
    /// What gets a directory of its own: the run, each test binary, or (nextest) each test
    #[arg(long, value_enum, value_name = "WHAT")]
    pub isolate: Option<Isolate>,
    #[command(flatten)]
    pub directory: DirectoryOptions,
    /// Fail if a lock is still held when the tests are over
    #[arg(long)]
    pub deny_leaks: bool,
}

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
    /// The worker, or with --wrapper the command, and its arguments
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "LOCK",
        required_unless_present = "builtin",
        conflicts_with = "builtin"
    )]
    pub words: Vec<String>,
}

impl LockOptions {
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

#[derive(Args, Clone, Debug)]
pub struct ExploreOptions {
    #[command(flatten)]
    pub lock: LockOptions,
    /// Only this scenario: contend, die, respawn, remove or unlink; may be given several times, or with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = plot, help_heading = "Search")]
    pub scenario: Vec<Plot>,
    /// How many acquire the lock
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=16), help_heading = "Search")]
    pub parties: u16,
    /// How often each of them does
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=8), help_heading = "Search")]
    pub rounds: u16,
    /// How schedules are made up: mix, delays, pct, random or depth-first
    #[arg(long, value_name = "NAME", default_value = "mix", value_parser = strategy, help_heading = "Search")]
    pub strategy: Choice,
    /// For how long, all scenarios together
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time, help_heading = "Search")]
    pub budget: Duration,
    /// How many schedules of each scenario at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5000,
        help_heading = "Search"
    )]
    pub schedules: usize,
    /// Of the random schedules
    #[arg(long, value_parser = seed, help_heading = "Search")]
    pub seed: Option<u64>,
    /// Where a counterexample is kept [default: lockutils-SCENARIO.txt]
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub save: Option<PathBuf>,
    /// Print what was found as JSON on standard output, and the rest on standard error
    #[arg(long, help_heading = "Reports")]
    pub json: bool,
    /// Write JUnit's XML
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Write a page that shows the counterexamples
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
}

fn strategy(text: &str) -> Result<Choice, String> {
    Choice::ALL
        .into_iter()
        .find(|choice| choice.word() == text)
        .ok_or_else(|| {
            let all: Vec<&str> = Choice::ALL.into_iter().map(Choice::word).collect();
            format!("there are: {}", all.join(", "))
        })
}

fn plot(text: &str) -> Result<Plot, String> {
    Plot::ALL
        .into_iter()
        .find(|plot| plot.word() == text)
        .ok_or_else(|| {
            let all: Vec<&str> = Plot::ALL.into_iter().map(Plot::word).collect();
            format!("there are: {}", all.join(", "))
        })
}

#[derive(Args, Clone, Debug)]
pub struct StressOptions {
    #[command(flatten)]
    pub lock: LockOptions,
    /// Only this scenario; may be given several times, or with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = scenario, help_heading = "Load")]
    pub scenario: Vec<Scenario>,
    /// For how long, all scenarios together
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time, help_heading = "Load")]
    pub duration: Duration,
    /// Of all random choices; a new one each time, and printed
    #[arg(long, value_parser = seed, help_heading = "Load")]
    pub seed: Option<u64>,
    /// Workers, where processes compete
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=256), help_heading = "Load")]
    pub processes: u16,
    /// Threads of the one worker, where threads compete
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=256), help_heading = "Load")]
    pub threads: u16,
    /// How long a section lasts at most
    #[arg(long, value_name = "TIME", default_value = "800us", value_parser = time, help_heading = "Load")]
    pub hold: Duration,
    /// For how long nobody may get the lock before it is called stuck [default: 12s, or more with a long lease]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Load")]
    pub stuck_after: Option<Duration>,
    /// Let hazards count for the exit status as promises do
    #[arg(long, help_heading = "Load")]
    pub deny_hazards: bool,
    /// Print the whole result as JSON on standard output, and the card on standard error
    #[arg(long, help_heading = "Reports")]
    pub json: bool,
    /// Write the result as JUnit XML
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Write one page with the card and its timelines
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
}

/// As `20s`, `1.5s`, `800us`, `2m`; a bare number is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let advice = || "a time is a number and a unit: us, ms, s, m or h, as 20s or 1.5m".to_owned();
    let scale = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(advice()),
    };
    let number: f64 = number.parse().map_err(|_| advice())?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| advice())
}

fn seed(text: &str) -> Result<u64, String> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map_err(|_| "a seed is a whole number, as 4711 or 0x5eed".to_owned())
}

fn scenario(text: &str) -> Result<Scenario, String> {
    Scenario::ALL
        .into_iter()
        .find(|scenario| scenario.word() == text)
        .ok_or_else(|| {
            let all: Vec<&str> = Scenario::ALL.into_iter().map(Scenario::word).collect();
            format!("there are: {}", all.join(", "))
        })
}

#[derive(Args, Clone, Debug, Default)]
pub struct DirectoryOptions {
    /// Keep the directory if the run fails, and print its path
    #[arg(long, conflicts_with = "lock_path")]
    pub keep: bool,
    /// Use this directory instead of a fresh one; it is not removed
    #[arg(long, value_name = "DIR")]
    pub lock_path: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolate {
    #[default]
    Run,
    Binary,
    Test,
}

impl Isolate {
    pub fn word(self) -> &'static str {
        match self {
            Isolate::Run => "run",
            Isolate::Binary => "binary",
            Isolate::Test => "test",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EnvFormat {
    /// export OSLO_LOCK_PATH='…'
    #[default]
    Sh,
    /// set -gx OSLO_LOCK_PATH '…'
    Fish,
    /// OSLO_LOCK_PATH=…, as in an env file
    Env,
}

/// Separates our own arguments from those of cargo, which follow them and are not looked into.
///
/// `cargo lockutils …` calls us as `cargo-lockutils lockutils …`; that word is dropped.
pub fn split(arguments: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|word| word == "lockutils") {
        arguments.remove(1);
    }
    let root = Cli::command();
    let mut at = skip_options(&root, &root, &arguments, 1);
    let Some(name) = arguments.get(at).and_then(|name| name.to_str()) else {
        return (arguments, Vec::new());
    };
    let Some(command) = root
        .find_subcommand(name)
        .filter(|_| matches!(name, "test" | "nextest"))
    else {
        return (arguments, Vec::new());
    };
    at = skip_options(&root, command, &arguments, at + 1);
    let passed_on = arguments.split_off(at);
    (arguments, passed_on)
}

/// The index of the first argument from `at` on that is not an option of `command`, nor the value of one.
fn skip_options(
    root: &clap::Command,
    command: &clap::Command,
    arguments: &[OsString],
    mut at: usize,
) -> usize {
    while let Some(argument) = arguments.get(at) {
        match takes_value(root, command, argument) {
            None => return at,
            Some(false) => at += 1,
            Some(true) => at += 2,
        }
    }
    arguments.len()
}

/// Whether the next argument belongs to this option, if it is one of ours.
fn takes_value(root: &clap::Command, command: &clap::Command, argument: &OsStr) -> Option<bool> {
    let argument = argument.to_str()?;
    if matches!(argument, "--help" | "-h" | "--version" | "-V") {
        return Some(false);
    }
    let (long, value) = match argument.strip_prefix("--")?.split_once('=') {
        Some((long, _)) => (long, true),
        None => (argument.strip_prefix("--")?, false),
    };
    let option = command
        .get_arguments()
        .chain(root.get_arguments())
        .find(|option| option.get_long() == Some(long))?;
    Some(!value && option.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    fn split_words(text: &str) -> (String, String) {
        let (ours, passed_on) = split(words(text));
        let join = |words: Vec<OsString>| words.join(OsStr::new(" ")).into_string().unwrap();
        (join(ours), join(passed_on))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_and_seeds_are_read() {
        for (text, micros) in [
            ("20s", 20_000_000),
            ("1.5", 1_500_000),
            ("800us", 800),
            ("2m", 120_000_000),
            ("3ms", 3000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "1 s",
            "1y",
            "1.2.3s",
            "99999999999999999999h",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
        assert_eq!((seed("0x5eed"), seed("12")), (Ok(0x5eed), Ok(12)));
        assert!(seed("soon").is_err() && scenario("explode").is_err());
    }

    #[test]
    fn our_options_come_first_and_the_rest_is_passed_on() {
        for (line, ours, passed_on) in [
            ("c lockutils test", "c test", ""),
            ("c test -- --nocapture", "c test", "-- --nocapture"),
            (
                "c lockutils --color never test --isolate binary --keep -p x --lock-path y",
                "c --color never test --isolate binary --keep",
                "-p x --lock-path y",
            ),
            (
                "c test --isolate=run --workspace",
                "c test --isolate=run",
                "--workspace",
            ),
            (
                "c nextest --no-doctests run_this",
                "c nextest --no-doctests",
                "run_this",
            ),
            ("c test lockutils", "c test", "lockutils"),
            ("c run -- test --keep", "c run -- test --keep", ""),
        ] {
            assert_eq!(split_words(line), (ours.into(), passed_on.into()), "{line}");
        }
    }
}
