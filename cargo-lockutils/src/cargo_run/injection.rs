//! The addition to a call of cargo: a configuration file or an environment variable.
//!
//! The environment is enough for the lock path, unless the project forces the variable; only
//! `--config` overrides that. Our test runner is set the same way.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use super::runner::{self, OurRunner};
use crate::cargo_config::{CargoConfig, Form};
use crate::cargo_options::{Arguments, TEST};
use crate::cli::Isolate;
use crate::lock_directory::{ConfigFile, LockDirectory, VARIABLE};

/// The additions to one call of cargo.
#[derive(Default)]
pub struct Injection {
    file: Option<ConfigFile>,
    /// A copy of [`file`](Self::file): cargo refuses to read one file twice.
    first_file: Option<ConfigFile>,
    variable: Option<(String, String)>,
    isolates: bool,
    /// Index at which `--config` is inserted into a command.
    at: usize,
}

impl Injection {
    /// The additions to a call of cargo with these arguments.
    pub fn prepare(
        directory: &LockDirectory,
        arguments: &Arguments<'_>,
        isolate: Isolate,
    ) -> Result<Self> {
        let here = env::current_dir().context("cannot find the current directory")?;
        let theirs = CargoConfig::read(&here, arguments.values("config"));
        let mut config = Table::new();
        if is_forced(&theirs) {
            config.insert("env".to_owned(), forced(directory.lock_path())?);
        }
        if isolate != Isolate::Run {
            let runners = runner::for_targets(&here, &theirs, arguments, isolate, directory)?;
            let tables = runners.into_iter().map(|runner| {
                let OurRunner { target, value } = runner;
                let table = Table::from_iter([("runner".to_owned(), value)]);
                (target, Value::from(table))
            });
            config.insert("target".to_owned(), Value::from(Table::from_iter(tables)));
        }
        let mut injection = Injection {
            isolates: isolate != Isolate::Run,
            ..Injection::default()
        };
        if !config.is_empty() {
            let text = toml::to_string(&config)?;
            injection.file = Some(directory.write_config("config.toml", &text)?);
            if arguments.has("config") {
                injection.first_file = Some(directory.write_config("first-config.toml", &text)?);
            }
        }
        Ok(injection)
    }

    /// The additions to any other command. It may call cargo in its own way, as `cargo llvm-cov`
    /// does, so the runner is set in its environment.
    pub fn for_command(
        directory: &LockDirectory,
        words: &[OsString],
        isolate: Isolate,
    ) -> Result<Self> {
        let subcommand = subcommand(words);
        if subcommand.is_none() && isolate == Isolate::Run {
            return Ok(Injection::default());
        }
        let at = subcommand.map_or(words.len(), |at| at + 1);
        let arguments = Arguments::of(TEST, &words[at..]);
        let here = env::current_dir().context("cannot find the current directory")?;
        let theirs = CargoConfig::read(&here, arguments.values("config"));
        let mut injection = Injection::default();
        if is_forced(&theirs) {
            let name = subcommand.and_then(|at| words[at].to_str()).unwrap_or("?");
            if !TAKES_CONFIG.contains(&name) {
                bail!(
                    "the project forces {VARIABLE} in cargo's configuration ([env], \
                     `force = true`), which cannot be overridden for `cargo {name}`: remove `force`"
                );
            }
            let table = Table::from_iter([("env".to_owned(), forced(directory.lock_path())?)]);
            injection.file =
                Some(directory.write_config("config.toml", &toml::to_string(&table)?)?);
            injection.at = at + arguments.around_dashes().0.len();
        }
        if isolate != Isolate::Run {
            injection.variable = Some(runner::variable(
                &here, &theirs, &arguments, isolate, directory,
            )?);
        }
        Ok(injection)
    }

    pub fn config_file(&self) -> Option<&Path> {
        self.file.as_ref().map(ConfigFile::path)
    }

    /// The file to pass before the user's own `--config`, if there is one.
    pub fn first_config_file(&self) -> Option<&Path> {
        self.first_file.as_ref().map(ConfigFile::path)
    }

    /// Returns `true` if our file already contains the setting of this `--config KEY=VALUE`, which
    /// nextest would let override our file.
    pub fn supersedes(&self, config: &OsStr) -> bool {
        let Some(table) = config
            .to_str()
            .and_then(|text| toml::from_str::<Table>(text).ok())
        else {
            return false;
        };
        let is_ours = |key: &str, value: &Value| match key {
            "env" => value.get(VARIABLE).is_some(),
            "target" => {
                let runner = |target: &Value| target.get("runner").is_some();
                self.isolates && value.as_table().is_some_and(|all| all.values().any(runner))
            }
            _ => false,
        };
        self.file.is_some() && table.iter().any(|(key, value)| is_ours(key, value))
    }

    pub fn variable(&self) -> Option<(&str, &str)> {
        let (name, value) = self.variable.as_ref()?;
        Some((name, value))
    }

    /// The words of a command, with our additions.
    pub fn words(&self, words: &[OsString]) -> Vec<OsString> {
        let mut words = words.to_vec();
        if let Some(file) = self.config_file() {
            words.splice(
                self.at..self.at,
                [
                    OsStr::new("--config").to_owned(),
                    file.as_os_str().to_owned(),
                ],
            );
        }
        words
    }
}

/// Subcommands that accept `--config` anywhere before `--`.
const TAKES_CONFIG: [&str; 10] = [
    "bench", "build", "b", "check", "c", "clippy", "run", "r", "test", "t",
];

/// Index of the subcommand, if the command is cargo with a subcommand.
fn subcommand(words: &[OsString]) -> Option<usize> {
    let program = Path::new(words.first()?).file_name()?;
    let name = program.to_string_lossy();
    let name = name.strip_suffix(env::consts::EXE_SUFFIX).unwrap_or(&name);
    if name != "cargo" {
        return None;
    }
    let is_toolchain = |word: &OsString| word.to_string_lossy().starts_with('+');
    (1..words.len())
        .find(|&at| !is_toolchain(&words[at]) && !words[at].to_string_lossy().starts_with('-'))
}

/// Returns `true` if cargo would override the variable. A plain string, with which ours could not
/// be merged, never overrides the environment.
fn is_forced(theirs: &CargoConfig) -> bool {
    theirs.form(&["env", VARIABLE]) == Some(Form::Other)
}

fn forced(lock_path: &Path) -> Result<Value> {
    let lock_path = lock_path
        .to_str()
        .with_context(|| format!("the lock path {} is not valid UTF-8", lock_path.display()))?;
    let value = Table::from_iter([
        ("value".to_owned(), Value::from(lock_path)),
        ("force".to_owned(), Value::from(true)),
    ]);
    Ok(Value::from(Table::from_iter([(
        VARIABLE.to_owned(),
        Value::from(value),
    )])))
}
