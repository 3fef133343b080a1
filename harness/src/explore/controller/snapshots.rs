//! The files of the lock and their users, as of now. Nothing here is seen by the workers.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::Pid;

use crate::engines::{Key, ServerError};
use crate::model::{FileKind, FileSnapshot, HeldLock};
use crate::procfs;

use super::super::printable::printable;
use super::super::syscalls::is_first_thread;
use super::Controller;

/// Maximum number of files, and of folders inside each other.
const MOST_FILES: usize = 64;
const DEEPEST: usize = 4;
/// Files that are younger have not been made to look old.
const OLD: u64 = 60;
/// Number of bytes read from a file.
const READ: u64 = 256;

/// A file, by device and inode.
type Id = (u64, u64);

/// The descriptors and locks of the workers.
#[derive(Default)]
struct Users {
    /// The workers that have a file open, and a path by which it was opened.
    open: HashMap<Id, (BTreeSet<usize>, PathBuf, Metadata)>,
    /// Locks by inode: on some file systems (btrfs), the kernel names another device here.
    locks: HashMap<u64, BTreeSet<HeldLock>>,
}

impl Controller<'_> {
    /// All files of the lock: those in its directory, the named ones elsewhere, and those that
    /// workers have open. With `reads`, their contents as well.
    pub fn files_now(&self, elsewhere: &BTreeSet<String>, reads: bool) -> Vec<FileSnapshot> {
        let directory = self.files.directory();
        let mut paths = Vec::new();
        list(directory, 0, &mut paths);
        paths.extend(elsewhere.iter().map(PathBuf::from));
        paths.truncate(MOST_FILES);
        let users = self.users(elsewhere);
        let mut named = BTreeSet::new();
        let mut files = Vec::new();
        for path in paths {
            let Ok(meta) = fs::symlink_metadata(&path) else {
                continue;
            };
            named.insert(id(&meta));
            let name = name_in(&path, directory);
            let content = reads.then(|| content(&path, &meta)).flatten();
            files.push(users.file(name, false, &meta, content));
        }
        let mut nameless: Vec<FileSnapshot> = users
            .open
            .iter()
            .filter(|(id, _)| !named.contains(id))
            .map(|(_, (_, path, meta))| users.file(name_in(path, directory), true, meta, None))
            .collect();
        nameless.sort_by_key(|file| file.inode);
        files.extend(nameless);
        files
    }

    fn users(&self, elsewhere: &BTreeSet<String>) -> Users {
        let mut users = Users::default();
        let directory = self.files.directory();
        for (number, worker) in self.workers.iter().enumerate() {
            let tasks = self.tracer.tasks_of(number);
            for process in tasks.filter(|tid| !worker.zygote.contains(tid) && has_files(*tid)) {
                let Ok(infos) = procfs::descriptor_infos(process) else {
                    continue;
                };
                for (fd, info) in infos {
                    let Ok(path) = procfs::descriptor_target(process, fd) else {
                        continue;
                    };
                    let path = without_mark(path);
                    let is_ours =
                        path.starts_with(directory) || elsewhere.contains(&*path.to_string_lossy());
                    let Ok(meta) = procfs::descriptor_metadata(process, fd) else {
                        continue;
                    };
                    if is_ours && path != directory {
                        let open = users.open.entry(id(&meta));
                        let (workers, ..) =
                            open.or_insert_with(|| (BTreeSet::new(), path, meta.clone()));
                        workers.insert(number);
                    }
                    let held = info.locks.iter().filter(|line| !line.waits);
                    let held = held.map(|line| HeldLock {
                        worker: number,
                        lock: line.lock.to_string(),
                    });
                    users.locks.entry(meta.ino()).or_default().extend(held);
                }
            }
        }
        users
    }

    /// All keys of the lock on the server that the user named; `None` if it cannot list them.
    pub fn keys(&self) -> Result<Option<Vec<Key>>, ServerError> {
        self.servers.keys(&self.spawner.name)
    }
}

impl Users {
    fn file(
        &self,
        name: String,
        nameless: bool,
        meta: &Metadata,
        content: Option<String>,
    ) -> FileSnapshot {
        let open = self.open.get(&id(meta));
        let locks = self.locks.get(&meta.ino());
        FileSnapshot {
            name,
            nameless,
            kind: kind(meta),
            inode: meta.ino(),
            size: meta.len(),
            content,
            mode: format!("{:04o}", meta.permissions().mode() & 0o7777),
            age_s: age(meta).filter(|age| *age >= OLD),
            open: open.map_or_else(Vec::new, |(workers, ..)| workers.iter().copied().collect()),
            locks: locks.map_or_else(Vec::new, |locks| locks.iter().cloned().collect()),
        }
    }
}

/// Returns `true` for one thread of each process, or for more if the first one has ended: then it has
/// no descriptors any more.
fn has_files(tid: Pid) -> bool {
    is_first_thread(tid)
        || procfs::Status::of(tid).is_some_and(|status| procfs::state(status.process) == Some('Z'))
}

fn id(meta: &Metadata) -> Id {
    (meta.dev(), meta.ino())
}

fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if found.len() >= MOST_FILES {
            return;
        }
        found.push(path.clone());
        if depth < DEEPEST && path.is_dir() && !path.is_symlink() {
            list(&path, depth + 1, found);
        }
    }
}

/// A path without the mark that the kernel appends if the name is gone.
fn without_mark(path: PathBuf) -> PathBuf {
    match path.to_string_lossy().strip_suffix(" (deleted)") {
        Some(name) => name.into(),
        None => path,
    }
}

fn name_in(path: &Path, directory: &Path) -> String {
    let name = path.strip_prefix(directory).unwrap_or(path);
    printable(name.as_os_str().as_encoded_bytes(), usize::MAX)
}

fn kind(meta: &Metadata) -> FileKind {
    let kind = meta.file_type();
    match () {
        () if kind.is_file() => FileKind::File,
        () if kind.is_dir() => FileKind::Directory,
        () if kind.is_symlink() => FileKind::Symlink,
        () if kind.is_fifo() => FileKind::Fifo,
        () if kind.is_socket() => FileKind::Socket,
        () => FileKind::Other,
    }
}

fn age(meta: &Metadata) -> Option<u64> {
    Some(meta.modified().ok()?.elapsed().ok()?.as_secs())
}

/// The beginning of a file, or the target of a symbolic link.
fn content(path: &Path, meta: &Metadata) -> Option<String> {
    /// Maximum number of characters.
    const LONGEST: usize = 64;
    match kind(meta) {
        FileKind::Symlink => {
            let target = fs::read_link(path).ok()?;
            Some(printable(target.as_os_str().as_encoded_bytes(), LONGEST))
        }
        FileKind::File => {
            let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
            let open = |flags| File::options().read(true).custom_flags(flags).open(path);
            // A lock may look at the time of the last access.
            let file = open(flags | libc::O_NOATIME)
                .or_else(|_| open(flags))
                .ok()?;
            let mut bytes = Vec::new();
            file.take(READ).read_to_end(&mut bytes).ok()?;
            Some(printable(&bytes, LONGEST))
        }
        _ => None,
    }
}
