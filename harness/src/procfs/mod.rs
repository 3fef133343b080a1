//! What /proc tells of other processes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::Pid;

/// So much of a command line is told.
pub const LONGEST: usize = 60;

/// Every process there is, ourselves left out.
pub fn all() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .filter(|&pid| pid != Pid::this())
}

/// The process's command line, shortened, or its name in brackets if it has none.
pub fn command(pid: Pid) -> String {
    shorten(&command_line(pid), LONGEST)
}

/// The process's whole command line, or its name in brackets if it has none.
pub fn command_line(pid: Pid) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<String> = line
        .split(|&byte| byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    if words.is_empty() {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        return format!("[{}]", name.trim());
    }
    words.join(" ")
}

/// The state of a process or thread, a letter (proc_pid_stat(5)); nothing if there is none.
pub(crate) fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// Whether it lives: a process that nobody has reaped yet does not.
pub(crate) fn lives(pid: Pid) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Our children, those that have ended and were not waited for among them; none if the kernel does not tell (`CONFIG_PROC_CHILDREN`).
pub fn children() -> impl Iterator<Item = Pid> {
    children_of(Pid::this())
}

/// The same of any process.
pub(crate) fn children_of(process: Pid) -> impl Iterator<Item = Pid> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    tasks
        .into_iter()
        .flatten()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|line| {
            let pids = line.split_whitespace().map(str::parse);
            pids.filter_map(Result::ok)
                .map(Pid::from_raw)
                .collect::<Vec<_>>()
        })
}

/// The living processes of a group.
pub fn of_group(group: Pid) -> Vec<Pid> {
    all()
        .filter(|&pid| nix::unistd::getpgid(Some(pid)) == Ok(group) && lives(pid))
        .collect()
}

/// The variables by which a process that we start is told where the locks of a run are.
const TOLD_BY: [&str; 2] = ["LOCKUTILS_DIR", "OSLO_LOCK_PATH"];

/// The living processes that were told to keep their locks in `directory` or below it: what a run may end, if the directory is its own, whose name
/// nobody can guess. That a process mentions the directory, or has a file of it open, makes it nobody's worker.
pub fn that_were_given(directory: &Path) -> Vec<Pid> {
    all()
        .filter(|&pid| lives(pid) && was_given(pid, directory))
        .collect()
}

/// The same, and those that have a file of the directory open. They are not to be ended, but it must not be taken away from them.
pub fn that_use(directory: &Path) -> Vec<Pid> {
    all()
        .filter(|&pid| lives(pid) && (was_given(pid, directory) || has_open(pid, directory)))
        .collect()
}

fn was_given(pid: Pid, directory: &Path) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|entry| {
        TOLD_BY.iter().any(|name| {
            let value = entry.strip_prefix(name.as_bytes());
            let value = value.and_then(|rest| rest.strip_prefix(b"="));
            // Whole components: a directory whose name only begins in the same way is another.
            value.is_some_and(|value| Path::new(OsStr::from_bytes(value)).starts_with(directory))
        })
    })
}

fn has_open(pid: Pid, directory: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|file| file.starts_with(directory))
}

/// The first `longest` characters, and an ellipsis if that is not all.
pub fn shorten(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
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
    fn only_what_was_told_to_keep_its_locks_there_belongs_to_the_run() {
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
        let mut found = that_were_given(&directory);
        found.sort();
        let mut expected = pids(&ours);
        expected.sort();
        assert_eq!(found, expected);
        let using = that_use(&directory);
        assert!(using.contains(&reader.pid()), "{using:?}");
        assert!(
            pids(&strangers).iter().all(|pid| !using.contains(pid)),
            "{using:?}"
        );
    }
}
