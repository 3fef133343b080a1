//! Our test runner, in front of the one that the project has.

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

/// Our runner for each target that is tested.
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
            // Cargo cannot merge a list with a text.
            let value = match theirs.form(&["target", &target, "runner"]) {
                Some(Form::Text) => {
                    let words = words(isolate, project, &us_without_blanks(directory)?);
                    Value::from(in_one_text(
                        &words,
                        "is set as one text in cargo's configuration: write it as a list",
                    )?)
                }
                _ => Value::from(words(isolate, project, &us()?)),
            };
            Ok(OurRunner { target, value })
        })
        .collect()
}

/// The variable that sets our runner for the one target that is tested, and its value.
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
        bail!("only the tests of one target can be isolated from each other, not those of several");
    };
    ensure!(
        theirs
            .on_command_line(&["target", target, "runner"])
            .is_none(),
        "the runner that `--config` sets would go before ours: set it in a file, or leave --isolate out"
    );
    let project = project_runner(here, &config, theirs, target)?;
    let words = words(isolate, project, &us_without_blanks(directory)?);
    let why = "is handed on in a variable: leave --isolate out, or let `cargo lockutils test` run the tests";
    Ok((variable_name(target), in_one_text(&words, why)?))
}

fn variable_name(target: &str) -> String {
    let target = target.to_ascii_uppercase().replace(['-', '.'], "_");
    format!("CARGO_TARGET_{target}_RUNNER")
}

fn load(here: &Path) -> Result<Config> {
    Config::load_with_options(here, ResolveOptions::default().cargo(cargo()))
        .context("cargo's configuration, which may set a runner, cannot be read")
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

/// The runner that cargo would take without us: the command line's for this target, the
/// environment's, a file's for this target, and then those for a `cfg()`, likewise.
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

/// What is set for a `cfg()` that the target fulfils, in tables of the command line.
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
        .context("the target tables of --config")?;
    // A relative path means the current folder, not that of the file.
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

/// A text is divided at blanks.
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

/// A program that is named by a relative path, not by its name alone.
fn from_folder(here: &Path, mut words: Vec<String>) -> Vec<String> {
    if let Some(first) = words.first_mut()
        && first.contains('/')
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
    let us = env::current_exe().context("our own path")?;
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
            "tests cannot be isolated from each other: cargo divides the runner at blanks, `{word}` has one, and the runner {why}"
        );
    }
    Ok(words.join(" "))
}
