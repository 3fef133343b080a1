//! Runs the workers of a schedule under the tracer: one takes a step while the others stand still.

mod background;
mod backoff;
mod copies;
mod directory;
mod events;
mod held_waits;
mod own_requests;
mod parked;
mod perform;
mod requests;
mod servers;
mod settle;
mod snapshots;
mod socket;
mod waiting;
mod worker;
mod wrapper;

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use backoff::Backoff;
use servers::Servers;
use worker::Worker;
pub use worker::WorkerState;

use crate::engines::Server;
use crate::procfs;
use crate::workers::pool::{WorkerSpawner, stderr_of};

use super::command::Command;
use super::error::ExploreError;
use super::lock_files::LockFiles;
use super::syscalls::is_first_thread;
use super::tracer::{SignalsBlocked, Tracer};

/// Maximum time that the scheduler waits for a silent worker.
pub(super) const HANGS: Duration = Duration::from_secs(10);

/// All workers of a schedule.
pub struct Controller<'a> {
    spawner: WorkerSpawner<'a>,
    tracer: Tracer,
    pub(super) workers: Vec<Worker>,
    /// The task that is making its call.
    performing: Option<Pid>,
    /// The result of that call.
    result: Option<i64>,
    /// Set while no task is stopped before a call that matters.
    unscheduled: bool,
    files: LockFiles,
    /// Set if the files behind the names in a step are looked up.
    pub(super) identifies_files: bool,
    /// Workers of which a later life is at work.
    other_lives: HashMap<(usize, usize), Worker>,
    /// Set once no template could be made.
    no_templates: bool,
    /// The reason why workers start afresh for each schedule, if they do.
    starts_afresh: Option<String>,
    servers: Servers<'a>,
}

impl Drop for Controller<'_> {
    /// Kills all workers. Only the tracer can reap the threads of a worker, and until then its
    /// process stays.
    fn drop(&mut self) {
        self.unscheduled = true;
        let deadline = Instant::now() + HANGS;
        while !self.tracer.tasks.is_empty() && Instant::now() < deadline {
            for tid in self.tracer.tasks.keys() {
                let _ = kill(*tid, Signal::SIGKILL);
            }
            while self.pump() {}
            self.tracer.wait(Duration::from_millis(1));
        }
    }
}

impl<'a> Controller<'a> {
    /// Linux has all that is needed.
    pub(super) fn check_system() -> Result<(), ExploreError> {
        Ok(())
    }

    /// Keeps the signals of stopped tasks from this thread, which does not wait for them.
    pub(super) fn block_signals() -> Result<SignalsBlocked, ExploreError> {
        SignalsBlocked::new().map_err(ExploreError::Trace)
    }

    /// The controller of this explorer, which has a processor of its own as far as there are enough.
    pub(super) fn new(
        spawner: WorkerSpawner<'a>,
        explorer: usize,
        server: Option<&'a Server>,
    ) -> io::Result<Self> {
        on_one_processor(explorer);
        let files = LockFiles::new(&spawner.directory, &spawner.name)?;
        Ok(Controller {
            spawner,
            tracer: Tracer::new()?,
            workers: Vec::new(),
            performing: None,
            result: None,
            unscheduled: true,
            files,
            identifies_files: true,
            other_lives: HashMap::new(),
            no_templates: false,
            starts_afresh: None,
            servers: Servers::new(server),
        })
    }

    /// The reason why workers start afresh for each schedule, if they do.
    pub(super) fn starts_afresh(&self) -> Option<&str> {
        self.starts_afresh.as_deref()
    }

    /// Returns `true` if the user has interrupted the exploration.
    pub fn is_interrupted(&self) -> bool {
        self.spawner.is_interrupted()
    }

