//! Stops the tasks of workers at system calls that may matter, and resumes them (ptrace(2),
//! seccomp(2); Linux 5.3 for PTRACE_GET_SYSCALL_INFO).
//!
//! All calls must come from one thread, the tracer.

mod filter;
mod inject;
mod template;

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::procfs;

use super::arch::stands_in_call;
use super::entry::Entry;
pub use template::Template;

/// The stop of a task, which is suspended unless it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is about to make this call.
    Enter(Entry),
    /// The call has returned.
    Leave { result: i64 },
    /// It is new: another thread of the process, or a child process.
    New,
    /// It has started this task, which has a stop of its own.
    Started(Pid),
    /// A stop that does not matter.
    Other,
    /// It has ended.
    Gone,
}

/// Time within which an interruption must find a computing worker in a call.
const INTO_A_CALL: Duration = Duration::from_secs(5);

/// All traced tasks.
#[derive(Debug)]
pub struct Tracer {
    /// The tasks, each with the number of its worker.
    pub tasks: HashMap<Pid, usize>,
    /// Tasks that are suspended until their child executes a program or ends (vfork(2)).
    pub in_vfork: HashSet<Pid>,
    /// Tasks that stopped before their worker was known.
    early: HashMap<Pid, Stop>,
    /// The signals to deliver when the tasks are resumed.
    signals: HashMap<Pid, Signal>,
    _quiet: SignalsBlocked,
}

/// Blocks the signal of a stop in this thread. If other threads leave it open, the kernel may hand
/// it to one of them, which costs two changes of threads and lets `wait` miss it.
#[derive(Debug)]
pub struct SignalsBlocked {
    /// The signal mask before.
    before: SigSet,
}

fn options() -> Options {
    Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEVFORKDONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL
}

fn children() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals
}

impl SignalsBlocked {
    pub fn new() -> io::Result<Self> {
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&children()), Some(&mut before))?;
        Ok(SignalsBlocked { before })
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

impl Tracer {
    /// Creates a tracer in this thread.
    pub fn new() -> io::Result<Self> {
        Ok(Tracer {
            tasks: HashMap::new(),
            in_vfork: HashSet::new(),
            early: HashMap::new(),
            signals: HashMap::new(),
            // `wait` returns for each stop, whenever it happens.
            _quiet: SignalsBlocked::new()?,
        })
    }

