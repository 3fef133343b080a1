//! The settings that a URL stands for.

use std::path::PathBuf;
use std::time::Duration;

use redis::{ProtocolVersion, RedisConnectionInfo};

use crate::engine::lease::Lease;
use crate::net::{Address, Tls, TlsOptions};
use crate::url::{OptionNames, ServiceUrl};

const OPTIONS: OptionNames = OptionNames {
    used: &[
        "timeout",
        "lock_timeout",
        "socket_timeout",
        "socket_connect_timeout",
        "namespace",
        "db",
        "ssl",
        "ssl_ca_certs",
        "ssl_certfile",
        "ssl_keyfile",
    ],
    ignored: &[
        "encoding",
        "health_check_interval",
        "membership_timeout",
        "retry_on_timeout",
        "socket_keepalive",
    ],
    refused: &[
        "sentinel",
        "sentinel_fallback",
        "sentinel_password",
        "sentinel_ssl",
        "sentinel_username",
    ],
};

/// Shorter leases leave no time to renew them on a loaded machine.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);

pub(super) struct Settings {
    pub(super) address: Address,
    pub(super) tls: Option<Tls>,
    pub(super) login: RedisConnectionInfo,
    pub(super) lease: Lease,
    pub(super) namespace: String,
    pub(super) connect_limit: Duration,
    pub(super) request_limit: Duration,
}

impl Settings {
    pub(super) fn of(url: &ServiceUrl) -> Result<Self, String> {
        url.check_options(OPTIONS)?;
        let (lease, timeout) = Lease::of(url, SHORTEST_LEASE)?;
        let limit = |name| -> Result<Duration, String> {
            let limit = url.seconds(name)?.unwrap_or(timeout);
            Ok(limit.min(lease.request_limit()))
        };
        let address = address(url)?;
        let tls = TlsOptions {
            wanted: url.scheme == "rediss" || url.flag("ssl")?,
            how: "ssl=true or rediss://",
            authorities: "ssl_ca_certs",
            certificates: "ssl_certfile",
            key: "ssl_keyfile",
        }
        .of(url)?;
        if tls.is_some() && matches!(address, Address::Unix(_)) {
            return Err("TLS is for TCP, and this URL names a socket file".to_owned());
        }
        let mut login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2);
        if let Some(name) = &url.username {
            login = login.set_username(name);
        }
        if let Some(password) = &url.password {
            login = login.set_password(password);
        }
        if let Some(number) = url.text("db") {
            let number = number
                .parse()
                .map_err(|_| format!("db={number} is no database; write a number, as in db=0"))?;
            login = login.set_db(number);
        }
        Ok(Settings {
            address,
            tls,
            login,
            lease,
            namespace: url.text("namespace").unwrap_or("_tooz").to_owned(),
            connect_limit: limit("socket_connect_timeout")?,
            request_limit: limit("socket_timeout")?,
        })
    }
}

fn address(url: &ServiceUrl) -> Result<Address, String> {
    match url.endpoints.as_slice() {
        [] if url.path.is_empty() => Ok(Address::Tcp {
            host: "localhost".to_owned(),
            port: 6379,
        }),
        [] => Ok(Address::Unix(PathBuf::from(&url.path))),
        [_] if !matches!(&*url.path, "" | "/") => Err(format!(
            "the path {:?} has no meaning; a database is chosen with db=NUMBER",
            url.path
        )),
        [endpoint] => Ok(Address::Tcp {
            host: endpoint.host.clone(),
            port: endpoint.port.unwrap_or(6379),
        }),
        _ => Err("a lock on several Redis servers is no lock; name one".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Result<Settings, String> {
        Settings::of(&ServiceUrl::parse(url).unwrap())
    }

    #[test]
    fn the_defaults_are_those_of_tooz() {
        let settings = settings("redis://").unwrap();
        assert_eq!(settings.address.to_string(), "localhost:6379");
        assert_eq!(settings.lease.duration, Duration::from_secs(30));
        assert_eq!(settings.namespace, "_tooz");
        // Shorter than what is left of the lease when it is renewed.
        assert_eq!(settings.request_limit, Duration::from_millis(7500));
    }

    #[test]
    fn a_timeout_is_a_lease_unless_that_is_given() {
        let lease = |query: &str| {
            settings(&format!("redis://h?{query}"))
                .unwrap()
                .lease
                .duration
        };
        assert_eq!(lease("timeout=5"), Duration::from_secs(5));
        assert_eq!(lease("timeout=5&lock_timeout=60"), Duration::from_secs(60));
        let settings = settings("redis://h?lock_timeout=60&socket_timeout=2&db=3").unwrap();
        assert_eq!(settings.request_limit, Duration::from_secs(2));
        assert_eq!(settings.login.db(), 3);
    }

    #[test]
    fn urls_that_would_mislead_are_refused() {
        let problem = |url| settings(url).err().unwrap();
        assert!(problem("redis://h/1").contains("db=NUMBER"));
        assert!(problem("redis://a,b").contains("name one"));
        assert!(problem("redis://h?lock_timeout=0.01").contains("too short"));
        assert!(problem("redis://h?sentinel=m").contains("not supported yet"));
        assert!(problem("redis://h?ssl_ca_certs=f").contains("rediss://"));
        assert!(problem("redis://h?lock-timeout=3").contains("did you mean `lock_timeout`?"));
        assert!(problem("redis://h?db=x").contains("db=0"));
        assert!(problem("redis:///run/redis.sock?ssl=true").contains("socket file"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn files_that_cannot_be_read_are_named() {
        let problem = settings("rediss://h?ssl_ca_certs=/nonexistent")
            .err()
            .unwrap();
        assert!(problem.contains("/nonexistent"), "{problem}");
    }
}
