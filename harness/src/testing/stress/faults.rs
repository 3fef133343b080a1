//! Faults injected into the workers of a run: at random moments derived from the seed, counted, and
//! over before the next section.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::sys::{self, Means, NotAvailable, lacks};

/// A fault injected into a worker; see [`Stress::faults`](super::Stress::faults).
///
/// Faults of files affect all files of the lock path and are the last act of a holder before its
/// release: no lock file survives being taken away by another program during a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The process is killed in the section, and another replaces it.
    Kill,
    /// The process is stopped in the section and continued some milliseconds later.
    Pause,
    /// The body panics in the section.
    Panic,
    /// The process forks in the section, and the child lives for some milliseconds.
    Fork,
    /// Signals interrupt the next acquire: bursts of one every 120 µs, with growing pauses, so that
    /// every sleep ends eventually.
    SignalStorm,
    /// The lock files are unlinked.
    Unlink,
    /// The lock files are renamed.
    Rename,
    /// The lock files are replaced by new ones.
    Replace,
    /// The lock path is removed with everything in it.
    RemoveDirectory,
    /// The process has no file descriptor left for the next acquire, which may fail.
    DescriptorLimit,
    /// The disk is full and the lock files are gone: the next acquires may fail. Injected only on a
    /// file system of at most 16 MiB or 10,000 files.
    DiskFull,
}

impl Fault {
    /// All faults.
    pub const ALL: &[Fault] = &[
        Fault::Kill,
        Fault::Pause,
        Fault::Panic,
        Fault::Fork,
        Fault::SignalStorm,
        Fault::Unlink,
        Fault::Rename,
        Fault::Replace,
        Fault::RemoveDirectory,
        Fault::DescriptorLimit,
        Fault::DiskFull,
    ];

    pub(super) fn number(self) -> usize {
        self as usize
    }

    /// The means of the system that the fault needs, if any.
    fn needs(self) -> Option<Means> {
        match self {
            Fault::Kill
            | Fault::Panic
            | Fault::Unlink
            | Fault::Rename
            | Fault::Replace
            | Fault::RemoveDirectory => None,
            Fault::Pause | Fault::SignalStorm => Some(Means::Signals),
            Fault::Fork => Some(Means::Fork),
            Fault::DescriptorLimit => Some(Means::DescriptorLimit),
            Fault::DiskFull => Some(Means::SmallDisks),
        }
    }

    /// The moment at which the fault is injected.
    pub(super) fn moment(self) -> Moment {
        match self {
            Fault::Kill | Fault::Pause | Fault::Panic | Fault::Fork => Moment::Inside,
            Fault::SignalStorm | Fault::DescriptorLimit => Moment::Before,
            Fault::Unlink
            | Fault::Rename
            | Fault::Replace
            | Fault::RemoveDirectory
            | Fault::DiskFull => Moment::After,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Fault::Kill => "kill",
            Fault::Pause => "pause",
            Fault::Panic => "panic",
            Fault::Fork => "fork",
            Fault::SignalStorm => "signal storm",
            Fault::Unlink => "unlink",
            Fault::Rename => "rename",
            Fault::Replace => "replace",
            Fault::RemoveDirectory => "remove directory",
            Fault::DescriptorLimit => "descriptor limit",
            Fault::DiskFull => "disk full",
        })
    }
}

/// The moment at which a fault is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the body requests the lock.
    Before,
    /// In the section.
    Inside,
    /// After the section, while the lock is still held.
    After,
}

/// The faults of a run, injected once in so many calls of the body.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) kinds: Vec<Fault>,
    pub(super) once_in: u64,
}

impl Faults {
    /// # Errors
    /// Returns the name of a fault that this system has no means for, and what it needs.
    pub(super) fn check(&self) -> Result<(), FaultNotAvailable> {
        let missing = |fault: &Fault| {
            let missing = lacks(fault.needs()?)?;
            Some(FaultNotAvailable {
                fault: *fault,
                missing,
            })
        };
        self.kinds.iter().find_map(missing).map_or(Ok(()), Err)
    }
}

/// A fault that this system has no means for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the fault \"{fault}\" is {missing}; leave it out of `faults`")]
pub(super) struct FaultNotAvailable {
    fault: Fault,
    missing: NotAvailable,
}

impl From<FaultNotAvailable> for io::Error {
    fn from(error: FaultNotAvailable) -> Self {
        io::Error::new(io::ErrorKind::Unsupported, error)
    }
}

/// Time for which a child forked in a section keeps its copies.
pub(super) const CHILD_STAYS: Duration = Duration::from_millis(3);

/// Removes, renames or replaces the files in `directory`.
pub(super) fn disturb_files(fault: Fault, directory: &Path, number: u64) -> io::Result<()> {
    if fault == Fault::RemoveDirectory {
        return fs::remove_dir_all(directory);
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(AWAY) || name.starts_with(FILLER) || !path.is_file() {
            continue;
        }
        // One name per fault: a file that was renamed must not come back as a replacement.
        let away = directory.join(format!(
            "{AWAY}{fault}-{}-{number}-{name}",
            std::process::id()
        ));
        let outcome = match fault {
            Fault::Rename => fs::rename(&path, &away),
            Fault::Replace => fs::write(&away, "").and_then(|()| fs::rename(&away, &path)),
            _ => fs::remove_file(&path),
        };
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

const AWAY: &str = ".away-";
const FILLER: &str = ".filler-";
const SMALL_BYTES: u64 = 16 << 20;
const SMALL_FILES: u64 = 10_000;

/// A file system that is full until the value is dropped.
#[derive(Debug)]
pub(super) struct FullDisk {
    fillers: Vec<std::path::PathBuf>,
}

impl FullDisk {
    /// Fills the file system of `directory` if it is a small one.
    pub(super) fn begin(directory: &Path) -> io::Result<Self> {
        let disk = sys::disk_size(directory)?;
        let few_files = disk.files > 0 && disk.files <= SMALL_FILES;
        if disk.bytes > SMALL_BYTES && !few_files {
            return Err(io::ErrorKind::Unsupported.into());
        }
        disturb_files(Fault::Unlink, directory, 0)?;
        let mut full = FullDisk {
            fillers: Vec::new(),
        };
        let chunk = vec![0; 1 << 20];
        for number in 0.. {
            let filler = directory.join(format!("{FILLER}{}-{number}", std::process::id()));
            full.fillers.push(filler.clone());
            let room_left = if few_files {
                fs::write(&filler, "").is_ok()
            } else {
                fs::write(&filler, &chunk).is_ok()
            };
            if !room_left {
                return Ok(full);
            }
        }
        Ok(full)
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        for filler in &self.fillers {
            let _ = fs::remove_file(filler);
        }
    }
}