    /// Attaches to all threads of a process that waits for its first command, and installs the
    /// filter in it, likewise in its children: the worker may be behind a launcher such as `sh`.
    pub fn attach(&mut self, worker: usize, process: Pid) -> io::Result<()> {
        self.seize(worker, process)?;
        self.filter(process)?;
        for child in procfs::children_of(process) {
            // It may have ended meanwhile; its children then have another parent.
            match self.attach(worker, child) {
                Err(error) if procfs::lives(child) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn seize(&mut self, worker: usize, process: Pid) -> io::Result<()> {
        // A thread may start others meanwhile.
        loop {
            let mut found = false;
            for thread in procfs::threads(process)? {
                let tid = thread.id();
                if self.tasks.contains_key(&tid) {
                    continue;
                }
                match ptrace::seize(tid, options()) {
                    Ok(()) => {}
                    Err(Errno::ESRCH) => continue,
                    Err(error) => return Err(error.into()),
                }
                found = true;
                self.tasks.insert(tid, worker);
            }
            if !found {
                return Ok(());
            }
        }
    }

    /// Installs the filter in the process of this task.
    fn filter(&mut self, tid: Pid) -> io::Result<()> {
        let deadline = Instant::now() + INTO_A_CALL;
        loop {
            self.interrupt(tid)?;
            if stands_in_call(tid) {
                inject::install(tid)?;
                ptrace::cont(tid, None)?;
                return Ok(());
            }
            ptrace::cont(tid, None)?;
            if Instant::now() > deadline {
                return Err(io::Error::other(
                    "it computes instead of waiting for a command",
                ));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Stops a task, in a call or between two.
    fn interrupt(&mut self, tid: Pid) -> io::Result<()> {
        ptrace::interrupt(tid)?;
        loop {
            match waitpid(tid, Some(WaitPidFlag::__WALL)) {
                Ok(WaitStatus::PtraceEvent(_, _, event)) if event == libc::PTRACE_EVENT_STOP => {
                    return Ok(());
                }
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                    self.tasks.remove(&tid);
                    return Err(io::Error::other("it has ended"));
                }
                Ok(WaitStatus::Stopped(_, signal)) => ptrace::cont(tid, signal)?,
                Ok(_) => ptrace::cont(tid, None)?,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Replaces a traced process, which has one thread and waits in a call, by a template.
    pub fn template(&mut self, process: Pid) -> io::Result<Template> {
        self.interrupt(process)?;
        let template = match stands_in_call(process) {
            true => Template::of(process),
            false => Err(io::Error::other("it does not wait in a call")),
        };
        match &template {
            Ok(_) => drop(self.tasks.remove(&process)),
            Err(_) => ptrace::cont(process, None)?,
        }
        template
    }

    /// Starts a copy of a template, as a task of this worker.
    pub fn copy(&mut self, template: &mut Template, worker: usize) -> io::Result<Pid> {
        let copy = template.copy()?;
        self.tasks.insert(copy, worker);
        ptrace::cont(copy, None)?;
        Ok(copy)
    }

    /// Lets a stopped task run to its next call that may matter.
    pub fn resume(&mut self, tid: Pid) {
        // It may have been killed meanwhile.
        let _ = ptrace::cont(tid, self.signals.remove(&tid));
    }

    /// Lets a task that is about to make a call run to the end of that call.
    pub fn resume_through(&mut self, tid: Pid) {
        let _ = ptrace::syscall(tid, self.signals.remove(&tid));
    }

    /// The next stop of any task, if there is one.
    pub fn poll(&mut self) -> Option<(Pid, Stop)> {
        if !self.early.is_empty()
            && let Some(tid) = self
                .early
                .keys()
                .copied()
                .find(|tid| self.tasks.contains_key(tid))
        {
            return self.early.remove(&tid).map(|stop| (tid, stop));
        }
        loop {
            let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG | WaitPidFlag::__WNOTHREAD;
            let status = match waitpid(None, Some(flags)) {
                Ok(WaitStatus::StillAlive) | Err(_) => return None,
                Ok(status) => status,
            };
            let Some((tid, stop)) = self.read(status) else {
                continue;
            };
            if !self.tasks.contains_key(&tid) {
                if stop != Stop::Gone {
                    self.early.insert(tid, stop);
                }
                continue;
            }
            if stop == Stop::Gone {
                self.tasks.remove(&tid);
                self.signals.remove(&tid);
                self.in_vfork.remove(&tid);
            }
            return Some((tid, stop));
        }
    }

    /// Waits for a stop, for at most this time. Another thread of this process may consume the
    /// signal of a stop.
    pub fn wait(&self, time: Duration) {
        let time = libc::timespec {
            tv_sec: time.as_secs().cast_signed(),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let signals = children();
        // SAFETY: the first and last pointer are valid until the call returns, and the second may
        // be null (sigtimedwait(2)).
        unsafe { libc::sigtimedwait(signals.as_ref(), std::ptr::null_mut(), &raw const time) };
    }

    fn read(&mut self, status: WaitStatus) -> Option<(Pid, Stop)> {
        Some(match status {
            WaitStatus::Exited(tid, _) | WaitStatus::Signaled(tid, _, _) => (tid, Stop::Gone),
            WaitStatus::PtraceSyscall(tid) => (tid, syscall(tid)),
            WaitStatus::PtraceEvent(tid, _, event) => match event {
                libc::PTRACE_EVENT_SECCOMP => (tid, syscall(tid)),
                libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
                    if event == libc::PTRACE_EVENT_VFORK {
                        self.in_vfork.insert(tid);
                    }
                    match ptrace::getevent(tid) {
                        Ok(child) => (tid, Stop::Started(Pid::from_raw(child as i32))),
                        Err(_) => (tid, Stop::Other),
                    }
                }
                libc::PTRACE_EVENT_VFORK_DONE => {
                    self.in_vfork.remove(&tid);
                    (tid, Stop::Other)
                }
                libc::PTRACE_EVENT_STOP => (tid, Stop::New),
                _ => (tid, Stop::Other),
            },
            WaitStatus::Stopped(tid, signal) => {
                self.signals.insert(tid, signal);
                (tid, Stop::Other)
            }
            _ => return None,
        })
    }

    /// All tasks of a worker.
    pub fn tasks_of(&self, worker: usize) -> impl Iterator<Item = Pid> {
        let tasks = self.tasks.iter();
        tasks
            .filter(move |(_, owner)| **owner == worker)
            .map(|(tid, _)| *tid)
    }

    /// Assigns a task to a worker.
    pub fn adopt(&mut self, tid: Pid, worker: usize) {
        self.tasks.insert(tid, worker);
    }
}

fn syscall(tid: Pid) -> Stop {
    let Ok(info) = ptrace::syscall_info(tid) else {
        return Stop::Other;
    };
    match info.op {
        libc::PTRACE_SYSCALL_INFO_SECCOMP => {
            // SAFETY: `op` determines which member of the union is valid.
            let entry = unsafe { info.u.seccomp };
            Stop::Enter(Entry {
                number: entry.nr,
                arguments: entry.args,
            })
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: as above.
            let exit = unsafe { info.u.exit };
            Stop::Leave { result: exit.sval }
        }
        // The entry of a call, at which the filter does not stop.
        _ => Stop::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Starts a program and attaches to it while it sleeps in a call.
    fn attached(command: &mut Command) -> (Tracer, Child, Pid) {
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        while procfs::state(pid) != Some('S') {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut tracer = Tracer::new().unwrap();
        tracer.attach(0, pid).unwrap();
        (tracer, child, pid)
    }

    /// Lets a program go on to its end. Returns its exit status and the number of calls before
    /// which it stopped.
    fn follow(pid: Pid) -> (i32, usize) {
        let mut stops = 0;
        loop {
            match waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap() {
                WaitStatus::Exited(_, status) => return (status, stops),
                WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal).unwrap(),
                status => {
                    assert!(!matches!(status, WaitStatus::Signaled(..)), "{status:?}");
                    stops += 1;
                    ptrace::cont(pid, None).unwrap();
                }
            }
        }
    }

    #[test]
    fn an_interrupted_read_goes_on() {
        let (_tracer, mut child, pid) = attached(Command::new("cat").stdin(Stdio::piped()));
        child.stdin.take().unwrap().write_all(b"line").unwrap();
        let (status, stops) = follow(pid);
        let mut text = String::new();
        child.stdout.unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((status, text.as_str()), (0, "line"));
        // It writes, and reads once more.
        assert!(stops >= 2, "{stops}");
    }

    #[test]
    fn an_interrupted_sleep_goes_on() {
        let began = Instant::now();
        let (_tracer, _child, pid) = attached(Command::new("sleep").arg("0.4"));
        let (status, _) = follow(pid);
        let took = began.elapsed();
        assert_eq!(status, 0);
        assert!(took >= Duration::from_millis(400), "{took:?}");
    }
}
