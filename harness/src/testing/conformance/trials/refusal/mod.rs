//! A kernel that cannot lock, as with some file systems and sandboxes.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::refusal;
#[cfg(target_os = "linux")]
pub(super) use linux::refusal;
