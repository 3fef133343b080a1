//! `[workspace.metadata.lockutils]` and `[package.metadata.lockutils]` in the workspace under test.

mod example;
mod locks;
mod model;
mod profile;
mod read;
mod selection;
mod words;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use cargo_metadata::{Metadata, MetadataCommand, Package, Target};

use crate::cargo_options::{Arguments, TEST, joined};
use crate::cli::PassedOn;
use crate::cli::TestOptions;

pub use locks::{ConfiguredLock, ConfiguredTrial};
pub use profile::Profile;
pub use selection::Selection;

use model::WorkspaceSettings;

/// The packages with doctests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doctests {
    None,
    /// Every selected package with a library.
    OfAll,
    /// These packages, as `name@version`.
    Of(Vec<String>),
}

/// The workspace under test.
pub struct Workspace {
    metadata: Metadata,
}

impl Workspace {
    /// Loads the workspace that these arguments of cargo select.
    pub fn load(cargo: &Path, arguments: &Arguments<'_>) -> Result<Self> {
        let mut command = MetadataCommand::new();
        command.cargo_path(cargo).no_deps();
        if let Some(manifest) = arguments.values("manifest-path").last() {
            command.manifest_path(manifest);
        }
        let mut others: Vec<String> = Vec::new();
        for config in arguments.values("config") {
            others.push(joined("--config", config).to_string_lossy().into_owned());
        }
        for flag in arguments.values("").filter_map(|flag| flag.to_str()) {
            others.push(format!("-Z{flag}"));
        }
        command.other_options(others);
        let metadata = command.exec().map_err(|error| match error {
            cargo_metadata::Error::CargoMetadata { stderr } => cargo_failed(&stderr),
            other => anyhow::Error::new(other).context(format!("{} metadata", cargo.display())),
        })?;
        Ok(Workspace { metadata })
    }

    /// The workspace in the current folder.
    pub fn here(cargo: &Path) -> Result<Self> {
        Workspace::load(cargo, &Arguments::of(TEST, &[]))
    }

    /// Like [`load`](Self::load), but returns `None` if no manifest can contain our table. This
    /// saves a call of cargo, which takes as long as everything else.
    pub fn load_if_it_says_something(
        cargo: &Path,
        arguments: &Arguments<'_>,
    ) -> Result<Option<Self>> {
        let manifest = arguments.values("manifest-path").last();
        match may_say_something(manifest.map(Path::new)) {
            true => Workspace::load(cargo, arguments).map(Some),
            false => Ok(None),
        }
    }

