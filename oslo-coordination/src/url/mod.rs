//! URLs of coordination services, with tooz's options.

mod options;
mod parse;

pub(crate) use options::OptionNames;
#[cfg(any(feature = "etcd", feature = "zookeeper"))]
pub(crate) use parse::Endpoint;
pub(crate) use parse::ServiceUrl;
