//! `cargo lockutils init`: a start of the configuration, a worker, and a file for CI.

mod ask;
mod files;
mod project;

use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::builder::styling::{AnsiColor, Style};

use crate::cli::{InitOptions, Service, WorkerLanguage};
use crate::say;

use files::NewFile;
use project::{Project, Source, relative};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const COMMAND: Style = AnsiColor::Cyan.on_default().bold();

pub fn run(options: &InitOptions) -> Result<u8> {
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
        None if asks => ask::text("Which lock do you want to try", &usual_name)?,
        None => usual_name,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    ensure!(
        !name.is_empty() && name.chars().all(plain) && !name.starts_with('.'),
        "a lock is named with letters, digits, `-`, `_` and `.`, not `{name}`"
    );
    let language = match options.worker {
        Some(language) => language,
        None if asks => ask::choice("In which language is it taken", usual_worker)?,
        None => usual_worker,
    };
    if language == WorkerLanguage::Rust && project.package().is_none() {
        bail!(
            "{} has no package, and a Rust worker is an example of one: call `init` in the folder of one ({}), or choose another --worker",
            project.manifest().display(),
            project.packages().join(", ")
        );
    }
    let service = match options.ci {
        Some(service) => service,
        None if asks => ask::choice("Which service runs your CI", usual_service)?,
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
    // First the dependencies: cargo writes them into the manifest.
    let mut by_hand = Vec::new();
    for arguments in &lacks {
        match project.cargo(arguments) {
            Ok(()) => {}
            Err(why) => {
                say::warning(why);
                by_hand.push(format!("cargo {}", arguments.join(" ")));
            }
        }
    }
    if !project.is_unchanged() {
        wrote("Cargo.toml", "what the worker depends on");
    }
    configure(&project, &configuration)?;
    remarks(&project, service);
    next(&by_hand, service, &project);
    Ok(0)
}

/// How CI installs the command: from where the project takes the library. It does so in the folder
/// of the workspace.
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

/// Without `..`, where that leads to the same.
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

/// What is right here, and not yet where CI runs.
fn remarks(project: &Project, service: Service) {
    if service == Service::None {
        return;
    }
    if let Source::Path(folder) = project.source()
        && !normalized(&folder).starts_with(project.repository())
    {
        say::note(format_args!(
            "CI installs the command from {}, as the project does with the library: if that folder is not there in CI, change the line",
            folder.display()
        ));
    }
}

fn wrote(file: &str, what: &str) {
    say::on_stdout(format_args!(
        "{GOOD}wrote{GOOD:#} {file:<32} {FAINT}{what}{FAINT:#}"
    ));
}

/// All of the files, or none if one is there and must not be overwritten.
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
        "{} there already, and nothing was written: --force overwrites",
        match there.as_slice() {
            [one] => format!("{one} is"),
            several => format!("{} are", several.join(", ")),
        }
    );
    for file in files {
        let path = &file.path;
        let problem = || format!("{} cannot be written", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(problem)?;
        }
        fs::write(path, &file.text).with_context(problem)?;
        if file.text.starts_with("#!") {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).with_context(problem)?;
        }
        wrote(&shown(project, path), file.what);
    }
    Ok(())
}

/// From the folder of the project.
fn shown(project: &Project, path: &Path) -> String {
    relative(project.folder(), path).display().to_string()
}

fn is_no_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| !meta.is_file())
}

fn configure(project: &Project, configuration: &str) -> Result<()> {
    if project.is_configured() {
        say::note(format_args!(
            "[{}] is there already and was left as it is; a start would be:\n{configuration}",
            project.our_table()
        ));
        return Ok(());
    }
    project.configure(configuration)?;
    wrote("Cargo.toml", "which locks are tried, and how");
    Ok(())
}

fn next(by_hand: &[String], service: Service, project: &Project) {
    say::on_stdout("\nNext:");
    for command in by_hand {
        say::on_stdout(format_args!("  {COMMAND}{command}{COMMAND:#}"));
    }
    for (command, what) in [
        (
            "cargo lockutils test",
            "the tests, with a lock path of their own",
        ),
        ("cargo lockutils stress", "the lock under load and faults"),
        (
            "cargo lockutils explore",
            "the lock in every order of system calls",
        ),
    ] {
        say::on_stdout(format_args!(
            "  {COMMAND}{command:<26}{COMMAND:#} {FAINT}{what}{FAINT:#}"
        ));
    }
    if service != Service::None {
        say::on_stdout(format_args!(
            "  {COMMAND}{:<26}{COMMAND:#} {FAINT}all of it, as CI does{FAINT:#}",
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
        say::on_stdout("  add to .gitlab-ci.yml: include: { local: lockutils.gitlab-ci.yml }");
    }
}
