//! Starts workers, waits until they are ready, and reads answers of a single one.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::{NotReady, WorkerError};
use super::lock_under_test::{LockUnderTest, WorkerConfig};
use super::worker::WorkerProcess;
use crate::protocol::{Answer, Capabilities, Line};
use crate::sys::program;

/// Time within which a worker must write `ready`.
pub const START_UP: Duration = Duration::from_secs(30);

/// Starts the workers of one lock.
#[derive(Debug)]
pub struct WorkerSpawner<'a> {
    pub lock: &'a LockUnderTest,
    pub directory: PathBuf,
    pub name: String,
    pub control: PathBuf,
    pub threads: usize,
    pub seed: u64,
    /// Set if workers resolve all their symbols when they start (LD_BIND_NOW, ld.so(8)): copies of
    /// one need not each do so again.
    pub binds_symbols: bool,
    /// Set when the user interrupts the run.
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
    ) -> Result<Self, WorkerError> {
        let (directory, control) = (base.join("locks"), base.join("control"));
        for folder in [&directory, &control] {
            fs::create_dir_all(folder).map_err(|error| WorkerError::Directory {
                base: base.clone(),
                error,
            })?;
        }
        Ok(WorkerSpawner {
            lock,
            directory,
            name,
            control,
            threads,
            seed,
            binds_symbols: false,
            interrupted: None,
            started: 0,
        })
    }

    /// Stops waiting for a worker to become ready once this is set.
    pub fn stop_when(mut self, interrupted: &'a AtomicBool) -> Self {
        self.interrupted = Some(interrupted);
        self
    }

    /// Returns `true` if the user has interrupted the run.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
            .is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Starts a worker with this number.
    pub fn start(&mut self, number: usize) -> Result<WorkerProcess, WorkerError> {
        self.try_start(number).map_err(WorkerError::Start)
    }

    fn try_start(&mut self, number: usize) -> io::Result<WorkerProcess> {
        self.started += 1;
        let control = self.control.join(self.started.to_string());
        fs::create_dir(&control)?;
        let config = WorkerConfig {
            number,
            directory: self.directory.clone(),
            name: self.name.clone(),
            control: control.clone(),
            threads: self.threads,
            seed: self.seed.wrapping_add(self.started),
        };
        let mut command = self.lock.command(&config);
        if self.binds_symbols {
            command.env("LD_BIND_NOW", "1");
        }
        let process = WorkerProcess::start(command)?;
        Ok(process.with_directory(control))
    }

    /// Deletes everything in the directory of the locks. Returns the number of entries.
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
    ) -> Result<(WorkerProcess, Capabilities), WorkerError> {
        let process = self.start(number)?;
        self.until_ready(process)
            .map(|(process, ready)| (process, ready.capabilities))
    }

    /// Waits for the line `ready`. Up to 1000 other lines may come first.
    pub fn until_ready(
        &self,
        mut process: WorkerProcess,
    ) -> Result<(WorkerProcess, Ready), WorkerError> {
        let deadline = Instant::now() + START_UP;
        let mut before = Vec::new();
        let problem = loop {
            let mut lines = Vec::new();
            let open = process.lines(&mut lines);
            for line in lines {
                match line {
                    Line::Ready(capabilities, unknown) => {
                        let ready = Ready {
                            capabilities,
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
                break NotReady::Output;
            }
            if self.is_interrupted() {
                return Err(WorkerError::Interrupted);
            }
            if !open {
                let deadline = Instant::now() + Duration::from_secs(2);
                while process.ended().is_none() && Instant::now() < deadline {
                    wait_for(&process, Duration::from_millis(5));
                }
                break match process.ended() {
                    Some(status) => NotReady::Ended {
                        status,
                        background: in_background(&process, status),
                    },
                    None => NotReady::Closed,
                };
            }
            if Instant::now() >= deadline {
                break NotReady::Silent(START_UP);
            }
            wait_for(&process, Duration::from_millis(50));
        };
        Err(WorkerError::NotReady {
            problem,
            output: before.into_iter().next(),
            stderr: stderr_of(&mut process),
        })
    }
}

/// The output of a worker up to its line `ready`.
#[derive(Debug)]
pub struct Ready {
    pub capabilities: Capabilities,
    /// Words that are no capabilities.
    pub unknown: Vec<String>,
    /// Lines before it.
    pub before: Vec<String>,
}

/// Explains a worker that exited successfully while a child of it lives on.
pub fn in_background(process: &WorkerProcess, status: std::process::ExitStatus) -> &'static str {
    match status.success() && process.is_outlived() {
        true => " (and left something running: a worker must stay in the foreground)",
        false => "",
    }
}

/// The last line of its standard error, as the end of a sentence.
pub fn stderr_of(process: &mut WorkerProcess) -> String {
    let errors = process.errors();
    match errors.lines().rev().find(|line| !line.trim().is_empty()) {
        // The last line of a traceback names the error.
        Some(line) => format!("; its standard error ends with: {}", line.trim()),
        None => String::new(),
    }
}

/// Waits until the worker has written or ended, or the time has passed.
pub fn wait_for(process: &WorkerProcess, time: Duration) {
    program::wait_for(process.program(), time);
}

/// The next answer of this slot; answers of other slots are dropped.
pub fn answer_of(process: &mut WorkerProcess, slot: usize, within: Duration) -> Option<Answer> {
    let [answer] = answers_of(process, [slot], within);
    answer
}

/// The next answer of each of these slots, in any order.
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
                && let Some(index) = slots.iter().position(|wanted| *wanted == slot)
            {
                answers[index].get_or_insert(answer);
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if answers.iter().all(Option::is_some) || !open || left.is_zero() {
            return answers;
        }
        wait_for(process, left);
    }
}
