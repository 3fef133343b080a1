//! Servers on loopback with temporary data folders, which run until they are dropped.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use lockutils_tests::servers::AS_POSTGRES;
use lockutils_tests::until::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, chown, getuid};
use tempfile::TempDir;

/// A server that accepts connections.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
    child: Child,
    _data: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // PostgreSQL takes SIGINT for a fast shutdown; Redis ends as well.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT);
        let _ = self.child.wait();
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn start(mut command: Command, port: u16, data: TempDir) -> Result<Server> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{command:?}"))?;
    let server = Server {
        port,
        child,
        _data: data,
    };
    until("the server listens", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    Ok(server)
}

/// Redis, without persistence.
pub fn redis() -> Result<Server> {
    let (port, data) = (free_port()?, tempfile::tempdir()?);
    let mut command = Command::new("redis-server");
    command
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
        ])
        .arg(data.path());
    start(command, port, data)
}

/// memcached. Started as root, it requires a user to change to.
pub fn memcached() -> Result<Server> {
    let (port, data) = (free_port()?, tempfile::tempdir()?);
    let mut command = Command::new("memcached");
    command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0"]);
    if getuid().is_root() {
        command.args(["-u", "nobody"]);
    }
    start(command, port, data)
}

/// A single etcd node that does not wait for its disk.
pub fn etcd() -> Result<Server> {
    let (port, peers, data) = (free_port()?, free_port()?, tempfile::tempdir()?);
    let (clients, peers) = (
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{peers}"),
    );
    let mut command = Command::new("etcd");
    command
        .args(["--listen-client-urls", &clients])
        .args(["--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers])
        .args(["--unsafe-no-fsync", "--data-dir"])
        .arg(data.path().join("data"));
    start(command, port, data)
}

/// PostgreSQL, with the user `zoo` and no password. It refuses to run as root; in that case it runs
/// as `postgres`.
pub fn postgres() -> Result<Server> {
    let (port, data) = (free_port()?, tempfile::tempdir()?);
    let programs = programs_of_postgres()?;
    let cluster = data.path().join("cluster");
    if getuid().is_root() {
        let user = User::from_name("postgres")?.context("there is no user `postgres`")?;
        chown(data.path(), Some(user.uid), Some(user.gid))?;
    }
    let status = unprivileged(&programs.join("initdb"))
        .arg("-D")
        .arg(&cluster)
        .args(["-U", "zoo", "-A", "trust", "--no-sync"])
        .current_dir("/")
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("initdb {status}");
    }
    let mut command = unprivileged(&programs.join("postgres"));
    command
        .arg("-D")
        .arg(&cluster)
        .args([
            "-p",
            &port.to_string(),
            "-h",
            "127.0.0.1",
            "-c",
            "fsync=off",
            "-k",
            "",
        ])
        .current_dir("/");
    let server = start(command, port, data)?;
    Ok(server)
}

fn unprivileged(program: &Path) -> Command {
    if !getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(AS_POSTGRES).arg(program);
    command
}

fn programs_of_postgres() -> Result<PathBuf> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .find(|bin| bin.join("initdb").exists())
        .context("PostgreSQL's initdb is not there")
}
