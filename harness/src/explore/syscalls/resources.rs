//! The files and places behind names. Two names may refer to one file, through a link, and one name
//! may refer to two files, one after the other.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Pid;

use crate::procfs;

/// Device and inode.
pub type FileId = (u64, u64);

/// The targets of names and descriptors at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// The files; for a symbolic link, also the link itself.
    pub files: Vec<FileId>,
    /// Folder and last component of each name, including names that do not exist yet.
    pub places: Vec<(FileId, String)>,
}

impl Resources {
    /// Looks up these names, relative to a directory.
    pub fn of_names(directory: &Path, names: &[String]) -> Self {
        let mut resources = Resources::default();
        for name in names {
            let path = directory.join(name);
            resources.add_file(fs::metadata(&path));
            resources.add_file(fs::symlink_metadata(&path));
            let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
            if let (Some(folder), Some(last)) = (folder, path.file_name()) {
                let last = last.to_string_lossy().into_owned();
                resources.places.push(((folder.dev(), folder.ino()), last));
            }
        }
        resources
    }

    /// Adds the file that a descriptor is open on, whatever its current name.
    pub fn add_descriptor(&mut self, tid: Pid, fd: i32) {
        self.add_file(procfs::descriptor_metadata(tid, fd));
    }

    fn add_file(&mut self, metadata: std::io::Result<fs::Metadata>) {
        let file = metadata.map(|metadata| (metadata.dev(), metadata.ino()));
        self.files
            .extend(file.ok().filter(|file| !self.files.contains(file)));
    }

    /// Returns `true` if both refer to one file or place, or one is a folder that contains the
    /// place of the other.
    pub fn overlap(&self, other: &Resources) -> bool {
        let contains = |one: &Resources, other: &Resources| {
            let mut folders = other.places.iter().map(|(folder, _)| folder);
            folders.any(|folder| one.files.contains(folder))
        };
        self.files.iter().any(|file| other.files.contains(file))
            || self.places.iter().any(|place| other.places.contains(place))
            || contains(self, other)
            || contains(other, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_of_a_file_and_two_ways_to_a_place_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let meant = |name: &str| Resources::of_names(at, &[name.to_owned()]);
        fs::write(at.join("a"), "").unwrap();
        fs::write(at.join("other"), "").unwrap();
        assert!(!meant("a").overlap(&meant("other")));
        assert!(!meant("a").overlap(&meant("b")));
        fs::hard_link(at.join("a"), at.join("b")).unwrap();
        assert!(meant("a").overlap(&meant("b")));
        fs::create_dir(at.join("real")).unwrap();
        std::os::unix::fs::symlink("real", at.join("link")).unwrap();
        assert!(meant("real/new").overlap(&meant("link/new")));
        assert!(!meant("real/new").overlap(&meant("link/newer")));
        assert!(meant("link").overlap(&meant("real/new")), "its folder");
        assert!(meant(".").overlap(&meant("b")));
    }
}
