//! Open file descriptors of processes.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::locks::LockLine;

/// Contents of `fdinfo` of one descriptor (proc_pid_fdinfo(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescriptorInfo {
    /// Inode of the open file, since Linux 5.14.
    pub inode: Option<u64>,
    /// Locks that were taken through the descriptor.
    pub locks: Vec<LockLine>,
}

impl DescriptorInfo {
    /// The contents of a file in `fdinfo`.
    pub fn parse(text: &str) -> Self {
        let inode = |line: &str| line.strip_prefix("ino:")?.trim().parse().ok();
        let lock = |line: &str| LockLine::parse(line.strip_prefix("lock:")?);
        DescriptorInfo {
            inode: text.lines().find_map(inode),
            locks: text.lines().filter_map(lock).collect(),
        }
    }
}

/// The open descriptors of a process, each with its `fdinfo`.
///
/// # Errors
/// Returns an error if the process is gone or belongs to another user.
pub fn descriptor_infos(pid: Pid) -> io::Result<impl Iterator<Item = (i32, DescriptorInfo)>> {
    let folder = format!("/proc/{pid}/fdinfo");
    Ok(numbers(&folder)?.filter_map(move |fd| {
        let text = fs::read_to_string(format!("{folder}/{fd}")).ok()?;
        Some((fd, DescriptorInfo::parse(&text)))
    }))
}

/// The open descriptors of a process.
///
/// # Errors
/// Returns an error if the process is gone or belongs to another user.
pub fn descriptors(pid: Pid) -> io::Result<impl Iterator<Item = i32>> {
    numbers(&format!("/proc/{pid}/fd"))
}

/// The open descriptors of this process, including the one with which they are listed.
///
/// # Errors
/// Returns an error if `/proc` is not mounted.
pub fn own_descriptors() -> io::Result<Vec<i32>> {
    numbers("/proc/self/fd").map(Iterator::collect)
}

fn numbers(folder: &str) -> io::Result<impl Iterator<Item = i32> + use<>> {
    Ok(fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// The path of the file that a descriptor is open on, as the kernel shows it: followed by
/// ` (deleted)` if its name is gone.
///
/// # Errors
/// Returns an error if the process or the descriptor is gone, or the process belongs to another
/// user.
pub fn descriptor_target(pid: Pid, fd: i32) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/fd/{fd}"))
}

/// The metadata of the file that a descriptor is open on, whatever its current name.
///
/// # Errors
/// Returns an error if the process or the descriptor is gone, or the process belongs to another
/// user.
pub fn descriptor_metadata(pid: Pid, fd: i32) -> io::Result<Metadata> {
    fs::metadata(format!("/proc/{pid}/fd/{fd}"))
}

/// The descriptor that a path such as `/proc/self/fd/3` or `/dev/fd/3` names when `pid` uses it.
pub fn descriptor_number(pid: Pid, path: &Path) -> Option<i32> {
    let own = format!("/proc/{pid}/fd");
    let folders = ["/proc/self/fd", "/proc/thread-self/fd", "/dev/fd", &own];
    folders
        .iter()
        .find_map(|folder| path.strip_prefix(folder).ok()?.to_str()?.parse().ok())
}

/// The current directory of a process.
///
/// # Errors
/// Returns an error if the process is gone or belongs to another user.
pub fn working_directory(pid: Pid) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_shows_its_inode_and_its_locks() {
        let text = "pos:\t0\nflags:\t02\nino:\t1234\n\
                    lock:\t1: FLOCK  ADVISORY  WRITE 4711 fe:01:1234 0 EOF\n";
        let info = DescriptorInfo::parse(text);
        assert_eq!((info.inode, info.locks.len()), (Some(1234), 1));
        assert_eq!(info.locks[0].lock.to_string(), "flock exclusive");
        assert_eq!(DescriptorInfo::parse("pos:\t0"), DescriptorInfo::default());
    }

    #[test]
    fn our_own_descriptor_is_found_by_each_of_its_names() {
        let pid = Pid::this();
        let own = format!("/proc/{pid}/fd/3");
        for path in [
            "/proc/self/fd/3",
            "/proc/thread-self/fd/3",
            "/dev/fd/3",
            &own,
        ] {
            assert_eq!(descriptor_number(pid, Path::new(path)), Some(3), "{path}");
        }
        for path in ["/proc/1/fd/3x", "/proc/self/fd", "/dev/fd/x", "fd/3"] {
            assert_eq!(descriptor_number(pid, Path::new(path)), None, "{path}");
        }
    }
}
