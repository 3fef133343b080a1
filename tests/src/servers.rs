//! Servers that keep locks, on loopback and in a temporary folder; stopped when they are dropped.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lockutils_harness::testing::coordination::ServerControl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::debian;
use crate::until::until;

/// A server program, which can be paused, killed and started again with its data.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    child: Mutex<Option<Child>>,
    directory: TempDir,
}

impl Server {
    /// Starts a Redis server that writes each change to the disk.
    ///
    /// # Panics
    /// Panics if it cannot be installed or started.
    pub fn redis(arguments: &[&str]) -> Self {
        let program = debian::provide("redis-server", "redis-server").expect("redis-server");
        let directory = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut all: Vec<String> = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
            .map(str::to_owned)
            .to_vec();
        all.extend(["--appendfsync".into(), "always".into(), "--dir".into()]);
        all.push(directory.path().display().to_string());
        if !arguments.contains(&"--tls-port") {
            all.extend(["--port".to_owned(), port.to_string()]);
        }
        all.extend(
            arguments
                .iter()
                .map(|argument| argument.replace("PORT", &port.to_string())),
        );
        Server::start(program, all, port, directory)
    }

    /// Starts an etcd server of one node.
    ///
    /// # Panics
    /// Panics if it cannot be installed or started.
    pub fn etcd(arguments: &[&str]) -> Self {
        let program = debian::provide("etcd", "etcd-server").expect("etcd");
        let directory = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let scheme = if arguments.contains(&"--cert-file") {
            "https"
        } else {
            "http"
        };
        let client = format!("{scheme}://127.0.0.1:{port}");
        let peer = format!("http://127.0.0.1:{}", free_port());
        let data = directory.path().join("data").display().to_string();
        let mut all: Vec<String> = [
            "--log-level",
            "error",
            "--logger",
            "zap",
            "--data-dir",
            &data,
        ]
        .map(str::to_owned)
        .to_vec();
        for (option, url) in [
            ("--listen-client-urls", &client),
            ("--advertise-client-urls", &client),
            ("--listen-peer-urls", &peer),
            ("--initial-advertise-peer-urls", &peer),
            ("--initial-cluster", &format!("default={peer}")),
        ] {
            all.extend([option.to_owned(), url.clone()]);
        }
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let server = Server::start(program, all, port, directory);
        // It listens before it has a leader.
        let url = format!(
            "{}://127.0.0.1:{port}",
            if scheme == "http" { "etcd3+http" } else { "" }
        );
        if scheme == "http" {
            until("etcd has a leader", || {
                oslo_coordination::Coordinator::connect(&url).ok()
            });
        }
        server
    }

    fn start(program: PathBuf, arguments: Vec<String>, port: u16, directory: TempDir) -> Self {
        let server = Server {
            program,
            arguments,
            port,
            child: Mutex::default(),
            directory,
        };
        server.start_again();
        server
    }

    /// Starts the server after [`kill`](Self::kill), and waits until it listens.
    ///
    /// # Panics
    /// Panics if it does not start.
    pub fn start_again(&self) {
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        *self.child() = Some(child);
        until("the server listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Kills the server.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops the server (SIGSTOP), or lets it go on (SIGCONT).
    ///
    /// # Panics
    /// Panics if it does not run.
    pub fn signal(&self, signal: Signal) {
        let child = self.child();
        let child = child.as_ref().expect("it runs");
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("it is there");
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its data.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl ServerControl for Server {
    fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn kill(&self) {
        Server::kill(self);
    }

    fn start(&self) {
        self.start_again();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that is free at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
