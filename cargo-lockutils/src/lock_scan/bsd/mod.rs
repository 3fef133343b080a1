//! Users of lock files on macOS and FreeBSD: record locks by fcntl(2), and who has a file open by
//! lsof(8) or fstat(1), whose output is read here and tested on every system.

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub mod system;
mod tables;
