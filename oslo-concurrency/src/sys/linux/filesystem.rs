//! The file system of a path or an open file.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::stat::{major, minor, stat};
use nix::sys::statfs::{FsType, NFS_SUPER_MAGIC, fstatfs};

/// 9p, by which virtual machines and WSL share directories (linux/magic.h).
const V9FS_MAGIC: FsType = FsType(0x0102_1997);

/// Returns `true` if the lock on an open file is kept by another machine, and the kernel may sleep
/// beside a free lock: its clients of NFSv4 and 9p sleep for up to 30 s if the server does not call
/// back (`NFS4_LOCK_MAXTIMEOUT` in fs/nfs/nfs4proc.c, `P9_LOCK_TIMEOUT` in fs/9p/vfs_file.c).
pub(super) fn may_miss_wake_ups(file: impl AsFd) -> bool {
    fstatfs(file).is_ok_and(|system| is_asked_again(system.filesystem_type()))
}

fn is_asked_again(system: FsType) -> bool {
    [NFS_SUPER_MAGIC, V9FS_MAGIC].contains(&system)
}

/// The type as the kernel names it (`ext4`, `nfs4`, …; proc_pid_mountinfo(5)).
pub(crate) fn file_system_of(path: &Path) -> Option<String> {
    let device = stat(path).ok()?.st_dev;
    let device = format!("{}:{}", major(device), minor(device));
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|mount| type_if_on(mount, &device))
}

/// A line is `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG…] - TYPE SOURCE SUPER-OPTIONS`.
pub(super) fn type_if_on(mount: &str, device: &str) -> Option<String> {
    let (place, kind) = mount.split_once(" - ")?;
    (place.split(' ').nth(2)? == device).then_some(kind.split(' ').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_type_from_a_mount_line() {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        assert_eq!(type_if_on(line, "98:0").as_deref(), Some("ext3"));
        assert_eq!(type_if_on(line, "98:1"), None);
    }

    #[test]
    fn only_servers_are_asked_again() {
        // As `stat --file-system` shows them.
        assert!(is_asked_again(FsType(0x6969)));
        assert!(!is_asked_again(FsType(0xef53)), "ext4");
        let file = fs::File::open("/proc/self/stat").unwrap();
        assert!(!may_miss_wake_ups(&file));
    }

    #[test]
    fn knows_proc() {
        assert_eq!(file_system_of(Path::new("/proc")).as_deref(), Some("proc"));
    }
}
