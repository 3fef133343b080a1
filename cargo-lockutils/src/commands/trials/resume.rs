//! The file of `explore --resume`: the state of a search that ended early.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use lockutils_harness::explore::{Choice, Planner, Shard};
use lockutils_harness::model::{Outcome, Scenario};
use serde::{Deserialize, Serialize};

use super::reports::cannot_write;

/// The version of the format.
const FORMAT: u32 = 2;

/// The conditions that must not change when a search is continued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchConditions {
    pub lock: String,
    /// The engine or the address of the server that the user named.
    pub server: Option<String>,
    pub seed: u64,
    pub workers: usize,
    pub rounds: usize,
    pub crashes: usize,
    pub lease_ms: Option<f64>,
    pub strategy: Choice,
    pub shard: Shard,
}

/// The state of the search in one scenario.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioState {
    /// The search can go on.
    Open(Box<Planner>),
    /// A violation was found.
    Found(Box<Outcome>),
}

/// The state of the search for one lock.
#[derive(Debug, Serialize, Deserialize)]
struct LockState {
    conditions: SearchConditions,
    scenarios: Vec<(Scenario, ScenarioState)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    format: u32,
    tool: String,
    seed: u64,
    /// By the name of a configured lock, or by the lock on the command line.
    locks: BTreeMap<String, LockState>,
}

/// The file.
#[derive(Debug)]
pub struct ResumeFile {
    path: PathBuf,
    contents: RefCell<Contents>,
}

impl ResumeFile {
    /// Reads the file, if it exists. `seed` is the one on the command line.
    pub fn open(path: PathBuf, seed: Option<u64>, fresh_seed: u64) -> Result<Self> {
        let contents = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let contents = Contents {
                    format: FORMAT,
                    tool: env!("CARGO_PKG_VERSION").to_owned(),
                    seed: seed.unwrap_or(fresh_seed),
                    locks: BTreeMap::new(),
                };
                // Fail before the search rather than after it.
                let text = serde_json::to_vec(&contents)?;
                fs::write(&path, text).with_context(|| cannot_write(&path))?;
                contents
            }
            read => read
                .map_err(anyhow::Error::new)
                .and_then(|bytes| parse(&bytes))
                .with_context(|| format!("cannot continue from {}", path.display()))?,
        };
        if seed.is_some_and(|seed| seed != contents.seed) {
            bail!(
                "the search in {} has the seed {:#x}",
                path.display(),
                contents.seed
            );
        }
        Ok(ResumeFile {
            path: std::path::absolute(path)?,
            contents: RefCell::new(contents),
        })
    }

    /// The seed of the search.
    pub fn seed(&self) -> u64 {
        self.contents.borrow().seed
    }

    /// Takes the states of a lock's scenarios.
    pub fn take(
        &self,
        key: &str,
        conditions: &SearchConditions,
    ) -> Result<Vec<(Scenario, ScenarioState)>> {
        match self.contents.borrow_mut().locks.remove(key) {
            Some(state) if state.conditions != *conditions => Err(anyhow!(
                "the search in {} is another one ({}): its lock, --servers, --server, --workers, --rounds, \
                 --crashes, --lease, --strategy and --shard must be the same",
                self.path.display(),
                differences(&state.conditions, conditions)
            )),
            Some(state) => Ok(state.scenarios),
            None => Ok(Vec::new()),
        }
    }

    /// Writes the states of a lock's scenarios.
    pub fn save(
        &self,
        key: &str,
        conditions: &SearchConditions,
        scenarios: Vec<(Scenario, ScenarioState)>,
    ) -> Result<()> {
        let mut contents = self.contents.borrow_mut();
        let state = LockState {
            conditions: conditions.clone(),
            scenarios,
        };
        contents.locks.insert(key.to_owned(), state);
        let text = serde_json::to_vec(&*contents)?;
        // A killed run leaves the previous state.
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(".new");
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, &self.path))
            .with_context(|| cannot_write(&self.path))
    }
}

fn parse(bytes: &[u8]) -> Result<Contents> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
        tool: String,
    }
    let version: Version =
        serde_json::from_slice(bytes).map_err(|_| anyhow!("it was not saved by `explore`"))?;
    let ours = (FORMAT, env!("CARGO_PKG_VERSION"));
    if (version.format, &*version.tool) != ours {
        bail!(
            "it was saved by version {} of the command, and this is version {}",
            version.tool,
            ours.1
        );
    }
    Ok(serde_json::from_slice(bytes)?)
}

/// What differs, in words.
fn differences(saved: &SearchConditions, now: &SearchConditions) -> String {
    let text = |one: &SearchConditions| {
        let lease = one
            .lease_ms
            .map_or_else(|| "no".to_owned(), |ms| format!("{ms} ms"));
        [
            format!("lock {}", one.lock),
            format!("server {}", one.server.as_deref().unwrap_or("none")),
            format!("seed {:#x}", one.seed),
            format!("{} workers", one.workers),
            format!("{} rounds", one.rounds),
            format!("{} crashes", one.crashes),
            format!("{lease} lease"),
            format!("strategy {}", one.strategy.word()),
            format!("shard {}", one.shard),
        ]
    };
    let pairs = text(saved).into_iter().zip(text(now));
    let different = pairs.filter(|(saved, now)| saved != now);
    let words = different.map(|(saved, now)| format!("{saved} instead of {now}"));
    words.collect::<Vec<_>>().join(", ")
}
