//! The file system of a path, for error messages.

use std::fs;
use std::path::Path;

use nix::sys::stat::{major, minor, stat};

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
    fn knows_proc() {
        assert_eq!(file_system_of(Path::new("/proc")).as_deref(), Some("proc"));
    }
}
