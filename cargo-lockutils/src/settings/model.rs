//! The keys of `[workspace.metadata.lockutils]` and `[package.metadata.lockutils]`; docs/reference/configuration.md explains them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lockutils_harness::model::Scenario;
use serde::Deserialize;

use super::profile::Profile;
use super::words::{Expected, Time, Words};
use crate::builtin::Builtin;
use crate::cli::Isolate;

/// What a workspace may set; the command line goes before it.
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

/// What a package may set: its locks, which run in its folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PackageSettings {
    pub lock: Vec<LockSettings>,
}

/// A lock that `stress` and `explore` try when none is named.
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

/// How `explore` tries it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ExploreSettings {
    pub skip: bool,
    #[serde(alias = "parties")]
    pub workers: Option<u16>,
    #[serde(deserialize_with = "super::words::explorable")]
    pub scenarios: Vec<Scenario>,
    #[serde(deserialize_with = "super::words::expected_of_explorable")]
    pub expect: BTreeMap<Scenario, Expected>,
}
