//! macOS and FreeBSD: the end of a process by kqueue(2).

mod descriptors;
#[cfg(target_os = "freebsd")]
mod freebsd;
mod handle;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "freebsd")]
use freebsd as variant;
#[cfg(target_os = "macos")]
use macos as variant;

pub(crate) use handle::Handle;
pub(super) use handle::{Early, EarlyPair};
pub(crate) use variant::UNLIMITED;
pub(super) use variant::{inherit_nothing, limit, without_sigpipe};
