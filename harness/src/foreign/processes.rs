//! What /proc tells of other processes.

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

/// The living processes that were given `directory` in their environment, or have a file of it open.
pub fn that_use(directory: &Path) -> Vec<Pid> {
    all()
        .filter(|&pid| {
            lives(pid) && (has_in_environment(pid, directory) || has_open(pid, directory))
        })
        .collect()
}

fn has_in_environment(pid: Pid, directory: &Path) -> bool {
    let needle = directory.as_os_str().as_bytes();
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
        environment
            .windows(needle.len())
            .any(|window| window == needle)
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
