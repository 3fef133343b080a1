//! The configured locks, validated, each with its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use cargo_metadata::{Metadata, PackageId};
use lockutils_harness::engines::{Engine, Server};
use lockutils_harness::model::Scenario;
use lockutils_harness::model::Verdict;
use lockutils_harness::workers::LockUnderTest;

use super::example;
use super::model::{LockSettings, PackageSettings};
use super::read::read;
use super::words::{Expected, Words};
use crate::cli::values;

/// A lock of the configuration.
#[derive(Clone, Debug)]
pub struct ConfiguredLock {
    pub name: String,
    /// The folder to which its command is relative.
    pub folder: PathBuf,
    pub lease: Option<Duration>,
    pub stress: ConfiguredTrial,
    pub explore: ConfiguredTrial,
    /// The engine of the server that `explore` starts.
    pub servers: Option<Engine>,
    /// The running server that it uses instead.
    pub server: Option<String>,
    kind: Kind,
}

/// The settings of one command for a configured lock.
#[derive(Clone, Debug)]
pub struct ConfiguredTrial {
    /// The command skips the lock.
    pub skip: bool,
    pub workers: Option<u16>,
    /// The scenarios to run; if empty, the command chooses.
    pub scenarios: Vec<Scenario>,
    pub expect: BTreeMap<Scenario, Vec<Verdict>>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A worker that is an example target of the package.
    Example(String),
    Worker(Words),
    Wrapper(Words, Option<u8>),
    Builtin(&'static str),
}

impl ConfiguredLock {
    /// The lock. The current folder must be [`folder`](Self::folder), to which its command is
    /// relative.
    pub fn lock(&self) -> Result<LockUnderTest> {
        let ours = std::env::current_exe().context("cannot find the path of this program")?;
        let lock = match &self.kind {
            Kind::Example(name) => LockUnderTest::worker(vec![example::build(name)?]),
            Kind::Worker(words) => LockUnderTest::worker(words.0.clone()),
            Kind::Wrapper(words, busy) => LockUnderTest::wrapper(words.0.clone(), *busy, ours),
            Kind::Builtin(word) => Ok(LockUnderTest::builtin(word, ours)),
        };
        lock.with_context(|| {
            format!(
                "cannot start the lock `{}` in {}",
                self.name,
                self.folder.display()
            )
        })
    }

    fn new(settings: LockSettings, folder: PathBuf) -> Result<Self> {
        let kind = match (
            settings.example,
            settings.worker,
            settings.wrapper,
            settings.builtin,
        ) {
            (Some(name), None, None, None) => Kind::Example(name),
            (None, Some(words), None, None) => Kind::Worker(words),
            (None, None, Some(words), None) => Kind::Wrapper(words, settings.busy_status),
            (None, None, None, Some(builtin)) => Kind::Builtin(builtin.word()),
            _ => bail!("set exactly one of `example`, `worker`, `wrapper` and `builtin`"),
        };
        ensure!(
            settings.busy_status.is_none() || matches!(kind, Kind::Wrapper(..)),
            "`busy-status` requires `wrapper`"
        );
        let explore = settings.explore;
        if let Some(workers) = explore.workers {
            ensure!(
                (2..=16).contains(&workers),
                "`explore.workers` must be from 2 to 16, not {workers}"
            );
        }
        ensure!(
            explore.servers.is_none() || explore.server.is_none(),
            "set `explore.servers` or `explore.server`, not both"
        );
        let servers = explore.servers.map(|name| values::engine(&name));
        let servers = servers.transpose().map_err(anyhow::Error::msg)?;
        if let Some(address) = &explore.server {
            Server::at(address).context("`explore.server`")?;
        }
        for scenario in settings.expect.keys() {
            ensure!(
                settings.scenarios.is_empty() || settings.scenarios.contains(scenario),
                "`expect` names `{scenario}`, which is not one of its `scenarios`"
            );
        }
        for scenario in explore.expect.keys() {
            ensure!(
                explore.scenarios.is_empty() || explore.scenarios.contains(scenario),
                "`explore.expect` names `{scenario}`, which is not one of its `explore.scenarios`",
            );
        }
        Ok(ConfiguredLock {
            name: settings.name,
            folder,
            lease: settings.lease.map(|lease| lease.0),
            stress: ConfiguredTrial {
                skip: false,
                workers: None,
                scenarios: settings.scenarios,
                expect: verdicts(settings.expect),
            },
            explore: ConfiguredTrial {
                skip: explore.skip,
                workers: explore.workers,
                scenarios: explore.scenarios,
                expect: verdicts(explore.expect),
            },
            servers,
            server: explore.server,
            kind,
        })
    }
}

fn verdicts(expected: BTreeMap<Scenario, Expected>) -> BTreeMap<Scenario, Vec<Verdict>> {
    let plain = |(scenario, expected): (Scenario, Expected)| (scenario, expected.0);
    expected.into_iter().map(plain).collect()
}

/// The locks of the workspace and its packages, except those of `but`, whose table was read as the
/// workspace's.
pub fn all(
    metadata: &Metadata,
    of_workspace: Vec<LockSettings>,
    but: Option<&PackageId>,
) -> Result<Vec<ConfiguredLock>> {
    let root = metadata.workspace_root.as_std_path().to_owned();
    let mut found: Vec<(LockSettings, PathBuf)> = of_workspace
        .into_iter()
        .map(|lock| (lock, root.clone()))
        .collect();
    for package in metadata.workspace_packages() {
        if Some(&package.id) == but {
            continue;
        }
        let settings: PackageSettings = read(
            package.metadata.get("lockutils"),
            "package.metadata.lockutils",
            package.manifest_path.as_str(),
        )?;
        let folder = package
            .manifest_path
            .parent()
            .map_or_else(|| root.clone(), |folder| folder.as_std_path().to_owned());
        found.extend(settings.lock.into_iter().map(|lock| (lock, folder.clone())));
    }
    let mut names = BTreeSet::new();
    found
        .into_iter()
        .map(|(settings, folder)| {
            let name = settings.name.clone();
            // The name becomes part of file names.
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            ensure!(
                !name.is_empty() && name.chars().all(plain) && !name.starts_with('.'),
                "invalid name `{name}` of a configured lock: use letters, digits, `-`, `_` and `.`"
            );
            ensure!(
                names.insert(name.clone()),
                "two configured locks have the name `{name}`"
            );
            ConfiguredLock::new(settings, folder)
                .map_err(|why| anyhow!("configured lock `{name}`: {why:#}"))
        })
        .collect()
}
