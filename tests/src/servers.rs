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
use crate::python::target_folder;
use crate::until::until;

/// Options of setpriv(1) for PostgreSQL's user, since its programs refuse to run as root.
pub const AS_POSTGRES: [&str; 3] = ["--reuid=postgres", "--regid=postgres", "--clear-groups"];

/// A server program, which can be paused, killed and started again with its data.
#[derive(Debug)]
pub struct Server {
    /// The signal that ends it at once, with its children.
    ending: Signal,
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
        if scheme == "http" {
            // It listens before it has a leader.
            let url = format!("etcd3+http://127.0.0.1:{port}");
            until("etcd has a leader", || {
                oslo_coordination::Coordinator::connect(&url).ok()
            });
        }
        server
    }

    /// Starts a PostgreSQL server, with a superuser `lockutils` who needs no password, and the
    /// database `postgres`.
    ///
    /// # Panics
    /// Panics if it cannot be installed or started.
    pub fn postgres(arguments: &[&str]) -> Self {
        Self::postgres_with(arguments, |_| ())
    }

    /// The same, after `prepare` has changed the folder of its data.
    ///
    /// # Panics
    /// Panics if it cannot be installed or started.
    pub fn postgres_with(arguments: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let programs = postgres_programs();
        let directory = tempfile::tempdir().expect("a folder");
        let data = directory.path().join("data");
        run(Command::new("cp")
            .arg("-r")
            .args([&postgres_template(&programs), &data]));
        prepare(&data);
        // The server insists on both.
        run(Command::new("chmod").args(["-R", "u=rwX,go="]).arg(&data));
        let mut all = Vec::new();
        if nix::unistd::geteuid().is_root() {
            run(Command::new("chown")
                .args(["-R", "postgres"])
                .arg(directory.path()));
            // A change of user cancels the signal that ends the server with this process.
            all.extend(AS_POSTGRES.map(str::to_owned));
            all.extend(["--pdeathsig=KILL".to_owned(), "--".to_owned()]);
        } else {
            all.push("--".to_owned());
        }
        let port = free_port();
        all.push(programs.join("postgres").display().to_string());
        for words in [
            &["-D", &data.display().to_string()],
            &["-p", &port.to_string()],
            &["-h", "127.0.0.1"],
            &["-k", ""],
            &["-c", "fsync=off"],
        ] {
            all.extend(words.iter().map(|word| (*word).to_owned()));
        }
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let program = PathBuf::from("setpriv");
        let mut server = Server::start(program, all, port, directory);
        server.ending = Signal::SIGQUIT;
        until("PostgreSQL is ready", || {
            let mut ready = Command::new(programs.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            ready
                .status()
                .is_ok_and(|status| status.success())
                .then_some(())
        });
        server
    }

    /// Starts a ZooKeeper server of one node, with these lines added to its configuration.
    ///
    /// # Panics
    /// Panics if it cannot be installed or started.
    pub fn zookeeper(lines: &[&str], properties: &[&str]) -> Self {
        // TLS is netty's.
        let jars = [
            "zookeeper",
            "slf4j-nop",
            "netty-buffer",
            "netty-codec",
            "netty-common",
            "netty-handler",
            "netty-resolver",
            "netty-all",
        ];
        let jars = jars.map(|name| format!("/usr/share/java/{name}.jar"));
        if !jars.iter().all(|jar| Path::new(jar).exists()) {
            debian::install("zookeeper").expect("zookeeper");
        }
        let program = debian::provide("java", "default-jre-headless").expect("java");
        let directory = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let data = directory.path().join("data");
        let mut all = vec![
            format!("dataDir={}", data.display()),
            // A session lasts at least two ticks.
            "tickTime=500".to_owned(),
            "minSessionTimeout=1000".to_owned(),
            "maxSessionTimeout=60000".to_owned(),
            "maxClientCnxns=0".to_owned(),
        ];
        let is_secure = lines
            .iter()
            .any(|line| line.starts_with("secureClientPort"));
        if !is_secure {
            all.push("clientPortAddress=127.0.0.1".to_owned());
            all.push(format!("clientPort={port}"));
        }
        all.extend(
            lines
                .iter()
                .map(|line| line.replace("PORT", &port.to_string())),
        );
        let file = directory.path().join("zoo.cfg");
        std::fs::write(&file, all.join("\n")).expect("a file");
        let mut arguments: Vec<String> = [
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "-Xmx128m",
            "-Dzookeeper.admin.enableServer=false",
            "-Dzookeeper.forceSync=no",
            "-Dzookeeper.4lw.commands.whitelist=ruok",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(properties.iter().map(|property| (*property).to_owned()));
        arguments.extend([
            "-cp".to_owned(),
            jars.join(":"),
            "org.apache.zookeeper.server.ZooKeeperServerMain".to_owned(),
            file.display().to_string(),
        ]);
        let server = Server::start(program, arguments, port, directory);
        if !is_secure {
            // It listens before it serves.
            let url = format!("zookeeper://127.0.0.1:{port}?timeout=2");
            until("ZooKeeper serves", || {
                oslo_coordination::Coordinator::connect(&url).ok()
            });
        }
        server
    }

    fn start(program: PathBuf, arguments: Vec<String>, port: u16, directory: TempDir) -> Self {
        let server = Server {
            ending: Signal::SIGKILL,
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
            .current_dir(self.directory.path())
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
            let _ = kill(Pid::from_raw(child.id().cast_signed()), self.ending);
            let _ = child.wait();
        }
    }

    /// Stops the server (SIGSTOP), or lets it go on (SIGCONT).
    ///
    /// # Panics
    /// Panics if it does not run.
    pub fn signal(&self, signal: Signal) {
        let child = self.child().as_ref().expect("it runs").id();
        kill(Pid::from_raw(child.cast_signed()), signal).expect("it is there");
        if signal == Signal::SIGSTOP {
            until("every thread has stopped", || {
                has_stopped(child).then_some(())
            });
        }
        let children = std::fs::read_to_string(format!("/proc/{child}/task/{child}/children"));
        for child in children.expect("it is there").split_whitespace() {
            let child = child.parse().expect("a number");
            let _ = kill(Pid::from_raw(child), signal);
        }
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

/// The folder of PostgreSQL's programs.
fn postgres_programs() -> PathBuf {
    let find = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let folders = versions.flatten().map(|version| version.path().join("bin"));
        folders
            .filter(|folder| folder.join("postgres").exists())
            .max()
    };
    find().unwrap_or_else(|| {
        debian::install("postgresql").expect("postgresql");
        find().expect("the package has the server")
    })
}

/// A folder of data that every server copies: to make one takes seconds.
fn postgres_template(programs: &Path) -> PathBuf {
    let version = programs
        .parent()
        .and_then(Path::file_name)
        .expect("a version");
    let template = target_folder().join("postgres").join(version);
    std::fs::create_dir_all(template.parent().expect("a folder")).expect("a folder");
    let lock = std::fs::File::create(template.with_extension("lock")).expect("a file");
    lock.lock().expect("the file system locks");
    if template.exists() {
        return template;
    }
    let directory = tempfile::tempdir().expect("a folder");
    let made = directory.path().join("data");
    let mut initdb = match nix::unistd::geteuid().is_root() {
        true => {
            run(Command::new("chown").arg("postgres").arg(directory.path()));
            let mut command = Command::new("setpriv");
            command.args(AS_POSTGRES).arg("--");
            command.arg(programs.join("initdb"));
            command
        }
        false => Command::new(programs.join("initdb")),
    };
    initdb.arg("-D").arg(&made);
    initdb.args(["-U", "lockutils", "-A", "trust", "--no-sync"]);
    run(initdb.current_dir("/"));
    run(Command::new("cp").arg("-r").args([&made, &template]));
    template
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}

fn has_stopped(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("it is there");
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('T'))
    })
}

/// A port that is free at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
