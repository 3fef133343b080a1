//! Threads of processes.

use std::time::Duration;
use std::{fs, io};

use nix::unistd::Pid;

use super::stat::Stat;
use super::system_call::SystemCall;

/// A thread of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thread {
    process: Pid,
    id: Pid,
}

/// The threads of a process.
///
/// # Errors
/// Returns an error if the process is gone.
pub fn threads(process: Pid) -> io::Result<impl Iterator<Item = Thread>> {
    Ok(ids(&format!("/proc/{process}/task"))?.map(move |id| Thread { process, id }))
}

/// Returns `true` if a process has exactly one thread.
pub fn has_one_thread(process: Pid) -> bool {
    ids(&format!("/proc/{process}/task")).is_ok_and(|threads| threads.count() == 1)
}

/// Returns `true` if this process has exactly one thread.
pub fn is_single_threaded() -> bool {
    ids("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

fn ids(folder: &str) -> io::Result<impl Iterator<Item = Pid> + use<>> {
    Ok(fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw))
}

impl Thread {
    /// The thread of this process with this number.
    pub fn of_this_process(id: Pid) -> Self {
        let process = Pid::this();
        Thread { process, id }
    }

    /// Its number, unique among all threads of the system.
    pub fn id(self) -> Pid {
        self.id
    }

    /// Its state, parent and age; `None` if it is gone.
    pub fn stat(self) -> Option<Stat> {
        Stat::parse(&self.read("stat")?)
    }

    /// The system call in which it sleeps; `None` if there is none or it may not be seen.
    pub fn system_call(self) -> Option<SystemCall> {
        SystemCall::parse(&self.read("syscall")?)
    }

    /// Time for which it was ready to run and no processor ran it, since its start; `None` if the
    /// kernel does not count it (`CONFIG_SCHED_INFO`).
    pub fn run_delay(self) -> Option<Duration> {
        let text = self.read("schedstat")?;
        let delay = text.split_whitespace().nth(1)?.parse().ok()?;
        Some(Duration::from_nanos(delay))
    }

    /// The function of the kernel in which it sleeps; `None` if there is none or it may not be
    /// seen.
    pub fn wait_channel(self) -> Option<String> {
        let channel = self.read("wchan")?.trim().to_owned();
        (!matches!(channel.as_str(), "" | "0")).then_some(channel)
    }

    /// The functions on its kernel stack, innermost first; empty unless this process is root.
    pub fn kernel_stack(self) -> Vec<String> {
        let text = self.read("stack").unwrap_or_default();
        let frame = |line: &str| line.split_once("] ").map_or(line, |(_, it)| it).to_owned();
        text.trim().lines().map(frame).collect()
    }

    /// The child processes that it started; none without the kernel's `CONFIG_PROC_CHILDREN`.
    pub(super) fn children(self) -> Vec<Pid> {
        let text = self.read("children").unwrap_or_default();
        let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
        numbers.map(Pid::from_raw).collect()
    }

    fn read(self, file: &str) -> Option<String> {
        let Thread { process, id } = self;
        fs::read_to_string(format!("/proc/{process}/task/{id}/{file}")).ok()
    }
}
