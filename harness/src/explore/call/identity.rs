//! Which file a name means: two names may mean one, by a link, and one name two, one after the other.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Pid;

/// Device and inode.
pub type File = (u64, u64);

/// What names mean at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The files, and where a name is a symbolic link, the link as well.
    pub files: Vec<File>,
    /// The places of names in their folders, also of those that mean nothing yet.
    pub places: Vec<(File, String)>,
}

impl Identity {
    /// Of these names, relative to a directory.
    pub fn of_names(directory: &Path, names: &[String]) -> Self {
        let mut identity = Identity::default();
        for name in names {
            let path = directory.join(name);
            identity.add_file(fs::metadata(&path));
            identity.add_file(fs::symlink_metadata(&path));
            let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
            if let (Some(folder), Some(last)) = (folder, path.file_name()) {
                let last = last.to_string_lossy().into_owned();
                identity.places.push(((folder.dev(), folder.ino()), last));
            }
        }
        identity
    }

    /// The file that a descriptor is open on, whatever its name is by now.
    pub fn add_descriptor(&mut self, tid: Pid, fd: i32) {
        self.add_file(fs::metadata(format!("/proc/{tid}/fd/{fd}")));
    }

    fn add_file(&mut self, metadata: std::io::Result<fs::Metadata>) {
        let file = metadata.map(|metadata| (metadata.dev(), metadata.ino()));
        self.files
            .extend(file.ok().filter(|file| !self.files.contains(file)));
    }

    /// Whether both mean one file or one place, or one means a folder in which the other has its place.
    pub fn overlaps(&self, other: &Identity) -> bool {
        let contains = |one: &Identity, other: &Identity| {
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
        let meant = |name: &str| Identity::of_names(at, &[name.to_owned()]);
        fs::write(at.join("a"), "").unwrap();
        fs::write(at.join("other"), "").unwrap();
        assert!(!meant("a").overlaps(&meant("other")));
        assert!(!meant("a").overlaps(&meant("b")));
        fs::hard_link(at.join("a"), at.join("b")).unwrap();
        assert!(meant("a").overlaps(&meant("b")));
        fs::create_dir(at.join("real")).unwrap();
        std::os::unix::fs::symlink("real", at.join("link")).unwrap();
        assert!(meant("real/new").overlaps(&meant("link/new")));
        assert!(!meant("real/new").overlaps(&meant("link/newer")));
        assert!(meant("link").overlaps(&meant("real/new")), "its folder");
        assert!(meant(".").overlaps(&meant("b")));
    }
}
