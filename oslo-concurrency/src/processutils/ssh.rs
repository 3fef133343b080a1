//! Commands on other hosts.
