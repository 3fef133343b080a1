//! The data file of an engine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// The data files.
const FILES: &[&str] = &[
    include_str!("redis.toml"),
    include_str!("memcached.toml"),
    include_str!("postgres.toml"),
    include_str!("mariadb.toml"),
    include_str!("etcd.toml"),
    include_str!("zookeeper.toml"),
];

/// An engine: the data with which its servers are started, asked and reset.
///
/// In commands, these placeholders are replaced: `{port}`, `{address}` (host and port),
/// `{directory}` (of the data), `{name}` (of the lock), `{own:name}` (the same on a server of others,
/// and nothing on one that was started for the run), `{id}` (of a lease).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Engine {
    /// Its name on the command line.
    pub name: String,
    /// The Debian package that has its programs.
    pub package: String,
    /// The port on which such a server usually listens.
    pub port: u16,
    /// The protocol of the administrative commands.
    pub(super) protocol: Protocol,
    /// Set if the end of a connection changes the state of the server, as where locks belong to
    /// sessions.
    pub sessions: bool,
    /// Folders with its programs beside PATH; `*` stands for any name.
    #[serde(default)]
    pub(super) folders: Vec<String>,
    /// Other files that it needs.
    #[serde(default)]
    pub(super) files: Vec<PathBuf>,
    /// The user as which it runs if the command runs as root.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has it"))]
    pub(super) user: Option<String>,
    /// Programs that prepare the directory, in order.
    #[serde(default)]
    pub(super) prepare: Vec<Vec<String>>,
    /// The server program and its arguments.
    pub(super) start: Vec<String>,
    /// A command that succeeds once the server is ready.
    pub(super) ready: Vec<String>,
    /// Commands that bring a server of the run to its initial state.
    pub(super) reset: Vec<Vec<String>>,
    /// Commands that remove what belongs to the lock, on a server of others.
    #[serde(default)]
    pub(super) reset_shared: Vec<Vec<String>>,
    /// A command with one row for each lease, as [`Lease`](super::Lease) reads it.
    pub(super) leases: Option<Vec<String>>,
    /// A command with one row for each key, as [`Key`](super::Key) reads it. Without it, leases are
    /// shown in reports.
    pub(super) keys: Option<Vec<String>>,
    /// Time for which the server may answer with an old list of leases.
    #[serde(default)]
    pub(super) leases_cached_ms: u64,
    /// Set if leases are known only on a server that was started for the run.
    #[serde(default)]
    pub(super) leases_if_started: bool,
    /// A command that ends a lease.
    pub(super) expire: Option<Vec<String>>,
    /// Variables for the workers.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
}

/// The protocol of administrative commands.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Protocol {
    /// The protocol of Redis.
    Resp,
    /// The text protocol of memcached.
    Memcached,
    /// The protocol of PostgreSQL; a command is one SQL statement.
    Postgres,
    /// The protocol of MariaDB; a command is one SQL statement.
    Mariadb,
    /// The JSON gateway of etcd.
    Etcd,
    /// The protocol of ZooKeeper.
    Zookeeper,
}

/// A name that no engine has.
#[derive(Debug, thiserror::Error)]
#[error("there is no engine `{name}`; the engines are {}", Engine::names().join(", "))]
pub struct UnknownEngine {
    name: String,
}

impl Engine {
    /// All engines, in the order of the data files.
    pub fn all() -> impl Iterator<Item = Engine> {
        // A test reads every file.
        FILES.iter().filter_map(|file| toml::from_str(file).ok())
    }

    /// The names of all engines.
    pub fn names() -> Vec<String> {
        Engine::all().map(|engine| engine.name).collect()
    }

    /// The engine with this name.
    ///
    /// # Errors
    /// Returns an error if there is none.
    pub fn find(name: &str) -> Result<Engine, UnknownEngine> {
        let name = name.to_owned();
        let mut engines = Engine::all();
        let engine = engines.find(|engine| engine.name == name);
        engine.ok_or(UnknownEngine { name })
    }

    /// Returns `true` if its leases can be ended by a command.
    pub fn has_leases(&self) -> bool {
        self.leases.is_some() && self.expire.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_file_is_read() {
        for file in FILES {
            let engine: Engine = toml::from_str(file).unwrap();
            let found = Engine::find(&engine.name).unwrap();
            assert_eq!(found.leases.is_some(), found.expire.is_some());
            assert!(!found.start.is_empty() && !found.ready.is_empty());
        }
        assert_eq!(Engine::names().len(), FILES.len());
        let unknown = Engine::find("rediss").unwrap_err().to_string();
        assert!(
            unknown.contains("`rediss`") && unknown.contains("are redis, "),
            "{unknown}"
        );
    }
}
