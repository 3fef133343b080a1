//! The settings that a URL stands for.

use std::time::Duration;

use crate::engine::lease::Lease;
use crate::net::{Address, Tls, TlsOptions};
use crate::url::{OptionNames, ServiceUrl};

const OPTIONS: OptionNames = OptionNames {
    used: &[
        "timeout",
        "lock_timeout",
        "api_version",
        "ca_cert",
        "cert_cert",
        "cert_key",
    ],
    ignored: &["membership_timeout"],
    refused: &[],
};

/// etcd counts leases in seconds.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

pub(super) struct Settings {
    pub(super) addresses: Vec<Address>,
    /// The value of the header.
    pub(super) host: String,
    pub(super) tls: Option<Tls>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) api: String,
    pub(super) lease: Lease,
    pub(super) connect_limit: Duration,
    pub(super) request_limit: Duration,
}

impl Settings {
    pub(super) fn of(url: &ServiceUrl) -> Result<Self, String> {
        url.check_options(OPTIONS)?;
        if !matches!(&*url.path, "" | "/") {
            return Err(format!("the path {:?} has no meaning; remove it", url.path));
        }
        let (lease, timeout) = Lease::of(url, SHORTEST_LEASE)?;
        let limit = timeout.min(lease.request_limit());
        let addresses = Address::of_servers(url, 2379);
        let tls = TlsOptions {
            wanted: url.scheme == "etcd3+https",
            how: "etcd3+https://",
            authorities: "ca_cert",
            certificates: "cert_cert",
            key: "cert_key",
        };
        Ok(Settings {
            host: addresses[0].to_string(),
            addresses,
            tls: tls.of(url)?,
            username: url.username.clone(),
            password: url.password.clone(),
            api: url.text("api_version").unwrap_or("v3").to_owned(),
            lease,
            connect_limit: limit,
            request_limit: limit,
        })
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
        let settings = settings("etcd3+http://").unwrap();
        assert_eq!(settings.host, "localhost:2379");
        assert_eq!(settings.lease.duration, Duration::from_secs(30));
        assert_eq!(settings.api, "v3");
    }

    #[test]
    fn several_servers_are_one_service() {
        let settings = settings("etcd3+http://a:1,b?lock_timeout=4&timeout=3").unwrap();
        assert_eq!(settings.addresses.len(), 2);
        assert_eq!(settings.addresses[1].to_string(), "b:2379");
        assert_eq!(settings.request_limit, Duration::from_secs(1));
    }

    #[test]
    fn urls_that_would_mislead_are_refused() {
        let problem = |url| settings(url).err().unwrap();
        assert!(problem("etcd3+http://h/x").contains("remove it"));
        assert!(problem("etcd3+http://h?lock_timeout=0.5").contains("too short"));
        assert!(problem("etcd3+http://h?ca_certs=f").contains("did you mean `ca_cert`?"));
        assert!(problem("etcd3+http://h?ca_cert=f").contains("etcd3+https://"));
    }
}
