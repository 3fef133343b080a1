//! The settings that a URL stands for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::key::Keys;
use crate::engine::lease::Lease;
use crate::net::{Address, Tls, TlsOptions};
use crate::url::{OptionNames, ServiceUrl};

const OPTIONS: OptionNames = OptionNames {
    used: &[
        "timeout",
        "lock_timeout",
        "host",
        "port",
        "dbname",
        "tokens",
        "tooz",
        "waiters",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
    ],
    ignored: &["membership_timeout"],
    refused: &[
        "target_session_attrs",
        "options",
        "service",
        "sslnegotiation",
    ],
};

/// A shorter lease leaves no time to renew it beside a slow request.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
/// The server has 100 connections by default.
const WAITERS: usize = 8;

pub(super) struct Settings {
    pub(super) servers: Vec<Server>,
    pub(super) tls: Option<Tls>,
    login: Config,
    pub(super) lease: Lease,
    pub(super) keys: Keys,
    pub(super) tokens: bool,
    pub(super) waiters: usize,
    pub(super) connect_limit: Duration,
    pub(super) request_limit: Duration,
}

pub(super) struct Server {
    pub(super) address: Address,
    /// The name in its certificate.
    pub(super) host: String,
}

impl Settings {
    pub(super) fn of(url: &ServiceUrl) -> Result<Self, String> {
        url.check_options(OPTIONS)?;
        let (lease, timeout) = Lease::of(url, SHORTEST_LEASE)?;
        let limit = timeout.min(lease.request_limit());
        let servers = servers(url)?;
        let tls = TlsOptions {
            wanted: verifies(url)?,
            how: "sslmode=verify-full",
            authorities: "sslrootcert",
            certificates: "sslcert",
            key: "sslkey",
        }
        .of(url)?;
        let is_socket = |server: &Server| matches!(server.address, Address::Unix(_));
        if tls.is_some() && servers.iter().any(is_socket) {
            return Err("TLS is for TCP, and this URL names a socket file".to_owned());
        }
        let keys = match url.flag("tooz")? {
            true => Keys::Tooz,
            false => Keys::Wide,
        };
        let tokens = url.text("tokens").is_none() || url.flag("tokens")?;
        let waiters = match url.text("waiters") {
            None => WAITERS,
            Some(number) => number.parse().map_err(|_| {
                format!("waiters={number} is no number of sessions; write waiters={WAITERS}")
            })?,
        };
        Ok(Settings {
            servers,
            login: login(url, tls.is_some()),
            tls,
            lease,
            keys,
            tokens,
            waiters,
            connect_limit: limit,
            request_limit: limit,
        })
    }

    pub(super) fn address(&self) -> String {
        Address::list(self.servers.iter().map(|server| &server.address))
    }

    /// A value that tells the settings of a session from those of others.
    pub(super) fn session(&self, number: u64) -> String {
        format!("{}-{number}", std::process::id())
    }

    /// The login of a session, with its settings. A pooler that does not know them refuses it.
    pub(super) fn login(&self, number: u64) -> Config {
        let settings = [
            // The end of the lease.
            (
                "idle_session_timeout",
                self.lease.duration.as_millis().to_string(),
            ),
            ("oslo_coordination.session", self.session(number)),
            // A wait has no end, and a token survives a crash.
            ("statement_timeout", "0".to_owned()),
            ("lock_timeout", "0".to_owned()),
            ("synchronous_commit", "on".to_owned()),
        ];
        let options = settings.map(|(name, value)| format!("-c {name}={value}"));
        let mut login = self.login.clone();
        login.options(options.join(" "));
        login
    }
}

fn login(url: &ServiceUrl, tls: bool) -> Config {
    let mut login = Config::new();
    login.application_name("oslo-coordination");
    login.ssl_mode(if tls {
        SslMode::Require
    } else {
        SslMode::Disable
    });
    if let Some(name) = &url.username {
        login.user(name);
    }
    if let Some(password) = &url.password {
        login.password(password);
    }
    let path = url.path.strip_prefix('/').unwrap_or(&url.path);
    if let Some(name) = url
        .text("dbname")
        .or(Some(path).filter(|path| !path.is_empty()))
    {
        login.dbname(name);
    }
    login
}

