//! The engine of each scheme.

use super::contract::{ConnectError, Engine};
use crate::url::ServiceUrl;

/// All schemes, each with the feature that it needs.
const SCHEMES: [(&str, Option<&str>); 8] = [
    ("file", None),
    ("etcd3+http", Some("etcd")),
    ("etcd3+https", Some("etcd")),
    ("postgresql", Some("postgres")),
    ("redis", Some("redis")),
    ("rediss", Some("redis")),
    ("zookeeper", Some("zookeeper")),
    ("kazoo", Some("zookeeper")),
];

/// Connects to the service of the URL.
///
/// # Errors
/// Returns an error if the URL is wrong or the service cannot be reached.
pub(crate) async fn connect(url: &ServiceUrl) -> Result<Box<dyn Engine>, ConnectError> {
    match url.scheme.as_str() {
        "file" => Ok(Box::new(super::file::FileEngine::open(url)?)),
        #[cfg(feature = "etcd")]
        "etcd3+http" | "etcd3+https" => Ok(Box::new(super::etcd::EtcdEngine::connect(url).await?)),
        #[cfg(feature = "postgres")]
        "postgresql" => Ok(Box::new(
            super::postgres::PostgresEngine::connect(url).await?,
        )),
        #[cfg(feature = "redis")]
        "redis" | "rediss" => Ok(Box::new(super::redis::RedisEngine::connect(url).await?)),
        #[cfg(feature = "zookeeper")]
        "zookeeper" | "kazoo" => Ok(Box::new(
            super::zookeeper::ZookeeperEngine::connect(url).await?,
        )),
        other => Err(ConnectError::Url(unknown(other))),
    }
}

/// The problem with a scheme that no engine of this build has.
pub(crate) fn unknown(scheme: &str) -> String {
    let known = SCHEMES.iter().find(|(known, _)| *known == scheme);
    if let Some((_, Some(feature))) = known {
        return format!("{scheme}:// needs the feature `{feature}` of oslo-coordination");
    }
    let schemes: Vec<String> = SCHEMES
        .iter()
        .map(|(name, _)| format!("{name}://"))
        .collect();
    format!(
        "there is no engine for {scheme}://; there are {}",
        schemes.join(", ")
    )
}
