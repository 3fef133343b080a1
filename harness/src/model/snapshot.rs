//! The state of a lock and its workers between two steps of a counterexample.

use serde::{Deserialize, Serialize};

/// The workers, and what is left of the lock for others to see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The workers, in the order of their numbers.
    pub workers: Vec<WorkerSnapshot>,
    /// The files in the lock's directory, and others that the steps name.
    pub files: Vec<FileSnapshot>,
    /// The keys or sessions on the server; `None` if there is no server that can list them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<KeySnapshot>>,
}

/// The state of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerSnapshot {
    /// The part of its work.
    pub phase: Phase,
    /// `true` once its lease on the server has run out, until it gets a new one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lease_over: bool,
    /// `true` once its wrapper was killed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub wrapper_killed: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The part of its work in which a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Between two commands.
    Idle,
    /// Has requested the lock.
    Acquiring,
    /// The same, and it cannot go on before another worker does.
    Waiting,
    /// In the section.
    Inside,
    /// Releases the lock.
    Releasing,
    /// Removes the files of the lock.
    Removing,
    /// Exits on command.
    Leaving,
    /// Has done all that it was to do.
    Finished,
    /// Was killed.
    Dead,
}

/// A file of the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSnapshot {
    /// Its name, relative to the lock's directory if it is there.
    pub name: String,
    /// `true` if it no longer has the name, or any, and a worker still has it open.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nameless: bool,
    /// Its kind.
    pub kind: FileKind,
    /// Its inode.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The beginning of its content, or the target of a symbolic link, with control characters
    /// escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Its permissions in octal.
    pub mode: String,
    /// Time since its last change in seconds, if it is at least a minute: files of the dead are made
    /// to look old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    /// The workers that have it open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<usize>,
    /// The kernel's locks on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<HeldLock>,
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    Fifo,
    Socket,
    Other,
}

/// A kernel lock on a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldLock {
    /// Its holder.
    pub worker: usize,
    /// Its kind and mode, such as `flock exclusive`.
    pub lock: String,
}

/// A key or a session on a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeySnapshot {
    /// Its name.
    pub name: String,
    /// The beginning of its value, or the locks of a session.
    pub value: String,
    /// Time until it runs out, in seconds, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_s: Option<u64>,
    /// The worker whose lease it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<usize>,
}