/// Returns `true` if the server must prove who it is. libpq's other modes only seem to protect.
fn verifies(url: &ServiceUrl) -> Result<bool, String> {
    match url.text("sslmode") {
        None | Some("disable") => Ok(false),
        Some("verify-full") => Ok(true),
        Some(mode @ ("allow" | "prefer" | "require" | "verify-ca")) => Err(format!(
            "sslmode={mode} accepts servers that cannot prove who they are; write \
             sslmode=verify-full, or sslmode=disable"
        )),
        Some(mode) => Err(format!(
            "there is no sslmode={mode}; write sslmode=verify-full, or sslmode=disable"
        )),
    }
}

/// The servers of the URL. As with libpq, a host that begins with a slash is the folder of a socket.
fn servers(url: &ServiceUrl) -> Result<Vec<Server>, String> {
    let port = match url.text("port") {
        None => None,
        Some(port) => Some(
            port.parse()
                .map_err(|_| format!("port={port} is no port; write a number up to 65535"))?,
        ),
    };
    let mut hosts: Vec<(String, Option<u16>)> = url
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.host.clone(), endpoint.port))
        .collect();
    if let Some(host) = url.text("host") {
        let own = hosts.first().and_then(|(_, port)| *port);
        hosts = vec![(host.to_owned(), own)];
    }
    if hosts.is_empty() {
        hosts.push(("localhost".to_owned(), None));
    }
    let server = |(host, own): (String, Option<u16>)| {
        let port = port.or(own).unwrap_or(5432);
        let folder = Path::new(&host);
        let address = match host.starts_with('/') {
            true => Address::Unix(PathBuf::from(folder).join(format!(".s.PGSQL.{port}"))),
            false => Address::Tcp {
                host: host.clone(),
                port,
            },
        };
        Server { address, host }
    };
    Ok(hosts.into_iter().map(server).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Result<Settings, String> {
        Settings::of(&ServiceUrl::parse(url).unwrap())
    }

    #[test]
    fn the_parts_of_a_url() {
        let all = settings("postgresql://me:p%40ss@a:1,b/locks?lock_timeout=4&tooz=1").unwrap();
        assert_eq!(all.address(), "a:1, b:5432");
        assert_eq!(all.lease.duration, Duration::from_secs(4));
        assert_eq!(all.request_limit, Duration::from_secs(1));
        assert_eq!((all.keys, all.tokens), (Keys::Tooz, true));
        let login = all.login(7);
        assert_eq!(login.get_user(), Some("me"));
        assert_eq!(login.get_dbname(), Some("locks"));
        assert!(
            login
                .get_options()
                .unwrap()
                .contains("idle_session_timeout=4000")
        );
        let options = settings("postgresql://?host=/run/postgresql&port=7&dbname=x&tokens=false");
        let options = options.unwrap();
        assert_eq!(options.address(), "/run/postgresql/.s.PGSQL.7");
        assert_eq!(options.login(0).get_dbname(), Some("x"));
        assert!(!options.tokens);
        assert_eq!(
            settings("postgresql://").unwrap().address(),
            "localhost:5432"
        );
    }

    #[test]
    fn urls_that_would_mislead_are_refused() {
        let problem = |url| settings(url).err().unwrap();
        assert!(problem("postgresql://h?sslmode=require").contains("sslmode=verify-full"));
        assert!(problem("postgresql://h?sslrootcert=f").contains("sslmode=verify-full"));
        assert!(problem("postgresql://h?lock_timeout=0.5").contains("too short"));
        assert!(problem("postgresql://h?database=x").contains("dbname"));
        assert!(problem("postgresql://h?waiters=many").contains("waiters=8"));
        assert!(problem("postgresql://h?port=x").contains("up to 65535"));
    }
}
