//! The engines, each with a service of its own for a test.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use lockutils_harness::testing::coordination::proxy::Proxy;
use lockutils_harness::testing::coordination::{self, ServerControl, Service as _};
use lockutils_tests::debian;
use lockutils_tests::python;
use lockutils_tests::servers::Server;
use tempfile::TempDir;

/// A service and what keeps it running.
pub struct Service {
    pub url: String,
    /// The time after which locks that are not renewed are free.
    pub lease: Option<Duration>,
    /// `true` if a lock ends with the connection that keeps it.
    pub sessions: bool,
    pub server: Option<Server>,
    _directory: Option<TempDir>,
}

fn seconds(lease: &str) -> Duration {
    Duration::from_secs_f64(lease.parse().expect("seconds"))
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
        lease: Some(seconds(lease)),
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
        lease: Some(seconds(lease)),
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
        lease: Some(seconds(lease)),
        sessions: false,
        server: Some(server),
        _directory: None,
    }
}

pub fn file() -> Service {
    let directory = tempfile::tempdir().expect("a folder");
    Service {
        url: format!("file://{}?tokens=true", directory.path().display()),
        lease: None,
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
    pub fn is_zookeeper(&self) -> bool {
        self.url.starts_with("zookeeper")
    }

    /// The URL of a proxy in front of the server.
    pub fn url_through(&self, proxy: &Proxy) -> String {
        let url = self.url_at(([127, 0, 0, 1], proxy.port()).into());
        url.expect("a server")
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

impl coordination::Service for Service {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    fn address(&self) -> Option<SocketAddr> {
        let server = self.server.as_ref()?;
        Some(([127, 0, 0, 1], server.port()).into())
    }

    fn url_at(&self, address: SocketAddr) -> Option<String> {
        let own = self.address()?.to_string();
        Some(self.url.replace(&own, &address.to_string()))
    }

    fn server(&self) -> Option<&dyn ServerControl> {
        Some(self.server.as_ref()?)
    }

    /// Of PostgreSQL, whose locks are numbers: `true` if there is any lock.
    fn is_held(&self, name: &str) -> Option<bool> {
        Some(match self.url.split("://").next()? {
            "redis" => self.command(&["exists", &format!("_tooz_{name}_lock")]) == "1",
            "etcd3+http" => {
                let key = format!("/tooz/locks{name}");
                !self.command(&["get", "--keys-only", &key]).is_empty()
            }
            "postgresql" => {
                let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
                self.command(&[locks]) != "0"
            }
            "zookeeper" => self.command(&["count", name]) != "0",
            _ => return None,
        })
    }

    /// Of PostgreSQL: ends the sessions that have locks.
    fn remove(&self, name: &str) -> bool {
        match self.url.split("://").next() {
            Some("redis") => self.command(&["del", &format!("_tooz_{name}_lock")]),
            Some("etcd3+http") => self.command(&["del", &format!("/tooz/locks{name}")]),
            Some("postgresql") => self
                .command(&["SELECT pg_terminate_backend(pid) FROM pg_locks \
                WHERE locktype = 'advisory' AND granted"]),
            Some("zookeeper") => self.command(&["delete", name]),
            _ => return false,
        };
        true
    }
}
