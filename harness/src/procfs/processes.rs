//! Processes: all of them, the children of one, and those that belong to a directory of locks.

use std::fs;
use std::path::Path;

use nix::unistd::Pid;

use super::descriptors::{descriptor_target, descriptors};
use super::environment::environment;
use super::stat::lives;
use super::threads::threads;

/// All processes but this one.
pub fn all() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .filter(|&pid| pid != Pid::this())
}

/// The children of this process, including those that have ended and were not reaped; none without
/// the kernel's `CONFIG_PROC_CHILDREN`.
pub fn children() -> impl Iterator<Item = Pid> {
    children_of(Pid::this())
}

/// The children of any process, under the same conditions as [`children`].
pub fn children_of(process: Pid) -> impl Iterator<Item = Pid> {
    let threads = threads(process).into_iter().flatten();
    threads.flat_map(|thread| thread.children())
}

/// Variables that name the lock directory of a run.
const LOCK_PATHS: [&str; 2] = ["LOCKUTILS_DIR", "OSLO_LOCK_PATH"];

/// The living processes that were started with a lock path in `directory`.
///
/// A run may kill them if the directory is its own, since its name cannot be guessed. A process
/// that only mentions the directory, or has a file in it open, may belong to anyone.
pub fn with_lock_path_in(directory: &Path) -> Vec<Pid> {
    all()
        .filter(|&pid| lives(pid) && has_lock_path_in(pid, directory))
        .collect()
}

/// The living processes that were started with a lock path in `directory` or have a file in it
/// open: the directory must not be removed while they use it.
pub fn with_files_in(directory: &Path) -> Vec<Pid> {
    all()
        .filter(|&pid| lives(pid) && (has_lock_path_in(pid, directory) || has_open(pid, directory)))
        .collect()
}

fn has_lock_path_in(pid: Pid, directory: &Path) -> bool {
    environment(pid).is_ok_and(|environment| {
        let mut values = LOCK_PATHS.iter().flat_map(|name| environment.values(name));
        // Whole components: a directory whose name only begins in the same way is another.
        values.any(|value| Path::new(value).starts_with(directory))
    })
}

fn has_open(pid: Pid, directory: &Path) -> bool {
    let descriptors = descriptors(pid).into_iter().flatten();
    descriptors
        .filter_map(|fd| descriptor_target(pid, fd).ok())
        .any(|file| file.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::process::{Child, Command, Stdio};

    struct Sleeper(Child);

    impl Sleeper {
        fn with(name: &str, value: &Path, input: Stdio) -> Self {
            let mut command = Command::new("sleep");
            command.arg("60").env(name, value).stdin(input);
            Sleeper(command.spawn().unwrap())
        }

        fn pid(&self) -> Pid {
            Pid::from_raw(self.0.id() as i32)
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn only_a_process_with_its_lock_path_there_belongs_to_the_run() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("run");
        let longer = base.path().join("run-2");
        fs::create_dir_all(&directory).unwrap();
        let file = File::create(directory.join("log")).unwrap();
        let ours = [
            Sleeper::with("LOCKUTILS_DIR", &directory.join("contend"), Stdio::null()),
            Sleeper::with("OSLO_LOCK_PATH", &directory, Stdio::null()),
        ];
        let reader = Sleeper::with("READS", Path::new("a log"), file.into());
        let strangers = [
            Sleeper::with("LOCKUTILS_DIR", &longer, Stdio::null()),
            Sleeper::with("OLDPWD", &directory, Stdio::null()),
            Sleeper::with("MY_OSLO_LOCK_PATH", &directory, Stdio::null()),
            Sleeper::with("NOTE", &Path::new("see").join(&directory), Stdio::null()),
        ];
        let pids = |sleepers: &[Sleeper]| sleepers.iter().map(Sleeper::pid).collect::<Vec<_>>();
        let mut found = with_lock_path_in(&directory);
        found.sort();
        let mut expected = pids(&ours);
        expected.sort();
        assert_eq!(found, expected);
        let using = with_files_in(&directory);
        assert!(using.contains(&reader.pid()), "{using:?}");
        assert!(
            pids(&strangers).iter().all(|pid| !using.contains(pid)),
            "{using:?}"
        );
    }
}
