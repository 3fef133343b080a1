//! Starts workers, waits until they are ready, and asks one alone.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::lock_under_test::{LockUnderTest, Place};
use super::worker::{WorkerProcess, describe};
use crate::protocol::{Answer, Capabilities, Line};

/// How long a worker may take to say `ready`.
pub const START_UP: Duration = Duration::from_secs(30);

/// How workers are started.
#[derive(Debug)]
pub struct WorkerSpawner<'a> {
    pub lock: &'a LockUnderTest,
    pub directory: PathBuf,
    pub name: String,
    pub control: PathBuf,
    pub threads: usize,
    pub seed: u64,
    /// Somebody wants us to stop.
    interrupted: Option<&'a AtomicBool>,
    started: u64,
}

impl<'a> WorkerSpawner<'a> {
    pub fn new(
        lock: &'a LockUnderTest,
        base: PathBuf,
        name: String,
        threads: usize,
        seed: u64,
    ) -> io::Result<Self> {
        let (directory, control) = (base.join("locks"), base.join("control"));
        fs::create_dir_all(&directory)?;
        fs::create_dir_all(&control)?;
        Ok(WorkerSpawner {
            lock,
            directory,
            name,
            control,
            threads,
            seed,
            interrupted: None,
            started: 0,
        })
    }

    /// Gives up waiting for a worker to start when this is set.
    pub fn unless(mut self, interrupted: &'a AtomicBool) -> Self {
        self.interrupted = Some(interrupted);
        self
    }

    /// Whether somebody wants us to stop.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
            .is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Starts a worker with this number.
    pub fn start(&mut self, number: usize) -> io::Result<WorkerProcess> {
        self.started += 1;
        let control = self.control.join(self.started.to_string());
        fs::create_dir(&control)?;
        let place = Place {
            number,
            directory: self.directory.clone(),
            name: self.name.clone(),
            control: control.clone(),
            threads: self.threads,
            seed: self.seed.wrapping_add(self.started),
        };
        let process = WorkerProcess::start(self.lock.command(&place))?;
        Ok(process.with_directory(control))
    }

    /// Deletes everything in the directory of the locks; says how many entries that were.
    pub fn delete_files(&self) -> usize {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| match path.is_dir() && !path.is_symlink() {
                true => fs::remove_dir_all(path).is_ok(),
                false => fs::remove_file(path).is_ok(),
            })
            .count()
    }

    /// Starts a worker and waits until it is ready.
    pub fn start_ready(
        &mut self,
        number: usize,
    ) -> Result<(WorkerProcess, Capabilities, Vec<String>), String> {
        let process = self
            .start(number)
            .map_err(|error| format!("the worker cannot be started: {error}"))?;
        self.until_ready(process)
            .map(|(process, ready)| (process, ready.can, ready.before))
    }

    /// Waits for the line `ready`; what else it says before is let pass, as long as it is not too much.
    pub fn until_ready(
        &self,
        mut process: WorkerProcess,
    ) -> Result<(WorkerProcess, Ready), String> {
        let deadline = Instant::now() + START_UP;
        let mut before = Vec::new();
        let problem = loop {
            let mut lines = Vec::new();
            let open = process.lines(&mut lines);
            for line in lines {
                match line {
                    Line::Ready(can, unknown) => {
                        let ready = Ready {
                            can,
                            unknown,
                            before,
                        };
                        return Ok((process, ready));
                    }
                    Line::Answer(slot, answer) => before.push(format!("{slot} {answer}")),
                    Line::Garbage(text) => before.push(text),
                }
            }
            if before.len() > 1000 {
                break "wrote 1000 lines without saying `ready`".to_owned();
            }
            if self.is_interrupted() {
                return Err("interrupted before the worker was ready".to_owned());
            }
            if !open {
                let deadline = Instant::now() + Duration::from_secs(2);
                while process.ended().is_none() && Instant::now() < deadline {
                    wait_for(&process, Duration::from_millis(5));
                }
                break match process.ended() {
                    Some(status) => {
                        format!(
                            "{} before it said `ready`{}",
                            describe(status),
                            in_background(&process, status)
                        )
                    }
                    None => "closed its standard output before it said `ready`".to_owned(),
                };
            }
            if Instant::now() >= deadline {
                break format!("did not say `ready` within {} s", START_UP.as_secs());
            }
            wait_for(&process, Duration::from_millis(50));
        };
        let garbage = before;
        let said = garbage
            .first()
            .map_or_else(String::new, |line| format!("; it said: {line}"));
        Err(format!(
            "the worker {problem}{said}{}",
            stderr_of(&mut process)
        ))
    }
}

/// What a worker said of itself.
#[derive(Debug)]
pub struct Ready {
    pub can: Capabilities,
    /// Words that are no capability.
    pub unknown: Vec<String>,
    /// What else came before.
    pub before: Vec<String>,
}

/// What to say of a worker that ended well while something that it started goes on.
pub fn in_background(process: &WorkerProcess, status: std::process::ExitStatus) -> &'static str {
    match status.success() && process.is_outlived() {
        true => " (and left something running: a worker must stay in the foreground)",
        false => "",
    }
}

/// What it said on standard error, as the end of a message.
pub fn stderr_of(process: &mut WorkerProcess) -> String {
    let errors = process.errors();
    match errors.lines().rev().find(|line| !line.trim().is_empty()) {
        // The last line of a traceback is what it is about.
        Some(line) => format!("; its standard error ends: {}", line.trim()),
        None => String::new(),
    }
}

/// Returns when the worker has something to say, or the time is over.
pub fn wait_for(process: &WorkerProcess, time: Duration) {
    let mut fds: Vec<PollFd<'_>> = process
        .descriptors()
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut fds, timeout);
    // A closed pipe is always ready; nobody is kept busy by it.
    if fds.iter().any(|fd| {
        fd.revents()
            .is_some_and(|events| events.contains(PollFlags::POLLHUP))
    }) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The next answer of this slot; what others say meanwhile is lost.
pub fn answer_of(process: &mut WorkerProcess, slot: usize, within: Duration) -> Option<Answer> {
    let [answer] = answers_of(process, [slot], within);
    answer
}

/// The next answer of each of these slots, in whichever order they come.
pub fn answers_of<const N: usize>(
    process: &mut WorkerProcess,
    slots: [usize; N],
    within: Duration,
) -> [Option<Answer>; N] {
    let deadline = Instant::now() + within;
    let mut answers = [const { None }; N];
    loop {
        let mut lines = Vec::new();
        let open = process.lines(&mut lines);
        for line in lines {
            if let Line::Answer(slot, answer) = line
                && let Some(place) = slots.iter().position(|wanted| *wanted == slot)
            {
                answers[place].get_or_insert(answer);
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if answers.iter().all(Option::is_some) || !open || left.is_zero() {
            return answers;
        }
        wait_for(process, left);
    }
}
