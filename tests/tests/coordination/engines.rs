//! The engines, each with a service of its own for a test.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use lockutils_harness::testing::coordination::{self, ServerControl};
use lockutils_tests::debian;
use lockutils_tests::servers::Server;
use tempfile::TempDir;

/// A service and what keeps it running.
pub struct Service {
    pub url: String,
    /// The time after which locks that are not renewed are free.
    pub lease: Option<Duration>,
    pub server: Option<Server>,
    _directory: Option<TempDir>,
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
        lease: Some(Duration::from_secs_f64(lease.parse().expect("seconds"))),
        server: Some(server),
        _directory: None,
    }
}

pub fn file() -> Service {
    let directory = tempfile::tempdir().expect("a folder");
    Service {
        url: format!("file://{}?tokens=true", directory.path().display()),
        lease: None,
        server: None,
        _directory: Some(directory),
    }
}

/// Servers whose leases last this many seconds.
pub fn servers(lease: &str) -> [Service; 2] {
    [redis(lease), etcd(lease)]
}

/// Runs a test with each engine.
pub fn each(test: impl Fn(&Service)) {
    let [redis, etcd] = servers("10");
    for service in [file(), redis, etcd] {
        println!("{}", service.url);
        test(&service);
    }
}

impl Service {
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

/// The key of a lock, if the server has one.
fn key(url: &str, name: &str) -> Option<String> {
    match url.split("://").next()? {
        "redis" => Some(format!("_tooz_{name}_lock")),
        "etcd3+http" => Some(format!("/tooz/locks{name}")),
        _ => None,
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

    fn is_held(&self, name: &str) -> Option<bool> {
        let key = key(&self.url, name)?;
        Some(match self.url.starts_with("redis") {
            true => self.command(&["exists", &key]) == "1",
            false => !self.command(&["get", "--keys-only", &key]).is_empty(),
        })
    }

    fn remove(&self, name: &str) -> bool {
        match key(&self.url, name) {
            Some(key) => {
                self.command(&["del", &key]);
                true
            }
            None => false,
        }
    }
}
