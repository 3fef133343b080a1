//! The service of the URL, as the conformance suite uses it. It belongs to others too, so it is
//! never stopped, and what happens to connections happens in a proxy.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use lockutils_harness::testing::coordination::Service;
use oslo_coordination::{Freed, Promises};

/// The service of a URL.
#[derive(Clone, Debug)]
pub struct Given {
    url: String,
    lease: Option<Duration>,
    address: Option<SocketAddr>,
}

impl Given {
    /// The service with locks of this lease, if its locks have leases.
    pub fn new(url: &str, promises: &Promises, lease: Duration) -> Self {
        let has_leases = promises.death != Freed::AtOnce;
        let address = Parts::of(url).and_then(|parts| {
            // The certificate of a server is not one for the proxy; PostgreSQL's options may name
            // another server.
            let plain = !matches!(parts.scheme, "rediss" | "etcd3+https")
                && !["ssl=", "sslmode=verify", "host=", "port="]
                    .iter()
                    .any(|option| url.contains(option));
            let port = default_port(promises.engine)?;
            plain.then(|| parts.address(port)).flatten()
        });
        Given {
            url: match has_leases {
                true => with_lease(url, lease),
                false => url.to_owned(),
            },
            lease: has_leases.then_some(lease),
            address,
        }
    }
}

impl Service for Given {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    fn url_at(&self, address: SocketAddr) -> Option<String> {
        let Parts { before, after, .. } = Parts::of(&self.url)?;
        Some(format!("{before}{address}{after}"))
    }
}

fn default_port(engine: &str) -> Option<u16> {
    match engine {
        "etcd" => Some(2379),
        "postgresql" => Some(5432),
        "redis" => Some(6379),
        "zookeeper" => Some(2181),
        _ => None,
    }
}

/// A URL around its servers.
struct Parts<'a> {
    scheme: &'a str,
    /// Everything before the servers, and after them.
    before: &'a str,
    servers: &'a str,
    after: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let start = url.find("://")? + 3;
        let end = url[start..]
            .find(['/', '?'])
            .map_or(url.len(), |at| start + at);
        let start = url[start..end]
            .rfind('@')
            .map_or(start, |at| start + at + 1);
        Some(Parts {
            scheme: url.split("://").next()?,
            before: &url[..start],
            servers: &url[start..end],
            after: &url[end..],
        })
    }

    /// The address of the first server.
    fn address(&self, port: u16) -> Option<SocketAddr> {
        // Without a server, the path of a Redis URL names a socket.
        let server = match self.servers.split(',').next()? {
            "" if self.after.starts_with('/') => return None,
            "" => "localhost",
            server => server,
        };
        let has_port = server.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        let resolved = match has_port {
            true => server.to_socket_addrs(),
            false => format!("{server}:{port}").to_socket_addrs(),
        };
        resolved.ok()?.next()
    }
}

/// The URL with this `lock_timeout` instead of its own.
fn with_lease(url: &str, lease: Duration) -> String {
    let (rest, query) = url.split_once('?').unwrap_or((url, ""));
    let kept = query
        .split('&')
        .filter(|option| !option.is_empty() && !option.starts_with("lock_timeout="));
    let options: Vec<String> = kept
        .map(str::to_owned)
        .chain([format!("lock_timeout={}", lease.as_secs_f64())])
        .collect();
    format!("{rest}?{}", options.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_of_the_trials_replaces_that_of_the_url() {
        let lease = Duration::from_secs(2);
        assert_eq!(with_lease("redis://h", lease), "redis://h?lock_timeout=2");
        assert_eq!(
            with_lease("redis://h/?lock_timeout=30&db=1", lease),
            "redis://h/?db=1&lock_timeout=2"
        );
    }

    #[test]
    fn the_proxy_takes_the_place_of_the_servers() {
        let url = "redis://me:p@127.0.0.1:7000,b?db=1";
        let promises = Promises::of(url).unwrap();
        let given = Given::new(url, &promises, Duration::from_secs(2));
        assert_eq!(given.address, Some(([127, 0, 0, 1], 7000).into()));
        assert_eq!(
            given.url_at(([127, 0, 0, 1], 9).into()).unwrap(),
            "redis://me:p@127.0.0.1:9?db=1&lock_timeout=2"
        );
        for url in [
            "rediss://127.0.0.1",
            "redis:///run/redis.sock",
            "postgresql://127.0.0.1?sslmode=verify-full",
            "postgresql://?host=/run/postgresql",
            "zookeeper://127.0.0.1?use_ssl=true",
        ] {
            let given = Given::new(url, &promises, Duration::from_secs(2));
            assert_eq!(given.address, None, "{url}");
        }
    }
}
