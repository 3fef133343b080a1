//! Our test runner, which runs in front of the project's own.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use cargo_config2::{Config, ResolveOptions};
use toml::{Table, Value};

use super::cargo;
use crate::cargo_config::{CargoConfig, Form};
use crate::cargo_options::Arguments;
use crate::cli::{Isolate, RUNNER};
use crate::lock_directory::LockDirectory;

/// The value of `target.TARGET.runner`.
pub struct OurRunner {
    pub target: String,
    pub value: Value,
}

/// Our runner for each tested target.
pub fn for_targets(
    here: &Path,
    theirs: &CargoConfig,
    arguments: &Arguments<'_>,
    isolate: Isolate,
    directory: &LockDirectory,
) -> Result<Vec<OurRunner>> {
    let config = load(here)?;
    targets(&config, theirs, arguments)?
        .into_iter()
        .map(|target| {
            let project = project_runner(here, &config, theirs, &target)?;
            // Cargo cannot merge a list with a string.
            let value = match theirs.form(&["target", &target, "runner"]) {
                Some(Form::Text) => {
                    let words = words(isolate, project, &us_without_blanks(directory)?);
                    Value::from(in_one_text(
                        &words,
                        "is a single string in cargo's configuration: write it as a list",
                    )?)
                }
                _ => Value::from(words(isolate, project, &us()?)),
            };
            Ok(OurRunner { target, value })
        })
        .collect()
}

/// The environment variable that sets our runner for the only tested target, and its value.
pub fn variable(
    here: &Path,
    theirs: &CargoConfig,
    arguments: &Arguments<'_>,
    isolate: Isolate,
    directory: &LockDirectory,
) -> Result<(String, String)> {
    let config = load(here)?;
    let targets = targets(&config, theirs, arguments)?;
    let [target] = targets.as_slice() else {
        bail!("--isolate supports only one target at a time");
    };
    ensure!(
        theirs
            .on_command_line(&["target", target, "runner"])
            .is_none(),
        "the runner set by `--config` would override the one of --isolate: set it in a file, or \
         omit --isolate"
    );
    let project = project_runner(here, &config, theirs, target)?;
    let words = words(isolate, project, &us_without_blanks(directory)?);
    let why = "is passed in an environment variable: omit --isolate, or run the tests with `cargo \
         lockutils test`";
    Ok((variable_name(target), in_one_text(&words, why)?))
}

fn variable_name(target: &str) -> String {
    let target = target.to_ascii_uppercase().replace(['-', '.'], "_");
    format!("CARGO_TARGET_{target}_RUNNER")
}

fn load(here: &Path) -> Result<Config> {
    Config::load_with_options(here, ResolveOptions::default().cargo(cargo()))
        .context("cannot read cargo's configuration, which may set a runner")
}

fn targets(
    config: &Config,
    theirs: &CargoConfig,
    arguments: &Arguments<'_>,
) -> Result<Vec<String>> {
    let mut chosen: Vec<String> = arguments
        .values("target")
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    if chosen.is_empty() {
        chosen = match theirs.on_command_line(&["build", "target"]) {
            Some(value) => strings(value),
            None => Vec::new(),
        };
    }
    for target in &mut chosen {
        if target == "host-tuple" {
            *target = config.host_triple()?.to_owned();
        }
    }
    let targets = config.build_target_for_config(chosen.iter().map(String::as_str))?;
    Ok(targets
        .iter()
        .map(|target| target.triple().to_owned())
        .collect())
}

/// The runner that cargo would use without us. Cargo looks for the target on the command line, in
/// the environment and in files, and then for a `cfg()` in the same order.
fn project_runner(
    here: &Path,
    config: &Config,
    theirs: &CargoConfig,
    target: &str,
) -> Result<Vec<String>> {
    let path = ["target", target, "runner"];
    if let Some(value) = theirs.on_command_line(&path) {
        return Ok(from_folder(here, strings(value)));
    }
    let by_triple = env::var_os(variable_name(target)).is_some() || theirs.is_in_files(&path);
    let cfgs = theirs.below_on_command_line("target");
    if !by_triple && !cfgs.is_empty() {
        let runner = of_tables(here, cfgs, target)?;
        if !runner.is_empty() {
            return Ok(runner);
        }
    }
    Ok(as_words(config.runner(target)?))
}

/// The runner that the command line sets for a `cfg()` that holds for the target.
fn of_tables(here: &Path, tables: Table, target: &str) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(".cargo/config.toml");
    std::fs::create_dir(folder.path().join(".cargo"))?;
    let text = toml::to_string(&Table::from_iter([(
        "target".to_owned(),
        Value::from(tables),
    )]))?;
    std::fs::write(&file, text)?;
    let options = ResolveOptions::default()
        .cargo(cargo())
        .cargo_home(None)
        .env(std::iter::empty::<(OsString, OsString)>());
    let config = Config::load_with_options(folder.path(), options)
        .context("cannot read the target tables of --config")?;
    // A relative path is relative to the current folder, not to the file's.
    let mut words = as_words(config.runner(target)?);
    if let Some(first) = words.first_mut()
        && let Ok(relative) = Path::new(first.as_str()).strip_prefix(folder.path())
    {
        *first = here.join(relative).to_string_lossy().into_owned();
    }
    Ok(words)
}

fn as_words(runner: Option<cargo_config2::PathAndArgs>) -> Vec<String> {
    let Some(runner) = runner else {
        return Vec::new();
    };
    let mut words = vec![runner.path.to_string_lossy().into_owned()];
    words.extend(
        runner
            .args
            .iter()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words
}

/// The words of a value; cargo splits a string at blanks.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(all) => all
            .iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// The words, with a relative path of the program made absolute.
fn from_folder(here: &Path, mut words: Vec<String>) -> Vec<String> {
    if let Some(first) = words.first_mut()
        && first.contains(std::path::is_separator)
    {
        *first = here.join(&*first).to_string_lossy().into_owned();
    }
    words
}

fn words(isolate: Isolate, project: Vec<String>, us: &str) -> Vec<String> {
    let mut words = vec![
        us.to_owned(),
        RUNNER.to_owned(),
        isolate.word().to_owned(),
        "--".to_owned(),
    ];
    words.extend(project);
    words
}

fn us() -> Result<String> {
    let us = env::current_exe().context("cannot find the path of this program")?;
    Ok(us.to_string_lossy().into_owned())
}

fn us_without_blanks(directory: &LockDirectory) -> Result<String> {
    let us = us()?;
    if !us.contains(char::is_whitespace) {
        return Ok(us);
    }
    let link = directory.link_to_us(Path::new(&us))?;
    Ok(link.map_or(us, |link| link.to_string_lossy().into_owned()))
}

fn in_one_text(words: &[String], why: &str) -> Result<String> {
    if let Some(word) = words.iter().find(|word| word.contains(char::is_whitespace)) {
        bail!(
            "cannot isolate the tests: cargo splits the runner at blanks, `{word}` contains one, \
             and the runner {why}"
        );
    }
    Ok(words.join(" "))
}
