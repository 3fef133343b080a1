//! A kernel that cannot lock, as on some file systems and in some sandboxes.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::refusal;
#[cfg(target_os = "linux")]
pub(super) use linux::refusal;
