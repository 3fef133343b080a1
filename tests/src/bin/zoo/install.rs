//! The dependencies of the locks, from PyPI, npm and Debian, installed once below the target
//! folder.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use lockutils_tests::{debian, python};

use crate::servers::{self, Server};
use crate::table::Lock;

/// The installed dependencies.
pub struct Tools {
    folder: PathBuf,
    target: PathBuf,
    built: PathBuf,
    servers: HashMap<String, Server>,
}

impl Tools {
    /// Builds the command and our own workers.
    pub fn new(folder: &Path) -> Result<Self> {
        let target = python::target_folder();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "cargo-lockutils",
            "-p",
            "lockutils-tests",
        ]);
        build.args(["--bin", "cargo-lockutils", "--bin", "peer-worker"]);
        run(build.current_dir(env!("CARGO_MANIFEST_DIR")))?;
        Ok(Tools {
            folder: folder.to_owned(),
            built: target.join("release"),
            target,
            servers: HashMap::new(),
        })
    }

    /// `cargo-lockutils`.
    pub fn command(&self) -> PathBuf {
        self.built.join("cargo-lockutils")
    }

    /// Installs the dependencies of the lock, and completes the command that tests it.
    pub fn provide(&mut self, lock: &Lock, command: &mut Command) -> Result<()> {
        let helpers = self.folder.join("../../docs/workers");
        command
            .env("PYTHONPATH", &helpers)
            .env("ZOO_HELPERS", &helpers);
        command.current_dir(&self.folder);
        let mut node_path = helpers.into_os_string();
        let mut packages = Vec::new();
        for need in &lock.needs {
            match need.split_once(':') {
                Some(("pip", package)) => packages.push(package),
                Some(("npm", package)) => {
                    node_path.push(":");
                    node_path.push(self.npm(package)?);
                }
                Some(("apt", pair)) => apt(pair)?,
                Some(("server", name)) => {
                    let port = self.server(name)?;
                    command.env(
                        format!("ZOO_{}_PORT", name.to_uppercase()),
                        port.to_string(),
                    );
                    command.env("ETCDCTL_ENDPOINTS", format!("http://127.0.0.1:{port}"));
                }
                _ => bail!("`{need}` is nothing that can be installed"),
            }
        }
        command.env("NODE_PATH", node_path);
        if lock.builtin.is_some() {
            return Ok(());
        }
        command.arg("--");
        for (number, word) in lock.worker.iter().chain(&lock.wrapper).enumerate() {
            match (number, word.as_str()) {
                // A lock that comes with Python needs no installation.
                (0, "python") if packages.is_empty() => command.arg("python3"),
                (0, "python") => command.arg(python::environment(&packages)),
                (0, "peer-worker") => command.arg(self.built.join("peer-worker")),
                _ => command.arg(word),
            };
        }
        Ok(())
    }

    fn npm(&self, package: &str) -> Result<PathBuf> {
        let folder = self.target.join("npm").join(package);
        let modules = folder.join("node_modules");
        if !modules.exists() {
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("package.json"), "{\"private\": true}")?;
            let mut npm = Command::new("npm");
            run(npm
                .args(["install", "--silent", "--no-audit", "--no-fund", package])
                .current_dir(&folder))?;
        }
        Ok(modules)
    }

    fn server(&mut self, name: &str) -> Result<u16> {
        if let Some(server) = self.servers.get(name) {
            return Ok(server.port);
        }
        let server = match name {
            "redis" => {
                apt("redis-server=redis-server")?;
                servers::redis()?
            }
            "memcached" => {
                apt("memcached=memcached")?;
                servers::memcached()?
            }
            "etcd" => {
                apt("etcd=etcd-server")?;
                servers::etcd()?
            }
            "postgres" => {
                if !Path::new("/usr/lib/postgresql").exists() {
                    debian::install("postgresql")?;
                }
                servers::postgres()?
            }
            other => bail!("there is no server `{other}`"),
        };
        Ok(self.servers.entry(name.to_owned()).or_insert(server).port)
    }
}

/// Installs the Debian package of `program=package` if the program is missing.
fn apt(pair: &str) -> Result<()> {
    let (program, package) = pair.split_once('=').context("program=package")?;
    debian::provide(program, package).map(drop)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    match output.status.success() {
        true => Ok(()),
        false => bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
