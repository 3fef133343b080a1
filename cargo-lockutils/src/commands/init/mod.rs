//! `cargo lockutils init`: a start of the configuration, a worker, and a file for CI.

mod ask;
mod files;
mod project;

use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::styling::{AnsiColor, Style};

use crate::cli::{InitOptions, Service, WorkerLanguage};
use crate::say;

use files::NewFile;
use project::Project;

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
    let usual_service = match project.folder().join(".gitlab-ci.yml").exists() {
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
            "{} has no package, and a Rust worker is an example of one: call `init` in the folder of a package, or choose another --worker",
            project.manifest().display()
        );
    }
    let service = match options.ci {
        Some(service) => service,
        None if asks => ask::choice("Which service runs your CI", usual_service)?,
        None => usual_service,
    };
    let mut files = files::worker(language, &name);
    files.extend(files::ci(service, project.folder(), &install(&project)));
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
    next(&by_hand, service, project.folder());
    Ok(0)
}

/// How CI installs the command: from where the project takes the library.
fn install(project: &Project) -> String {
    match project.neighbour() {
        Some(folder) => format!(
            "cargo install --locked --path '{}/cargo-lockutils'",
            folder.display()
        ),
        None => "cargo install --locked cargo-lockutils".to_owned(),
    }
}

/// What is right here, and not yet where CI runs.
fn remarks(project: &Project, service: Service) {
    if service == Service::None {
        return;
    }
    if let Some(folder) = project.neighbour() {
        say::note(format_args!(
            "CI installs the command from {}, as the project does with the library: if that folder is not there in CI, change the line",
            folder.display()
        ));
    }
    if let Some(inside) = project.inside_a_repository() {
        say::note(format_args!(
            "CI reads its files in the root of the repository only: move what is in .github or lockutils.gitlab-ci.yml there, and let the job run in \
             {} (`working-directory` at GitHub, `cd` at GitLab)",
            inside.display()
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
    let there: Vec<&str> = files
        .iter()
        .filter(|file| {
            fs::read_to_string(project.folder().join(file.path)).is_ok_and(|text| text != file.text)
                || is_no_file(&project.folder().join(file.path))
        })
        .map(|file| file.path)
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
        let path = project.folder().join(file.path);
        let problem = || format!("{} cannot be written", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(problem)?;
        }
        fs::write(&path, &file.text).with_context(problem)?;
        if file.text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).with_context(problem)?;
        }
        wrote(file.path, file.what);
    }
    Ok(())
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

fn next(by_hand: &[String], service: Service, folder: &Path) {
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
            "sh ci/lockutils-ci"
        ));
    }
    if folder.join("lockutils.gitlab-ci.yml").exists() {
        say::on_stdout("  add to .gitlab-ci.yml: include: { local: lockutils.gitlab-ci.yml }");
    }
}
