//! Unix: fork, exec, process groups and signals.

#[cfg(not(target_os = "linux"))]
mod bsd;
mod child;
mod communicate;
mod limits;
#[cfg(target_os = "linux")]
mod linux;
mod poll;
mod running;
#[cfg(not(target_os = "macos"))]
mod sigpipe;
#[cfg(feature = "ssh")]
pub(crate) mod socket;

use nix::sys::signal::Signal;

#[cfg(not(target_os = "linux"))]
use bsd as system;
#[cfg(target_os = "linux")]
use linux as system;

use super::types::Asked;

pub(super) use running::Running;
pub(super) use system::{Handle, UNLIMITED};

pub(super) fn unavailable(_: &Asked<'_>) -> Option<(&'static str, &'static str)> {
    None
}

pub(super) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

pub(super) fn signal_name(signal: i32) -> Option<&'static str> {
    Some(Signal::try_from(signal).ok()?.as_str())
}

#[cfg(feature = "ssh")]
pub(super) fn signal_number(name: &str) -> Option<i32> {
    Some(name.parse::<Signal>().ok()? as i32)
}
