//! The file system of a path, for error messages.

use std::path::Path;

/// The type as the kernel names it (`apfs`, `zfs`, `nfs`, …; statfs(2)).
pub(crate) fn file_system_of(path: &Path) -> Option<String> {
    let system = nix::sys::statfs::statfs(path).ok()?;
    Some(system.filesystem_type_name().to_owned())
}
