//! `[workspace.metadata.lockutils]` and `[package.metadata.lockutils]` in the workspace under test.

mod example;
mod locks;
mod model;
mod profile;
mod read;
mod words;

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};

use crate::PassedOn;
use crate::cli::TestOptions;

pub use locks::ConfiguredLock;
pub use profile::Profile;

use model::WorkspaceSettings;

/// The workspace that cargo will test.
pub struct Workspace {
    metadata: Metadata,
}

impl Workspace {
    /// Asks cargo, with the arguments that choose the workspace.
    pub fn load(cargo: &Path, passed_on: &[OsString]) -> Result<Self> {
        let mut command = MetadataCommand::new();
        command.cargo_path(cargo).no_deps();
        if let Some(manifest) = value_of("--manifest-path", passed_on) {
            command.manifest_path(manifest);
        }
        let metadata = command.exec().map_err(|error| match error {
            cargo_metadata::Error::CargoMetadata { stderr } => {
                anyhow!("cargo finds no project to test: {}", in_one_line(&stderr))
            }
            other => anyhow::Error::new(other).context(format!("{} metadata", cargo.display())),
        })?;
        Ok(Workspace { metadata })
    }

    /// Whether a member has a library, and with it doctests.
    pub fn has_library(&self) -> bool {
        self.metadata
            .workspace_packages()
            .iter()
            .flat_map(|package| &package.targets)
            .any(|target| {
                target.doctest && (target.is_lib() || target.is_proc_macro() || target.is_rlib())
            })
    }

    /// What the workspace sets. A package at its root may say it in its own table: `[workspace.metadata]` would make a workspace of it.
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

    /// The package that speaks for the workspace, which says nothing itself.
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

    /// Fills in what the command line leaves open.
    pub fn complete(&self, mut options: TestOptions) -> Result<TestOptions> {
        let settings = self.settings()?;
        options.isolate = options.isolate.or(settings.isolate);
        options.deny_leaks |= settings.deny_leaks;
        if options.directory.lock_path.is_none() && !options.directory.keep {
            options.directory.keep = settings.keep;
            let root = self.metadata.workspace_root.as_std_path();
            options.directory.lock_path = settings.lock_path.map(|path| root.join(path));
        }
        if options.directory.keep && options.directory.lock_path.is_some() {
            bail!(
                "[workspace.metadata.lockutils] has both `keep` and `lock-path`: a lock path is always kept; remove `keep`"
            );
        }
        Ok(options)
    }

    /// The arguments of every run of `runner` (`test` or `nextest`), and then those of the command line.
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

    /// The profile of this name.
    pub fn profile(&self, name: &str) -> Result<Profile> {
        Profile::find(name, &self.settings()?.profiles)
    }

    /// The locks that are to be tried when none is named, those of the workspace first.
    pub fn locks(&self) -> Result<Vec<ConfiguredLock>> {
        let speaking = self.speaking_package().map(|package| &package.id);
        locks::all(&self.metadata, self.settings()?.lock, speaking)
    }
}

/// The value of a `--long` option among cargo's arguments.
pub fn value_of<'a>(long: &str, arguments: &'a [OsString]) -> Option<&'a str> {
    let mut arguments = arguments
        .iter()
        .map_while(|argument| argument.to_str().filter(|argument| *argument != "--"));
    while let Some(argument) = arguments.next() {
        if argument == long {
            return arguments.next();
        }
        if let Some(value) = argument
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(value);
        }
    }
    None
}

fn in_one_line(stderr: &str) -> String {
    let text = stderr.trim().trim_start_matches("error: ");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_values_before_the_double_dash() {
        let arguments: Vec<OsString> = [
            "-p",
            "x",
            "--target=t",
            "--manifest-path",
            "m",
            "--",
            "--color",
            "no",
        ]
        .map(OsString::from)
        .into();
        assert_eq!(value_of("--target", &arguments), Some("t"));
        assert_eq!(value_of("--manifest-path", &arguments), Some("m"));
        assert_eq!(value_of("--color", &arguments), None);
    }
}