    /// Prepares this many fresh workers and an empty directory.
    pub(super) fn set_up(&mut self, workers: usize) -> Result<(), ExploreError> {
        self.unscheduled = true;
        let all: Vec<usize> = (0..self.workers.len()).collect();
        self.end(&all);
        self.first_lives();
        self.workers.truncate(workers);
        self.spawner.delete_files();
        if self.servers.are_used() {
            // The server still has to notice the end of the last connections.
            self.settle_servers();
        }
        self.servers.clear();
        self.servers.reset(&self.spawner.name)?;
        let mut stays = false;
        for number in 0..workers {
            if number == self.workers.len() {
                let worker = self.start(number)?;
                self.workers.push(worker);
            } else if !self.has_zygote(number) {
                self.workers[number] = self.start(number)?;
            } else {
                continue;
            }
            self.attach(number)?;
            self.make_template(number)?;
            stays |= self.has_zygote(number);
        }
        if stays {
            // What such a worker has done on the server before it was ready is not done again in later
            // schedules.
            self.servers.reset(&self.spawner.name)?;
        }
        let zygotes: Vec<usize> = (0..workers)
            .filter(|&number| self.workers[number].is_zygote())
            .collect();
        self.fork(&zygotes)?;
        for number in 0..workers {
            self.copy(number)?;
        }
        self.unscheduled = false;
        Ok(())
    }

    /// Starts a fresh worker in place of one that has left.
    pub(super) fn replace(&mut self, number: usize) -> Result<(), ExploreError> {
        let before = std::mem::replace(&mut self.unscheduled, true);
        let replaced = self.replace_unscheduled(number);
        self.unscheduled = before;
        replaced
    }

    fn replace_unscheduled(&mut self, number: usize) -> Result<(), ExploreError> {
        self.end(&[number]);
        if self.workers[number].template.is_some() {
            return self.next_life(number);
        }
        if self.workers[number].is_zygote() {
            return self.fork(&[number]);
        }
        self.workers[number] = self.start(number)?;
        self.attach(number)
    }

    fn has_zygote(&self, number: usize) -> bool {
        let worker = &self.workers[number];
        worker.template.is_some()
            || worker.is_zygote() && self.tracer.tasks.contains_key(&worker.process.pid())
    }

    fn start(&mut self, number: usize) -> Result<Worker, ExploreError> {
        self.spawner.binds_symbols = !self.no_templates;
        let (process, capabilities) = self.spawner.start_ready(number)?;
        Ok(Worker::new(process, capabilities))
    }

    fn attach(&mut self, number: usize) -> Result<(), ExploreError> {
        let pid = self.workers[number].process.pid();
        self.workers[number].main = Some(pid);
        let attached = self.tracer.attach(number, pid);
        attached.map_err(ExploreError::Trace)?;
        self.workers[number].shares_connections = self.is_connected(number, pid);
        if self.workers[number].is_zygote() {
            self.workers[number].zygote = self.tracer.tasks_of(number).collect();
        }
        Ok(())
    }

    fn fork(&mut self, numbers: &[usize]) -> Result<(), ExploreError> {
        for &number in numbers {
            let worker = &mut self.workers[number];
            worker.main = None;
            worker.readies = 0;
            worker.state = WorkerState::Active;
            let said = worker.process.write_line("* fork\n");
            said.map_err(ExploreError::ZygoteGone)?;
        }
        for &number in numbers {
            let has_forked = |worker: &Worker| worker.readies >= 1 && worker.main.is_some();
            self.wait_for(number, has_forked, "forked")?;
        }
        Ok(())
    }

    /// Kills workers and waits until all their tasks are gone; their zygotes stay.
    pub(super) fn end(&mut self, numbers: &[usize]) {
        let before = std::mem::replace(&mut self.unscheduled, true);
        for &number in numbers {
            let worker = &mut self.workers[number];
            if let (Some(template), Some(copy)) = (&mut worker.template, worker.main) {
                template.learn_pages(copy);
            }
        }
        self.kill(numbers);
        for &number in numbers {
            let zygote = self.has_zygote(number);
            self.workers[number].state = match zygote {
                true => WorkerState::Active,
                false => WorkerState::Gone,
            };
            self.let_zygote_reap(number);
        }
        self.unscheduled = before;
    }

