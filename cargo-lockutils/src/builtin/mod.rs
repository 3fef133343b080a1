//! Workers of the built-in locks: ours and the system's.

mod kernel;
mod oslo;

use std::io;
use std::path::PathBuf;

use clap::ValueEnum;
use lockutils_harness::protocol::Capability;
use lockutils_harness::protocol::serve::serve;

/// A built-in lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Builtin {
    /// External locks of oslo-concurrency
    Oslo,
    /// The same with `fair`: first come, first served
    OsloFair,
    /// flock(2); never removes its file
    #[cfg(unix)]
    Flock,
    /// POSIX record locks, fcntl(2) F_SETLKW; never removes its file
    #[cfg(unix)]
    Fcntl,
    /// Open file description locks, fcntl(2) F_OFD_SETLKW; never removes its file
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    Ofd,
    /// LockFileEx on the whole file, as std's `File::lock` calls it; the file stays
    #[cfg(windows)]
    Lockfileex,
}

impl Builtin {
    /// The name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Builtin::Oslo => "oslo",
            Builtin::OsloFair => "oslo-fair",
            #[cfg(unix)]
            Builtin::Flock => "flock",
            #[cfg(unix)]
            Builtin::Fcntl => "fcntl",
            #[cfg(any(target_os = "linux", target_os = "macos"))]
            Builtin::Ofd => "ofd",
            #[cfg(windows)]
            Builtin::Lockfileex => "lockfileex",
        }
    }
}

/// Runs a worker of this lock, which serves the line protocol.
pub fn work(lock: Builtin) -> io::Result<()> {
    let variable =
        |name| std::env::var(name).map_err(|_| io::Error::other(format!("{name} is not set")));
    let (directory, name) = (
        PathBuf::from(variable("LOCKUTILS_DIR")?),
        variable("LOCKUTILS_NAME")?,
    );
    let path = directory.join(&name);
    let call = match lock {
        Builtin::Oslo | Builtin::OsloFair => {
            let fair = lock == Builtin::OsloFair;
            return serve(&of_ours(), move |_| {
                oslo::Oslo::new(&directory, &name, fair)
            });
        }
        #[cfg(unix)]
        Builtin::Flock => kernel::Call::Flock,
        #[cfg(unix)]
        Builtin::Fcntl => kernel::Call::Posix,
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        Builtin::Ofd => kernel::Call::Ofd,
        #[cfg(windows)]
        Builtin::Lockfileex => kernel::Call::LockFileEx,
    };
    serve(kernel::CAPABILITIES, move |_| kernel::Raw::new(&path, call))
}

/// Capabilities of the worker of our own locks.
fn of_ours() -> Vec<Capability> {
    use Capability::{Fork, Remove, Reopen, Threads, Timeout};
    let mut offered = vec![Threads, Timeout, Remove, Reopen];
    if kernel::FORKS {
        offered.push(Fork);
    }
    offered
}