    /// The folders of all packages.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.metadata
            .workspace_packages()
            .iter()
            .filter_map(|package| Some(package.manifest_path.parent()?.as_std_path().to_owned()))
            .collect()
    }

    /// The selected packages that have a library with doctests.
    pub fn doctests(&self, cargo: &Path, selection: &Selection) -> Result<Doctests> {
        let selected = selection.packages(&self.metadata, cargo)?;
        let is_library = |target: &&Target| {
            target.is_lib()
                || target.is_proc_macro()
                || target.is_rlib()
                || target.is_dylib()
                || target.is_cdylib()
                || target.is_staticlib()
        };
        let library = |package: &Package| package.targets.iter().find(is_library).cloned();
        let (with, without): (Vec<&Package>, Vec<&Package>) = selected
            .into_iter()
            .filter(|package| library(package).is_some())
            .partition(|package| library(package).is_some_and(|library| library.doctest));
        Ok(match (with.is_empty(), without.is_empty()) {
            (true, _) => Doctests::None,
            (false, true) => Doctests::OfAll,
            // `--doc` would ignore `doctest = false` in a manifest.
            (false, false) => Doctests::Of(
                with.iter()
                    .map(|package| format!("{}@{}", package.name, package.version))
                    .collect(),
            ),
        })
    }

    /// The settings of the workspace. A root package may have them in its own table, because
    /// `[workspace.metadata]` would turn it into a workspace.
    fn settings(&self) -> Result<WorkspaceSettings> {
        let manifest = self.metadata.workspace_root.join("Cargo.toml");
        match self.speaking_package() {
            Some(package) => read::read(
                package.metadata.get("lockutils"),
                "package.metadata.lockutils",
                manifest.as_str(),
            ),
            None => read::read(
                self.metadata.workspace_metadata.get("lockutils"),
                "workspace.metadata.lockutils",
                manifest.as_str(),
            ),
        }
    }

    /// The root package, if its table contains the settings of the workspace.
    fn speaking_package(&self) -> Option<&Package> {
        let manifest = self.metadata.workspace_root.join("Cargo.toml");
        let silent = self.metadata.workspace_metadata.get("lockutils").is_none();
        self.metadata
            .workspace_packages()
            .into_iter()
            .find(|package| {
                silent
                    && package.manifest_path == manifest
                    && package.metadata.get("lockutils").is_some()
            })
    }

    /// Adds the settings that the command line does not override.
    pub fn complete(&self, mut options: TestOptions) -> Result<TestOptions> {
        let settings = self.settings()?;
        options.isolate = options.isolate.or(settings.isolate);
        options.deny_leaks |= settings.deny_leaks;
        if options.directory.lock_path.is_none() && !options.directory.keep {
            options.directory.keep = settings.keep;
            let root = self.metadata.workspace_root.as_std_path();
            options.directory.lock_path = settings.lock_path.map(|path| root.join(path));
        }
        Ok(options)
    }

    /// The configured arguments for `runner` (`test` or `nextest`), followed by those of the
    /// command line.
    pub fn arguments(&self, runner: &str, passed_on: PassedOn) -> Result<PassedOn> {
        let settings = self.settings()?;
        let always = match runner {
            "nextest" => settings.nextest_arguments,
            _ => settings.test_arguments,
        };
        Ok(always
            .into_iter()
            .map(OsString::from)
            .chain(passed_on)
            .collect())
    }

    /// The profile with this name.
    pub fn profile(&self, name: &str) -> Result<Profile> {
        Profile::find(name, &self.settings()?.profiles)
    }

    /// The configured locks, those of the workspace first.
    pub fn locks(&self) -> Result<Vec<ConfiguredLock>> {
        let speaking = self.speaking_package().map(|package| &package.id);
        locks::all(&self.metadata, self.settings()?.lock, speaking)
    }
}

/// Returns `true` if the manifest of the workspace may contain our table. That manifest is the
/// package's or one above it, unless the package names it.
fn may_say_something(manifest: Option<&Path>) -> bool {
    let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let start = match manifest {
        None => here,
        Some(manifest) => match here.join(manifest).canonicalize() {
            Ok(file) => file.parent().map(Path::to_owned).unwrap_or(file),
            // Cargo reports the error.
            Err(_) => return true,
        },
    };
    let mut is_in_a_project = false;
    for folder in start.ancestors() {
        let file = folder.join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&file) else {
            // Cargo reports a manifest that cannot be read.
            if fs::symlink_metadata(&file).is_ok() {
                return true;
            }
            continue;
        };
        let names_its_workspace = |line: &str| {
            let rest = line.trim_start().strip_prefix("workspace");
            rest.is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        if text.contains("lockutils") || text.lines().any(names_its_workspace) {
            return true;
        }
        is_in_a_project = true;
    }
    !is_in_a_project
}

fn cargo_failed(stderr: &str) -> anyhow::Error {
    let text = stderr.trim();
    if text.contains("could not find `Cargo.toml`") {
        return anyhow!("cargo found no package: {}", in_one_line(text));
    }
    anyhow!(
        "cargo cannot read this project:\n{}",
        crate::output::lines(text)
    )
}

fn in_one_line(stderr: &str) -> String {
    let text = stderr.trim_start_matches("error: ");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}
