//! The settings that a URL stands for.

use std::time::Duration;

use crate::engine::lease::Lease;
use crate::net::{Address, Tls, TlsOptions};
use crate::url::{OptionNames, ServiceUrl};

const OPTIONS: OptionNames = OptionNames {
    used: &[
        "timeout",
        "lock_timeout",
        "namespace",
        "use_ssl",
        "ca",
        "certfile",
        "keyfile",
    ],
    ignored: &[
        "command_retry",
        "connection_retry",
        "handler",
        "membership_timeout",
        "randomize_hosts",
    ],
    refused: &["hosts", "keyfile_password", "verify_certs"],
};

/// A shorter session leaves no time to renew it beside a slow request.
const SHORTEST: Duration = Duration::from_secs(1);
/// tooz's default.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Settings {
    pub(super) addresses: Vec<Address>,
    pub(super) tls: Option<Tls>,
    /// User and password, joined by a colon.
    pub(super) login: Option<String>,
    /// The time after which a session ends whose client is silent. The server may change it.
    pub(super) timeout: Duration,
    pub(super) limit: Duration,
    pub(super) namespace: String,
}

impl Settings {
    pub(super) fn of(url: &ServiceUrl) -> Result<Self, String> {
        url.check_options(OPTIONS)?;
        if !matches!(&*url.path, "" | "/") {
            return Err(format!(
                "the path {:?} has no meaning; a namespace is chosen with namespace=NAME",
                url.path
            ));
        }
        let (lease, limit) = Lease::with_default(url, SHORTEST, TIMEOUT)?;
        let addresses = Address::of_servers(url, 2181);
        let tls = TlsOptions {
            wanted: url.flag("use_ssl")?,
            how: "use_ssl=true",
            authorities: "ca",
            certificates: "certfile",
            key: "keyfile",
        };
        let login = match (&url.username, &url.password) {
            (Some(name), Some(password)) => Some(format!("{name}:{password}")),
            (None, None) => None,
            _ => {
                return Err("a user needs a password; write zookeeper://NAME:PASSWORD@host".into());
            }
        };
        let namespace = url.text("namespace").unwrap_or("tooz").trim_matches('/');
        if namespace.is_empty() {
            return Err("an empty namespace is the root; write namespace=NAME".to_owned());
        }
        Ok(Settings {
            addresses,
            tls: tls.of(url)?,
            login,
            timeout: lease.duration,
            limit,
            namespace: namespace.to_owned(),
        })
    }

    pub(super) fn address(&self) -> String {
        Address::list(&self.addresses)
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
        let settings = settings("zookeeper://").unwrap();
        assert_eq!(settings.address(), "localhost:2181");
        assert_eq!(settings.timeout, Duration::from_secs(10));
        assert_eq!(settings.namespace, "tooz");
    }

    #[test]
    fn several_servers_and_a_login() {
        let settings = settings("kazoo://me:s3cret@a:1,b?timeout=4&namespace=mine").unwrap();
        assert_eq!(settings.address(), "a:1, b:2181");
        assert_eq!(settings.login.as_deref(), Some("me:s3cret"));
        assert_eq!(settings.timeout, Duration::from_secs(4));
        assert_eq!(settings.namespace, "mine");
    }

    #[test]
    fn urls_that_would_mislead_are_refused() {
        let problem = |url| settings(url).err().unwrap();
        assert!(problem("zookeeper://h/x").contains("namespace=NAME"));
        assert!(problem("zookeeper://h?timeout=0.5").contains("too short"));
        assert!(problem("zookeeper://h?ca=f").contains("use_ssl=true"));
        assert!(problem("zookeeper://me@h").contains("NAME:PASSWORD"));
        assert!(problem("zookeeper://h?verify_certs=false").contains("not supported yet"));
    }
}
