//! Workers of the built-in locks: ours and the kernel's three.

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
    Flock,
    /// POSIX record locks, fcntl(2) F_SETLKW; never removes its file
    Fcntl,
    /// Open file description locks, fcntl(2) F_OFD_SETLKW; never removes its file
    Ofd,
}

impl Builtin {
    /// The name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Builtin::Oslo => "oslo",
            Builtin::OsloFair => "oslo-fair",
            Builtin::Flock => "flock",
            Builtin::Fcntl => "fcntl",
            Builtin::Ofd => "ofd",
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
    use Capability::{Fork, Remove, Reopen, Threads, Timeout};
    let path = directory.join(&name);
    let raw = [Threads, Fork, Reopen];
    match lock {
        Builtin::Oslo | Builtin::OsloFair => {
            let fair = lock == Builtin::OsloFair;
            serve(&[Threads, Timeout, Remove, Fork, Reopen], move |_| {
                oslo::Oslo::new(&directory, &name, fair)
            })
        }
        Builtin::Flock => serve(&raw, move |_| kernel::Raw::new(&path, kernel::Call::Flock)),
        Builtin::Fcntl => serve(&raw, move |_| kernel::Raw::new(&path, kernel::Call::Posix)),
        Builtin::Ofd => serve(&raw, move |_| kernel::Raw::new(&path, kernel::Call::Ofd)),
    }
}
