//! Finds the programs of an engine.

use std::path::{Path, PathBuf};

use crate::sys::program::is_executable;

/// The program with this name, in PATH or in one of these folders, whose names may contain one
/// component `*`.
pub fn find(name: &str, folders: &[String]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let beside = folders.iter().flat_map(|folder| matching(folder));
    // A folder of the engine itself has programs of one version.
    let all = beside.chain(in_path);
    all.map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

/// The folders that a pattern stands for, the last name first: that of the newest version.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once("/*/") else {
        return vec![PathBuf::from(pattern)];
    };
    let entries = Path::new(before).read_dir().into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path().join(after)).collect();
    folders.sort();
    folders.reverse();
    folders
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_path_and_in_folders() {
        assert!(find("sh", &[]).is_some());
        assert_eq!(find("no-such-program", &["/usr/*/bin".to_owned()]), None);
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("15/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink("/bin/sh", bin.join("initdb-of-test")).unwrap();
        let pattern = format!("{}/*/bin", folder.path().display());
        let found = find("initdb-of-test", &[pattern]).unwrap();
        assert!(found.starts_with(folder.path()));
    }
}
