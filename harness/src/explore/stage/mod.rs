//! The workers of a schedule under the tracer: one step at a time, and nothing else moves.

mod actor;
mod events;
mod quiet;
mod steps;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::AT_FDCWD;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::Pid;

pub(super) use actor::{Actor, WorkerState};
use quiet::Patience;

use crate::procfs;
use crate::workers::pool::{WorkerSpawner, stderr_of};

use super::error::ExploreError;
use super::lock_files::LockFiles;
use super::tracer::Tracer;

/// A worker that says nothing for so long, while the scheduler waits for it, is not going to.
pub(super) const HANGS: Duration = Duration::from_secs(10);

/// One that has answered begins so soon to tidy up, if at all.
const TIDIES_UP: Duration = Duration::from_millis(20);

/// An interruption is heard so soon during a rest.
const REST_AT_ONCE: Duration = Duration::from_millis(100);

/// All of them.
pub struct Stage<'a> {
    spawner: WorkerSpawner<'a>,
    tracer: Tracer,
    pub(super) actors: Vec<Actor>,
    performing: Option<Pid>,
    result: Option<i64>,
    /// Nobody is stopped before calls.
    free: bool,
    ground: LockFiles,
}

impl Drop for Stage<'_> {
    /// Nothing is left running. Only the tracer can reap the threads of a worker, and its process is not gone before.
    fn drop(&mut self) {
        self.free = true;
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

impl<'a> Stage<'a> {
    pub(super) fn new(spawner: WorkerSpawner<'a>) -> io::Result<Self> {
        let ground = LockFiles::new(&spawner.directory, &spawner.name)?;
        Ok(Stage {
            spawner,
            tracer: Tracer::new()?,
            actors: Vec::new(),
            performing: None,
            result: None,
            free: true,
            ground,
        })
    }

    /// Whether somebody wants us to stop.
    pub fn is_interrupted(&self) -> bool {
        self.spawner.is_interrupted()
    }

    /// Prepares so many fresh workers and an empty directory.
    pub fn set(&mut self, actors: usize) -> Result<(), ExploreError> {
        self.free = true;
        let all: Vec<usize> = (0..self.actors.len()).collect();
        self.end(&all);
        self.actors.truncate(actors);
        self.spawner.delete_files();
        for number in 0..actors {
            if number == self.actors.len() {
                let actor = self.start(number)?;
                self.actors.push(actor);
                self.attach(number)?;
            } else if !self.has_zygote(number) {
                self.actors[number] = self.start(number)?;
                self.attach(number)?;
            }
        }
        let zygotes: Vec<usize> = (0..actors)
            .filter(|&number| self.actors[number].is_zygote())
            .collect();
        self.fork(&zygotes)?;
        self.free = false;
        Ok(())
    }

    /// A fresh worker in the place of one that has left.
    pub fn replace(&mut self, number: usize) -> Result<(), ExploreError> {
        let free = std::mem::replace(&mut self.free, true);
        let replaced = self.replace_freely(number);
        self.free = free;
        replaced
    }

    fn replace_freely(&mut self, number: usize) -> Result<(), ExploreError> {
        self.end(&[number]);
        if self.actors[number].is_zygote() {
            return self.fork(&[number]);
        }
        self.actors[number] = self.start(number)?;
        self.attach(number)
    }

    fn has_zygote(&self, number: usize) -> bool {
        let actor = &self.actors[number];
        actor.is_zygote() && self.tracer.tasks.contains_key(&actor.process.pid())
    }

    fn start(&mut self, number: usize) -> Result<Actor, ExploreError> {
        let (process, can, _) = self
            .spawner
            .start_ready(number)
            .map_err(ExploreError::Start)?;
        Ok(Actor::new(process, can))
    }

    fn attach(&mut self, number: usize) -> Result<(), ExploreError> {
        let pid = self.actors[number].process.pid();
        self.actors[number].main = Some(pid);
        self.tracer
            .attach(number, pid)
            .map_err(ExploreError::Trace)?;
        if self.actors[number].is_zygote() {
            self.actors[number].zygote = self.tracer.tasks_of(number).collect();
        }
        Ok(())
    }

    fn fork(&mut self, numbers: &[usize]) -> Result<(), ExploreError> {
        for &number in numbers {
            let actor = &mut self.actors[number];
            actor.main = None;
            actor.readies = 0;
            actor.state = WorkerState::Active;
            actor
                .process
                .say("* fork\n")
                .map_err(ExploreError::ZygoteGone)?;
        }
        for &number in numbers {
            self.wait_for(
                number,
                |actor| actor.readies >= 1 && actor.main.is_some(),
                "forked",
            )?;
        }
        Ok(())
    }

    /// Kills workers and waits until nothing of them is left; their zygotes stay.
    pub fn end(&mut self, numbers: &[usize]) {
        let free = std::mem::replace(&mut self.free, true);
        for &number in numbers {
            self.actors[number].clear();
        }
        let deadline = Instant::now() + HANGS;
        let mut patience = Patience::new();
        loop {
            let left: Vec<Pid> = self
                .tracer
                .tasks
                .iter()
                .filter(|(tid, owner)| {
                    numbers.contains(owner) && !self.actors[**owner].zygote.contains(tid)
                })
                .map(|(tid, _)| *tid)
                .collect();
            if left.is_empty() || Instant::now() > deadline {
                break;
            }
            for tid in left {
                let _ = kill(tid, Signal::SIGKILL);
            }
            while self.pump() {
                patience = Patience::new();
            }
            self.tracer.wait(patience.next());
            while self.pump() {}
        }
        for &number in numbers {
            let zygote = self.has_zygote(number);
            self.actors[number].state = match zygote {
                true => WorkerState::Active,
                false => WorkerState::Gone,
            };
            if zygote && self.actors[number].main.is_some() {
                let _ = self.wait_for(number, |actor| actor.readies >= 2, "was ready again");
            }
            self.actors[number].main = None;
            self.actors[number].answers.clear();
        }
        self.free = free;
    }

    fn wait_for(
        &mut self,
        number: usize,
        done: impl Fn(&Actor) -> bool,
        expected: &'static str,
    ) -> Result<(), ExploreError> {
        let deadline = Instant::now() + HANGS;
        let mut patience = Patience::new();
        while !done(&self.actors[number]) {
            if self.pump() {
                patience = Patience::new();
                continue;
            }
            self.hear(number);
            if done(&self.actors[number]) {
                break;
            }
            let gone = self.actors[number].state == WorkerState::Gone;
            if Instant::now() > deadline || gone || self.is_interrupted() {
                return Err(ExploreError::Silent {
                    worker: number,
                    expected,
                    stderr: stderr_of(&mut self.actors[number].process),
                });
            }
            self.tracer.wait(patience.next());
        }
        Ok(())
    }

    /// Whether the process that takes the lock is there.
    pub fn lives(&self, number: usize) -> bool {
        let actor = &self.actors[number];
        actor.state != WorkerState::Gone && actor.main.is_some_and(procfs::lives)
    }

    /// Lets those that wait elsewhere go on until something happens: for so long, or `most` if a wait ends by itself before. One that has
    /// answered may still begin to tidy up.
    pub fn wait_elsewhere(&mut self, time: Duration, most: Duration) -> bool {
        let began = Instant::now();
        let waiting: Vec<usize> = (0..self.actors.len())
            .filter(|&number| self.waits_elsewhere(number))
            .collect();
        let time = match (waiting.is_empty(), self.is_timed()) {
            (true, _) => TIDIES_UP,
            (false, false) => time,
            (false, true) => most,
        };
        let mut patience = Patience::new();
        while began.elapsed() < time && !self.is_interrupted() {
            while self.pump() {}
            for &number in &waiting {
                self.hear(number);
            }
            if (0..self.actors.len()).any(|number| self.tidies_up(number))
                || waiting.iter().any(|&number| !self.waits_elsewhere(number))
            {
                return true;
            }
            self.tracer.wait(patience.next());
        }
        false
    }

    fn waits_elsewhere(&self, number: usize) -> bool {
        self.actors[number].state == WorkerState::WaitingElsewhere
    }

    /// Whether somebody waits for something, and goes on after some time without it.
    pub fn is_timed(&self) -> bool {
        let now = Instant::now();
        self.actors
            .iter()
            .filter(|actor| actor.told.is_some())
            .any(|actor| actor.wakes_at.is_some_and(|then| then > now))
    }

    /// Whether a worker that has nothing to do stands before a call that matters.
    pub fn tidies_up(&self, number: usize) -> bool {
        let actor = &self.actors[number];
        let stands = !matches!(actor.state, WorkerState::Gone | WorkerState::Blocked);
        actor.told.is_none() && stands && actor.next_call().is_some()
    }

    /// Whatever has happened meanwhile; a worker in which something has stirred comes to rest again.
    pub fn catch_up(&mut self) {
        while self.pump() {}
        for number in 0..self.actors.len() {
            if self.actors[number].is_on_the_way() {
                self.settle(number, Duration::ZERO);
            }
        }
    }

    /// Lets everybody go on unscheduled until somebody says something; whether that happened within this time.
    pub fn let_go(&mut self, time: Duration) -> bool {
        self.free = true;
        for number in 0..self.actors.len() {
            self.let_poll(number);
            let parked = std::mem::take(&mut self.actors[number].parked);
            for parked in parked {
                self.tracer.resume(parked.tid);
            }
        }
        let deadline = Instant::now() + time;
        let mut said = false;
        while !said && Instant::now() < deadline && !self.is_interrupted() {
            while self.pump() {}
            for number in 0..self.actors.len() {
                self.hear(number);
                said |= !self.actors[number].answers.is_empty();
            }
            self.tracer.wait(Duration::from_millis(1));
        }
        said
    }

    /// Everything in the directory becomes older by this.
    pub fn age(&self, by: Duration) {
        age(self.ground.directory(), by);
    }

    /// Nobody does anything for so long.
    pub fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_interrupted() && Instant::now() < until {
            std::thread::sleep(REST_AT_ONCE.min(until.saturating_duration_since(Instant::now())));
        }
    }

    /// The names, inodes and sizes in the directory.
    pub fn fingerprint(&self) -> Vec<(String, u64, u64)> {
        let entries = fs::read_dir(self.ground.directory())
            .into_iter()
            .flatten()
            .flatten();
        let mut all: Vec<_> = entries
            .filter_map(|entry| {
                let meta = entry.metadata().ok()?;
                Some((
                    entry.file_name().to_string_lossy().into_owned(),
                    meta.ino(),
                    meta.len(),
                ))
            })
            .collect();
        all.sort();
        all
    }

    /// Deletes what the lock is made of.
    pub fn unlink(&self) {
        self.spawner.delete_files();
    }
}

fn age(directory: &Path, by: Duration) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            age(&path, by);
        }
        let since_1970 = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let then = TimeSpec::from_duration(since_1970.saturating_sub(by));
        // The time of a link, not of what it leads to.
        let _ = utimensat(
            AT_FDCWD,
            &path,
            &then,
            &then,
            UtimensatFlags::NoFollowSymlink,
        );
    }
}
