//! URLs of coordination services, with tooz's options.

mod options;
mod parse;

pub(crate) use options::OptionNames;
pub(crate) use parse::ServiceUrl;
