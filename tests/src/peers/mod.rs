//! Locks of other crates, unchanged; the trials find out what each promises.

mod fd_lock;
mod file_guard;
mod fslock;
mod named_lock;
mod std_file;

pub use fd_lock::FdLock;
pub use file_guard::FileGuard;
pub use fslock::Fslock;
pub use named_lock::Named;
pub use std_file::StdFile;

use std::fs::File;
use std::io;
use std::path::Path;

/// The lock file, opened as in the examples of these crates.
fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}