    /// Kills one worker among others, which stay under the scheduler. Afterwards the kernel has
    /// freed its locks, and its processes are reaped. Returns `false` if that takes too long.
    pub(super) fn crash(&mut self, number: usize) -> bool {
        let tasks = self.tracer.tasks_of(number);
        let dying = tasks.filter(|tid| !self.workers[number].zygote.contains(tid));
        let processes: Vec<Pid> = dying.filter(|tid| is_first_thread(*tid)).collect();
        let ended = self.kill(&[number]);
        // Its zygote, if it has one, is there.
        self.workers[number].state = WorkerState::Active;
        self.read_answers(number);
        let reaped = self.let_zygote_reap(number) && are_reaped(&processes);
        self.workers[number].state = WorkerState::Gone;
        if self.servers.are_used() {
            // The server notices the end of its connections.
            self.servers.changed = true;
            self.settle_servers();
        }
        ended && reaped
    }

    /// Kills all tasks of workers except their zygotes. Returns `true` once all are gone.
    fn kill(&mut self, numbers: &[usize]) -> bool {
        for &number in numbers {
            self.workers[number].clear();
        }
        let deadline = Instant::now() + HANGS;
        let mut backoff = Backoff::new();
        loop {
            let left: Vec<Pid> = self
                .tracer
                .tasks
                .iter()
                .filter(|(tid, owner)| {
                    numbers.contains(owner) && !self.workers[**owner].zygote.contains(tid)
                })
                .map(|(tid, _)| *tid)
                .collect();
            if left.is_empty() || Instant::now() > deadline {
                return left.is_empty();
            }
            for tid in left {
                let _ = kill(tid, Signal::SIGKILL);
            }
            while self.pump() {
                backoff = Backoff::new();
            }
            self.tracer.wait(backoff.next());
            while self.pump() {}
        }
    }

    /// Waits until the zygote of a worker that was killed has reaped it. What the worker has
    /// written is discarded. Returns `false` if the zygote did not do so in time.
    fn let_zygote_reap(&mut self, number: usize) -> bool {
        let is_ready = |worker: &Worker| worker.readies >= 2;
        let reaped = !self.workers[number].is_zygote()
            || !self.has_zygote(number)
            || self.workers[number].main.is_none()
            || self
                .wait_for(number, is_ready, "become ready again")
                .is_ok();
        self.workers[number].main = None;
        self.workers[number].answers.clear();
        reaped
    }

    fn wait_for(
        &mut self,
        number: usize,
        done: impl Fn(&Worker) -> bool,
        expected: &'static str,
    ) -> Result<(), ExploreError> {
        let deadline = Instant::now() + HANGS;
        let mut backoff = Backoff::new();
        while !done(&self.workers[number]) {
            if self.pump() {
                backoff = Backoff::new();
                continue;
            }
            self.read_answers(number);
            if done(&self.workers[number]) {
                break;
            }
            let gone = self.workers[number].is_gone();
            if Instant::now() > deadline || gone || self.is_interrupted() {
                return Err(ExploreError::Silent {
                    worker: number,
                    expected,
                    stderr: stderr_of(&mut self.workers[number].process),
                });
            }
            self.tracer.wait(backoff.next());
        }
        Ok(())
    }

    /// Returns `true` if the process that takes the lock is alive.
    pub(super) fn lives(&self, number: usize) -> bool {
        let worker = &self.workers[number];
        !worker.is_gone() && worker.main.is_some_and(procfs::lives)
    }
}

/// Waits until these processes are gone. One whose parent was killed as well may be a child of this
/// process by now; a zombie would count as alive for others.
fn are_reaped(processes: &[Pid]) -> bool {
    let deadline = Instant::now() + HANGS;
    let mut backoff = Backoff::new();
    let exists = |pid: &Pid| {
        let _ = waitpid(*pid, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL));
        procfs::state(*pid).is_some()
    };
    while processes.iter().any(exists) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(backoff.next());
    }
    true
}

/// Binds this thread and its children to one processor. Only one of them runs at a time, and a stop
/// takes 17 µs there instead of 98 µs (measured in a trial).
fn on_one_processor(explorer: usize) {
    let me = nix::unistd::Pid::from_raw(0);
    let Ok(allowed) = nix::sched::sched_getaffinity(me) else {
        return;
    };
    let all: Vec<usize> = (0..nix::sched::CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .collect();
    if let Some(&mine) = all.get(explorer % all.len().max(1)) {
        let mut one = nix::sched::CpuSet::new();
        // On failure, the search is only slower.
        let _ = one
            .set(mine)
            .and_then(|()| nix::sched::sched_setaffinity(me, &one));
    }
}
