//! The engines, each with a service of its own for a test.

use std::process::Command;

use lockutils_tests::debian;
use lockutils_tests::proxy::Proxy;
use lockutils_tests::python;
use lockutils_tests::servers::Server;
use tempfile::TempDir;

/// A service and what keeps it running.
pub struct Service {
    pub url: String,
    /// `true` if the locks have leases.
    pub leases: bool,
    /// `true` if a lock ends with the connection that keeps it.
    pub sessions: bool,
    pub server: Option<Server>,
    _directory: Option<TempDir>,
}

/// A PostgreSQL server whose leases last this many seconds.
pub fn postgres(lease: &str) -> Service {
    postgres_of(Server::postgres(&[]), lease)
}

pub fn postgres_of(server: Server, lease: &str) -> Service {
    let port = server.port();
    let url = format!("postgresql://lockutils@127.0.0.1:{port}/postgres?lock_timeout={lease}");
    Service {
        url,
        leases: true,
        sessions: true,
        server: Some(server),
        _directory: None,
    }
}

/// A Redis server whose leases last this many seconds.
pub fn redis(lease: &str) -> Service {
    let server = Server::redis(&[]);
    with_leases("redis", server, lease)
}

/// An etcd server whose leases last this many seconds.
pub fn etcd(lease: &str) -> Service {
    let server = Server::etcd(&[]);
    with_leases("etcd3+http", server, lease)
}

fn with_leases(scheme: &str, server: Server, lease: &str) -> Service {
    Service {
        url: format!(
            "{scheme}://127.0.0.1:{}?lock_timeout={lease}",
            server.port()
        ),
        leases: true,
        sessions: false,
        server: Some(server),
        _directory: None,
    }
}

/// A ZooKeeper server; its sessions last this many seconds.
pub fn zookeeper(lease: &str) -> Service {
    let server = Server::zookeeper(&[], &[]);
    Service {
        url: format!("zookeeper://127.0.0.1:{}?timeout={lease}", server.port()),
        leases: true,
        sessions: false,
        server: Some(server),
        _directory: None,
    }
}

pub fn file() -> Service {
    let directory = tempfile::tempdir().expect("a folder");
    Service {
        url: format!("file://{}?tokens=true", directory.path().display()),
        leases: false,
        sessions: false,
        server: None,
        _directory: Some(directory),
    }
}

/// Servers whose leases last this many seconds.
pub fn servers(lease: &str) -> Vec<Service> {
    vec![redis(lease), etcd(lease), postgres(lease), zookeeper(lease)]
}

/// The same, and a directory.
pub fn with_files(lease: &str) -> Vec<Service> {
    let mut services = vec![file()];
    services.extend(servers(lease));
    services
}

/// Runs a test with each engine.
pub fn each(test: impl Fn(&Service)) {
    for service in with_files("10") {
        println!("{}", service.url);
        test(&service);
    }
}

impl Service {
    /// Returns `true` if the key of the lock `x` exists at the server, or if there is any lock.
    pub fn is_held(&self) -> bool {
        if self.url.starts_with("redis") {
            return self.command(&["exists", "_tooz_x_lock"]) == "1";
        }
        if self.is_zookeeper() {
            return self.command(&["count", "x"]) != "0";
        }
        if self.sessions {
            return self.command(&["SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"])
                != "0";
        }
        !self
            .command(&["get", "--keys-only", "/tooz/locksx"])
            .is_empty()
    }

    /// Deletes the key of the lock `x`, or ends its session.
    pub fn delete(&self) {
        if self.url.starts_with("redis") {
            self.command(&["del", "_tooz_x_lock"]);
        } else if self.is_zookeeper() {
            self.command(&["delete", "x"]);
        } else if self.sessions {
            self.command(&["SELECT pg_terminate_backend(pid) FROM pg_locks
                WHERE locktype = 'advisory' AND granted"]);
        } else {
            self.command(&["del", "/tooz/locksx"]);
        }
    }

    pub fn is_zookeeper(&self) -> bool {
        self.url.starts_with("zookeeper")
    }

    /// The URL of a proxy in front of the server.
    pub fn url_through(&self, proxy: &Proxy) -> String {
        let own = self.port().to_string();
        self.url.replace(&own, &proxy.port().to_string())
    }

    pub fn port(&self) -> u16 {
        self.server.as_ref().expect("a server").port()
    }

    /// Runs a command of the server's own client.
    pub fn command(&self, words: &[&str]) -> String {
        let address = format!("127.0.0.1:{}", self.port());
        let mut command = if self.url.starts_with("redis") {
            let mut command = Command::new("redis-cli");
            command.args(["-p", address.rsplit(':').next().expect("a port")]);
            command
        } else if self.is_zookeeper() {
            let mut command = python::script_with(&["kazoo==2.11.0"], "zookeeper_nodes.py");
            command.arg(&address);
            command
        } else if self.sessions {
            let mut command = Command::new("psql");
            command.args(["-h", "127.0.0.1", "-p", &self.port().to_string()]);
            command.args(["-U", "lockutils", "-d", "postgres", "-X", "-At", "-c"]);
            command
        } else {
            let etcdctl = debian::provide("etcdctl", "etcd-client").expect("etcdctl");
            let mut command = Command::new(etcdctl);
            command
                .env("ETCDCTL_API", "3")
                .args(["--endpoints", &address]);
            command
        };
        let output = command.args(words).output().expect("the client");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
