//! One round: its processes, and the checks once all workers are outside.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use lockutils_harness::testing::witness::{Shape, Witness};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use oslo_concurrency::lockutils;
use tempfile::TempDir;

use crate::board::Board;
use crate::random::Random;
use crate::{chaos, duel, forks, juggle, nest};

pub const NAMES: [&str; 3] = ["x", "y", "z"];
/// Time without any return from a call after which a worker is stuck.
const STUCK: Duration = Duration::from_secs(5);
/// Time that an interrupted operation has to release.
const GRACE: Duration = Duration::from_millis(500);
const LOG: usize = 1 << 15;
/// Number of calls of a worker that fit into the logs.
pub const CALLS: u64 = 6_000;

macro_rules! kinds {
    ($($kind:ident $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            const ALL: &[Kind] = &[$(Kind::$kind,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    Duel "duel",
    DuelOfThreads "duel-internal",
    DuelOfTasks "duel-tasks",
    Juggle "juggle",
    Nest "nest",
    Forks "forks",
    Chaos "chaos",
}

impl Kind {
    pub fn named(name: &str) -> anyhow::Result<Kind> {
        let found = Kind::ALL.iter().find(|kind| kind.name() == name);
        found.copied().with_context(|| {
            let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            format!("the kinds are {}", names.join(", "))
        })
    }
}

pub struct Round {
    pub kind: Kind,
    pub seed: u64,
    pub board: Board,
    pub directory: TempDir,
    pub processes: usize,
    pub threads: usize,
    pub python: Option<PathBuf>,
    length: Duration,
    files: Vec<Witness>,
    /// One witness for each process and name.
    internals: Vec<Vec<Witness>>,
}

impl Round {
    pub fn new(
        seed: u64,
        number: u64,
        only: Option<Kind>,
        python: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let mut random = Random::new(seed, number + 1);
        let chosen = Kind::ALL[random.below(Kind::ALL.len() as u64) as usize];
        let kind = only.unwrap_or(chosen);
        let (processes, threads) = match kind {
            Kind::Duel | Kind::DuelOfThreads | Kind::DuelOfTasks => {
                (1, 2 + usize::from(random.once_in(4)))
            }
            Kind::Juggle => (1 + usize::from(random.once_in(3)), 1),
            Kind::Nest => (1 + random.below(2) as usize, 3),
            Kind::Forks => (1, 4),
            Kind::Chaos => (2 + random.below(2) as usize, 4),
        };
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("real"))?;
        std::os::unix::fs::symlink("real", directory.path().join("link"))?;
        let shape = Shape::new(processes, threads, LOG);
        let witnesses = || {
            NAMES
                .iter()
                .map(|_| Witness::new(shape))
                .collect::<io::Result<Vec<_>>>()
        };
        Ok(Round {
            kind,
            seed: seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d),
            board: Board::new()?,
            directory,
            processes,
            threads,
            python: python.filter(|_| kind == Kind::Chaos),
            length: Duration::from_millis(300),
            files: witnesses()?,
            internals: (0..processes)
                .map(|_| witnesses())
                .collect::<io::Result<_>>()?,
        })
    }

    pub fn real(&self) -> PathBuf {
        self.directory.path().join("real")
    }

    pub fn link(&self) -> PathBuf {
        self.directory.path().join("link")
    }

    pub fn file_witness(&self, name: usize) -> &Witness {
        &self.files[name]
    }

    pub fn internal_witness(&self, process: usize, name: usize) -> &Witness {
        &self.internals[process][name]
    }

    /// Runs the round and checks its result.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut children: Vec<Pid> = Vec::new();
        for process in 0..self.processes {
            children.push(self.start(&|| self.process(process))?);
        }
        if self.kind == Kind::Chaos {
            children.push(self.start(&|| chaos::leases(self))?);
            if let Some(python) = &self.python {
                children.push(self.start(&|| chaos::python(self, python))?);
            }
        }
        let found = self.watch(&mut children);
        for child in children {
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
        }
        found
    }

    fn start(&self, work: &dyn Fn()) -> anyhow::Result<Pid> {
        // SAFETY: this process has one thread; the child ends by _exit.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => Ok(child),
            ForkResult::Child => {
                let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
                let work = std::panic::AssertUnwindSafe(work);
                let status = i32::from(std::panic::catch_unwind(work).is_err());
                // SAFETY: ends the child.
                unsafe { libc::_exit(status) }
            }
        }
    }

    /// Runs a process of the round: its threads, then the rest.
    fn process(&self, process: usize) {
        let first = process * self.threads;
        thread::scope(|scope| {
            for slot in first..first + self.threads {
                scope.spawn(move || {
                    match self.kind {
                        Kind::Duel | Kind::DuelOfThreads | Kind::DuelOfTasks => {
                            duel::thread(self, slot);
                        }
                        Kind::Juggle => juggle::thread(self, slot),
                        Kind::Nest => nest::thread(self, slot),
                        Kind::Forks => forks::thread(self, slot),
                        Kind::Chaos => chaos::thread(self, slot),
                    }
                    self.board.is_outside(slot);
                });
            }
        });
        while !self.board.is_dismissed() {
            sleep(Duration::from_micros(500));
        }
        for name in NAMES {
            self.is_free(name);
        }
    }

    /// Checks that the lock is free between threads, once no worker of this process uses it.
    fn is_free(&self, name: &str) {
        if let Err(error) = lockutils::lock(name).blocking(false).run(|| ()) {
            fail(&format!(
                "orphan between threads: with all workers outside, a try got: {error}"
            ));
        }
    }

    fn watch(&self, children: &mut Vec<Pid>) -> anyhow::Result<()> {
        let began = Instant::now();
        let (mut progress, mut idle) = (0, Duration::ZERO);
        let workers = self.processes * self.threads;
        loop {
            reap(children)?;
            if began.elapsed() > self.length {
                self.board.stop();
            }
            if self.board.outside() >= workers {
                break;
            }
            let now = self.board.progress();
            if now != progress {
                (progress, idle) = (now, Duration::ZERO);
            }
            let tick = Instant::now();
            sleep(Duration::from_millis(1));
            // A longer tick is a suspension of the machine.
            idle += tick.elapsed().min(Duration::from_millis(50));
            // A thread that is ready to run and does not get a processor is not stuck.
            if idle > STUCK && (idle > 12 * STUCK || !children.iter().any(|child| runs(*child))) {
                let stacks: Vec<String> = children
                    .iter()
                    .map(|child| lockutils_harness::testing::stress::stack_of(child.as_raw()))
                    .collect();
                bail!(
                    "hang: {} of {workers} workers came to rest, and none makes progress{}",
                    self.board.outside(),
                    stacks.concat()
                );
            }
        }
        // All have made their calls, perhaps early: the processes with leases and with Python's
        // lock stop as well.
        self.board.stop();
        while children.len() > self.processes {
            sleep(Duration::from_millis(1));
            reap(children)?;
            ensure!(
                began.elapsed() < 6 * STUCK,
                "hang: a process beside the workers does not end"
            );
        }
        for entry in fs::read_dir(self.real())? {
            self.kernel_lock_is_free(&entry?.path(), children)?;
        }
        self.board.dismiss();
        let until = Instant::now() + 2 * STUCK;
        while !children.is_empty() {
            reap(children)?;
            sleep(Duration::from_micros(200));
            ensure!(Instant::now() < until, "hang: a process does not end");
        }
        for witness in self.files.iter().chain(self.internals.iter().flatten()) {
            ensure!(witness.lost() == 0, "the log was too short");
            if let Some(first) = witness.overlaps().first() {
                bail!("two were in a section: {first:?}");
            }
        }
        Ok(())
    }

    fn kernel_lock_is_free(&self, file: &Path, children: &[Pid]) -> anyhow::Result<()> {
        let until = Instant::now() + GRACE;
        while is_locked(file) {
            if Instant::now() > until {
                bail!(
                    "orphan: no worker is inside or waits, yet the kernel has a lock on {} \
                     ({})",
                    file.display(),
                    children
                        .iter()
                        .map(|child| lockutils_harness::testing::stress::stack_of(child.as_raw()))
                        .collect::<String>()
                );
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Reaps the children that have ended.
fn reap(children: &mut Vec<Pid>) -> anyhow::Result<()> {
    let mut wrong = None;
    children.retain(|child| match waitpid(*child, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) => true,
        Ok(WaitStatus::Exited(_, 0)) => false,
        other => {
            wrong = Some(format!("{other:?}"));
            false
        }
    });
    match wrong {
        Some(how) => bail!("a process ended by itself, see above: {how}"),
        None => Ok(()),
    }
}

/// Returns `true` if any process has a lock on the file, this one by another descriptor included:
/// F_OFD_GETLK of fcntl(2).
pub fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file_is_locked(&file))
}

pub fn file_is_locked(file: &File) -> bool {
    // SAFETY: plain numbers, for which 0 is valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as i16;
    lock.l_whence = libc::SEEK_SET as i16;
    // SAFETY: fcntl(2) reads and writes the structure.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    asked == 0 && lock.l_type != libc::F_UNLCK as i16
}

/// Reports the fault and ends a process of the round.
pub fn fail(what: &str) -> ! {
    eprintln!("soak: {what}");
    // SAFETY: ends the process; the coordinator sees the number.
    unsafe { libc::_exit(1) }
}

/// Returns `true` if a thread of the process is running, or ready to.
fn runs(process: Pid) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    tasks.into_iter().flatten().flatten().any(|task| {
        // The state follows the name, which is in parentheses and may contain parentheses
        // (proc_pid_stat(5)).
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('R'))
    })
}
