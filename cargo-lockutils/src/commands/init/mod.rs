//! `cargo lockutils init`: writes a configuration, a worker and a CI workflow.

mod ask;
mod files;
mod project;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::builder::styling::{AnsiColor, Style};

use crate::cli::{InitOptions, Service, WorkerLanguage};
use crate::output;
use crate::sys::{self, Status};

use files::NewFile;
use project::{Project, Source, relative};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const COMMAND: Style = AnsiColor::Cyan.on_default().bold();

pub fn run(options: &InitOptions) -> Result<Status> {
    let project = Project::find()?;
    let usual_name = project.package().unwrap_or("lock").to_owned();
    let usual_worker = match project.package() {
        Some(_) => WorkerLanguage::Rust,
        None => WorkerLanguage::Python,
    };
    let usual_service = match project.repository().join(".gitlab-ci.yml").exists() {
        true => Service::GitLab,
        false => Service::GitHub,
    };
    let asks = !options.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    let name = match &options.lock {
        Some(name) => name.clone(),
        None if asks => ask::text("Name of the lock", &usual_name)?,
        None => usual_name,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    ensure!(
        !name.is_empty() && name.chars().all(plain) && !name.starts_with('.'),
        "invalid lock name `{name}`: use letters, digits, `-`, `_` and `.`"
    );
    let language = match options.worker {
        Some(language) => language,
        None if asks => ask::choice("Language of the worker", usual_worker)?,
        None => usual_worker,
    };
    if language == WorkerLanguage::Rust && project.package().is_none() {
        bail!(
            "{} has no package, and a Rust worker is an example of a package: run `init` in the \
             directory of a package ({}), or choose another --worker",
            project.manifest().display(),
            project.packages().join(", ")
        );
    }
    let service = match options.ci {
        Some(service) => service,
        None if asks => ask::choice("CI service", usual_service)?,
        None => usual_service,
    };
    let mut files = files::worker(language, &name, project.folder());
    files.extend(files::ci(
        service,
        project.repository(),
        project.root(),
        &install(&project),
    ));
    write(&project, &files, options.force)?;
    let configuration = files::configuration(project.our_table(), language, &name);
    let lacks = match language {
        WorkerLanguage::Rust => project.missing(),
        _ => Vec::new(),
    };
    // Dependencies come first: cargo writes them into the manifest.
    let mut by_hand = Vec::new();
    for arguments in &lacks {
        match project.cargo(arguments) {
            Ok(()) => {}
            Err(why) => {
                output::warning(why);
                by_hand.push(format!("cargo {}", arguments.join(" ")));
            }
        }
    }
    if !project.is_unchanged() {
        wrote("Cargo.toml", "dependencies of the worker");
    }
    configure(&project, &configuration)?;
    remarks(&project, service);
    next(&by_hand, service, &project);
    Ok(0)
}

/// The command with which CI installs ours, in the folder of the workspace, from the source of the
/// project's library.
fn install(project: &Project) -> String {
    match project.source() {
        Source::Path(folder) => {
            let command = normalized(&folder.join("cargo-lockutils"));
            let command = match command.starts_with(project.repository()) {
                true => relative(project.root(), &command),
                false => command,
            };
            format!("cargo install --locked --path '{}'", command.display())
        }
        Source::Git(url, reference) => {
            let mut words = ["cargo", "install", "--locked", "--git", &url]
                .map(str::to_owned)
                .to_vec();
            words.extend(reference);
            words.push("cargo-lockutils".to_owned());
            shell_words::join(words)
        }
        Source::Registry => "cargo install --locked cargo-lockutils".to_owned(),
    }
}

/// The path without `..`, if it still leads to the same file.
fn normalized(path: &Path) -> PathBuf {
    let mut way = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                way.pop();
            }
            part => way.push(part),
        }
    }
    let same = |path: &Path| fs::canonicalize(path).ok();
    match same(&way).is_some() && same(&way) == same(path) {
        true => way,
        false => path.to_owned(),
    }
}

/// Warns about a path that may be missing where CI runs.
fn remarks(project: &Project, service: Service) {
    if service == Service::None {
        return;
    }
    if let Source::Path(folder) = project.source()
        && !normalized(&folder).starts_with(project.repository())
    {
        output::note(format_args!(
            "the workflow installs the command from {}, where the library comes from; if CI has no \
             such directory, change the `cargo install` line",
            folder.display()
        ));
    }
}

fn wrote(file: &str, what: &str) {
    output::on_stdout(format_args!(
        "{GOOD}wrote{GOOD:#} {file:<32} {FAINT}{what}{FAINT:#}"
    ));
}

/// Writes all files, or none if one exists and must not be overwritten.
fn write(project: &Project, files: &[NewFile], force: bool) -> Result<()> {
    let there: Vec<String> = files
        .iter()
        .filter(|file| {
            fs::read_to_string(&file.path).is_ok_and(|text| text != file.text)
                || is_no_file(&file.path)
        })
        .map(|file| shown(project, &file.path))
        .collect();
    ensure!(
        force || there.is_empty(),
        "{}; nothing was written; --force overwrites",
        match there.as_slice() {
            [one] => format!("{one} already exists"),
            several => format!("{} already exist", several.join(", ")),
        }
    );
    for file in files {
        let path = &file.path;
        let problem = || format!("cannot write {}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(problem)?;
        }
        fs::write(path, &file.text).with_context(problem)?;
        if file.text.starts_with("#!") {
            sys::make_executable(path).with_context(problem)?;
        }
        wrote(&shown(project, path), file.what);
    }
    Ok(())
}

/// The path relative to the folder of the project.
fn shown(project: &Project, path: &Path) -> String {
    relative(project.folder(), path).display().to_string()
}

fn is_no_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| !meta.is_file())
}

fn configure(project: &Project, configuration: &str) -> Result<()> {
    if project.is_configured() {
        output::note(format_args!(
            "[{}] already exists and was left unchanged; a table to start from:\n{configuration}",
            project.our_table()
        ));
        return Ok(());
    }
    project.configure(configuration)?;
    wrote("Cargo.toml", "locks to test, and profiles");
    Ok(())
}

fn next(by_hand: &[String], service: Service, project: &Project) {
    output::on_stdout("\nNext:");
    for command in by_hand {
        output::on_stdout(format_args!("  {COMMAND}{command}{COMMAND:#}"));
    }
    for (command, what) in [
        ("cargo lockutils test", "run the tests with isolated locks"),
        (
            "cargo lockutils stress",
            "test the lock under load and faults",
        ),
        (
            "cargo lockutils explore",
            "test the lock under chosen interleavings",
        ),
    ] {
        output::on_stdout(format_args!(
            "  {COMMAND}{command:<26}{COMMAND:#} {FAINT}{what}{FAINT:#}"
        ));
    }
    if service != Service::None {
        output::on_stdout(format_args!(
            "  {COMMAND}{:<26}{COMMAND:#} {FAINT}run all of these, as CI does{FAINT:#}",
            match project.root() == project.folder() {
                true => "sh ci/lockutils-ci".to_owned(),
                false => format!(
                    "(cd {} && sh ci/lockutils-ci)",
                    relative(project.folder(), project.root()).display()
                ),
            }
        ));
    }
    if project
        .repository()
        .join("lockutils.gitlab-ci.yml")
        .exists()
    {
        output::on_stdout("  add to .gitlab-ci.yml: include: { local: lockutils.gitlab-ci.yml }");
    }
}
