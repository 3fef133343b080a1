//! The keys of `[workspace.metadata.lockutils]` and `[package.metadata.lockutils]`, described in
//! docs/reference/configuration.md.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lockutils_harness::model::Scenario;
use serde::Deserialize;

use super::profile::Profile;
use super::words::{Expected, Time, Words};
use crate::builtin::Builtin;
use crate::cli::Isolate;

/// The settings of a workspace. Command-line options override them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorkspaceSettings {
    pub isolate: Option<Isolate>,
    pub keep: bool,
    pub lock_path: Option<PathBuf>,
    pub deny_leaks: bool,
    pub test_arguments: Vec<String>,
    pub nextest_arguments: Vec<String>,
    pub lock: Vec<LockSettings>,
    pub profiles: BTreeMap<String, Profile>,
}

/// The settings of a package: its locks, which run in its folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PackageSettings {
    pub lock: Vec<LockSettings>,
}

/// A lock for `stress` and `explore`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockSettings {
    pub name: String,
    pub example: Option<String>,
    pub worker: Option<Words>,
    pub wrapper: Option<Words>,
    pub builtin: Option<Builtin>,
    pub busy_status: Option<u8>,
    pub lease: Option<Time>,
    #[serde(default, deserialize_with = "super::words::scenarios")]
    pub scenarios: Vec<Scenario>,
    #[serde(default, deserialize_with = "super::words::expected_of_scenarios")]
    pub expect: BTreeMap<Scenario, Expected>,
    #[serde(default)]
    pub explore: ExploreSettings,
}

/// The settings of `explore` for a lock.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ExploreSettings {
    pub skip: bool,
    #[serde(alias = "parties")]
    pub workers: Option<u16>,
    pub servers: Option<String>,
    pub server: Option<String>,
    #[serde(deserialize_with = "super::words::explorable")]
    pub scenarios: Vec<Scenario>,
    #[serde(deserialize_with = "super::words::expected_of_explorable")]
    pub expect: BTreeMap<Scenario, Expected>,
}
