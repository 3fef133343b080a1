//! Copies of workers: a worker that waits for its first command is replaced by a template, and each
//! schedule gets a copy. Where that could change what a lock does, workers start afresh.

use std::time::{Duration, Instant};

use nix::libc;
use nix::unistd::Pid;

use crate::procfs::{self, Stat, Thread};

use super::super::error::ExploreError;
use super::Controller;
use super::backoff::Backoff;

/// Time within which a worker that is ready begins to read its first command.
const BEGINS_TO_READ: Duration = Duration::from_millis(500);

/// The reason why a worker is not copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum Obstacle {
    #[error("it has {0} threads")]
    Threads(usize),
    #[error("another process has started it, or it has started others")]
    OtherProcesses,
    #[error("it leads a session")]
    LeadsASession,
    #[error("it does not wait for its first command in read(2)")]
    DoesNotRead,
    #[error("it has created files before it was ready")]
    CreatesFiles,
    #[error("it has {0} open, which copies of it would share")]
    Open(String),
    #[error("it has a connection to a server, which copies of it would share")]
    Connected,
    #[error("it shares memory ({0}), which copies of it would share as well")]
    SharesMemory(String),
    #[error(
        "a copy with the same process number cannot be made ({0}), which needs CAP_SYS_ADMIN or \
         CAP_CHECKPOINT_RESTORE"
    )]
    Refused(std::io::Error),
}

impl Controller<'_> {
    /// Makes a template of a worker that has just become ready, unless there is an obstacle.
    pub(super) fn make_template(&mut self, number: usize) -> Result<(), ExploreError> {
        if self.no_templates {
            return Ok(());
        }
        let declared = self.workers[number].is_zygote();
        if declared {
            // Its first fork may load what the lock needs.
            self.fork(&[number])?;
            self.end(&[number]);
        }
        let shares = self.workers[number].shares_connections;
        let template = match shares {
            true => Err(Obstacle::Connected),
            false => self.try_to_make_template(number, declared),
        };
        if let Err(obstacle) = template {
            self.no_templates = true;
            if !declared {
                self.starts_afresh = Some(obstacle.to_string());
            }
        }
        Ok(())
    }

    fn try_to_make_template(&mut self, number: usize, declared: bool) -> Result<(), Obstacle> {
        let pid = self.workers[number].process.pid();
        let thread = self.only_thread(number, pid)?;
        self.until_it_reads(thread)?;
        // A worker that declares that it can be forked vouches for the rest.
        if !declared {
            self.is_self_contained(pid)?;
        }
        let template = self.tracer.template(pid).map_err(Obstacle::Refused)?;
        let worker = &mut self.workers[number];
        let successor = template.pid().as_raw().cast_unsigned();
        worker.process.continues_as(successor);
        worker.zygote.clear();
        worker.main = None;
        worker.template = Some(template);
        Ok(())
    }

    /// The only thread of a worker without other processes.
    fn only_thread(&self, number: usize, pid: Pid) -> Result<Thread, Obstacle> {
        let threads: Vec<Thread> = procfs::threads(pid).into_iter().flatten().collect();
        let &[thread] = &threads[..] else {
            return Err(Obstacle::Threads(threads.len()));
        };
        if self.tracer.tasks_of(number).count() > 1 || procfs::children_of(pid).next().is_some() {
            return Err(Obstacle::OtherProcesses);
        }
        // Its number would remain in use as that of the session.
        if Stat::of(pid).is_none_or(|stat| stat.session == pid) {
            return Err(Obstacle::LeadsASession);
        }
        Ok(thread)
    }

    fn until_it_reads(&mut self, thread: Thread) -> Result<(), Obstacle> {
        let deadline = Instant::now() + BEGINS_TO_READ;
        let mut backoff = Backoff::new();
        loop {
            while self.pump() {}
            let call = thread.system_call();
            if call.is_some_and(|call| {
                call.number == libc::SYS_read && call.arguments.first() == Some(&0)
            }) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Obstacle::DoesNotRead);
            }
            self.tracer.wait(backoff.next());
        }
    }

    /// Checks that a copy would share nothing with later ones that matters to a lock.
    fn is_self_contained(&self, pid: Pid) -> Result<(), Obstacle> {
        if !self.fingerprint().is_empty() {
            return Err(Obstacle::CreatesFiles);
        }
        for fd in procfs::descriptors(pid).into_iter().flatten() {
            let target = procfs::descriptor_target(pid, fd).unwrap_or_default();
            let target = target.to_string_lossy().into_owned();
            let is_harmless = target.starts_with("pipe:")
                || target.starts_with("/dev/")
                || target == "anon_inode:[eventfd]";
            if !is_harmless {
                return Err(Obstacle::Open(target));
            }
        }
        match procfs::shared_memory(pid) {
            Some(name) => Err(Obstacle::SharesMemory(name)),
            None => Ok(()),
        }
    }

    /// Starts a copy of the template of a worker, or, without one, does nothing.
    pub(super) fn copy(&mut self, number: usize) -> Result<(), ExploreError> {
        let worker = &mut self.workers[number];
        let Some(template) = &mut worker.template else {
            return Ok(());
        };
        worker.process.discard_output();
        if std::mem::take(&mut worker.has_unread_input) {
            procfs::drain(template.pid(), 0).map_err(ExploreError::Command)?;
        }
        match self.tracer.copy(template, number) {
            Ok(copy) => {
                worker.main = Some(copy);
                Ok(())
            }
            // Its process number may have been given to another process.
            Err(_) => {
                self.no_templates = true;
                self.workers[number] = self.start(number)?;
                self.attach(number)?;
                match self.workers[number].is_zygote() {
                    true => self.fork(&[number]),
                    false => Ok(()),
                }
            }
        }
    }

    /// Puts another life of a worker in place of one whose template remains: the number of a
    /// process that has left must not come back in the same schedule.
    pub(super) fn next_life(&mut self, number: usize) -> Result<(), ExploreError> {
        let life = self.workers[number].life + 1;
        let (next, is_new) = match self.other_lives.remove(&(number, life)) {
            Some(next) => (next, false),
            None => (self.start(number)?, true),
        };
        self.change_life(number, next);
        self.workers[number].life = life;
        if is_new {
            self.attach(number)?;
            self.make_template(number)?;
        }
        match self.workers[number].is_zygote() {
            true => self.fork(&[number]),
            false => self.copy(number),
        }
    }

    /// Brings back the first life of each worker.
    pub(super) fn first_lives(&mut self) {
        for number in 0..self.workers.len() {
            if let Some(first) = self.other_lives.remove(&(number, 0)) {
                self.change_life(number, first);
            }
        }
    }

    fn change_life(&mut self, number: usize, next: super::worker::Worker) {
        let before = std::mem::replace(&mut self.workers[number], next);
        if before.template.is_some() {
            self.other_lives.insert((number, before.life), before);
        }
    }
}
