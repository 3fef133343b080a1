//! The workers of one scenario: who works where, and who stands by to take the place of one that goes.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};

use super::lock::{LockUnderTest, Place};
use super::protocol::{Answer, Capabilities, Line, Verb};
use super::scenario::Act;
use super::worker::{WorkerProcess, describe};

/// How long a worker may take to say `ready`.
const START_UP: Duration = Duration::from_secs(30);
/// How many may be starting at once besides those that work.
const STARTING: usize = 2;

/// What a slot is at. Times are nanoseconds since the scenario began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// It asks at this time.
    Idle { until: u64 },
    /// It has asked.
    Asked { verb: Verb, at: u64 },
    /// It is in the section, and leaves at this time.
    Inside { until: u64 },
    /// It is in the section and does something there.
    Telling { verb: Verb, at: u64 },
    /// It was told to release.
    Releasing { at: u64 },
    /// It was told to remove the lock.
    Removing { at: u64 },
}

impl State {
    /// What it was told and has not answered, and since when.
    pub fn pending(&self) -> Option<(Verb, u64)> {
        match *self {
            State::Asked { verb, at } | State::Telling { verb, at } => Some((verb, at)),
            State::Releasing { at } => Some((Verb::Release, at)),
            State::Removing { at } => Some((Verb::Remove, at)),
            State::Idle { .. } | State::Inside { .. } => None,
        }
    }

    /// Whether it waits for the lock, however long it takes.
    pub fn waits(&self) -> bool {
        matches!(
            self,
            State::Asked {
                verb: Verb::Acquire | Verb::Read,
                ..
            }
        )
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub state: State,
    /// What is to happen in this section, or after it.
    pub act: Option<Act>,
    /// Sections of all when it asked.
    pub seen: u64,
    /// The machine stood still after it had asked.
    pub stalled: bool,
}

/// A place in which one worker after the other works.
#[derive(Debug)]
pub struct Post {
    pub process: Option<WorkerProcess>,
    pub life: u32,
    pub slots: Vec<Slot>,
    /// Stopped until then.
    pub stopped_until: Option<u64>,
    /// To be killed then.
    pub killed_at: Option<u64>,
    /// It was told to leave, and has until then.
    pub leaves_by: Option<u64>,
    /// Lines since the last one that was of the protocol.
    pub garbage: u64,
    spare: Option<Spare>,
}

#[derive(Debug)]
struct Spare {
    process: WorkerProcess,
    ready: bool,
    since: Instant,
}

/// How workers are started.
#[derive(Debug)]
pub struct Recruiter<'a> {
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

impl<'a> Recruiter<'a> {
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
        Ok(Recruiter {
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

    fn is_interrupted(&self) -> bool {
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

impl Post {
    fn new(slots: usize) -> Self {
        let slot = Slot {
            state: State::Idle { until: 0 },
            act: None,
            seen: 0,
            stalled: false,
        };
        Post {
            process: None,
            life: 0,
            slots: vec![slot; slots],
            stopped_until: None,
            killed_at: None,
            leaves_by: None,
            garbage: 0,
            spare: None,
        }
    }

    /// Whether another could take its place at once.
    pub fn has_spare(&self) -> bool {
        self.spare.as_ref().is_some_and(|spare| spare.ready)
    }
}

/// All of them.
#[derive(Debug)]
pub struct Crew<'a> {
    pub recruiter: Recruiter<'a>,
    pub posts: Vec<Post>,
    /// For so many of the places somebody stands by.
    spares: usize,
    failed_starts: u32,
}

impl<'a> Crew<'a> {
    /// Starts everybody and waits until all are ready.
    pub fn gather(
        recruiter: Recruiter<'a>,
        processes: usize,
        spares: usize,
    ) -> Result<Self, String> {
        let slots = recruiter.threads;
        let mut crew = Crew {
            recruiter,
            posts: (0..processes).map(|_| Post::new(slots)).collect(),
            spares,
            failed_starts: 0,
        };
        let problem = |error| format!("a worker cannot be started: {error}");
        let started: Vec<WorkerProcess> = (0..processes)
            .map(|number| crew.recruiter.start(number).map_err(problem))
            .collect::<Result<_, _>>()?;
        for (number, process) in started.into_iter().enumerate() {
            crew.posts[number].process = Some(crew.recruiter.until_ready(process)?.0);
        }
        let standing_by: Vec<WorkerProcess> = (0..spares)
            .map(|number| crew.recruiter.start(number).map_err(problem))
            .collect::<Result<_, _>>()?;
        for (number, process) in standing_by.into_iter().enumerate() {
            let process = crew.recruiter.until_ready(process)?.0;
            crew.posts[number].spare = Some(Spare {
                process,
                ready: true,
                since: Instant::now(),
            });
        }
        Ok(crew)
    }

    /// Fills empty places and looks after those that stand by. Says why if workers do not start any more.
    pub fn replenish(&mut self, now: u64) -> Result<(), String> {
        let mut starting = self
            .posts
            .iter()
            .filter(|post| post.spare.as_ref().is_some_and(|s| !s.ready))
            .count();
        for (number, post) in self.posts.iter_mut().enumerate() {
            if post.process.is_none() && post.has_spare() {
                post.process = post.spare.take().map(|spare| spare.process);
                post.life += 1;
                for slot in &mut post.slots {
                    slot.state = State::Idle { until: now };
                }
            }
            if let Some(spare) = &mut post.spare {
                let mut lines = Vec::new();
                let open = spare.process.lines(&mut lines);
                spare.ready |= lines.iter().any(|line| matches!(line, Line::Ready(..)));
                let dead = !open && spare.process.ended().is_some();
                if dead || (!spare.ready && spare.since.elapsed() > START_UP) {
                    self.failed_starts += 1;
                    let why = stderr_of(&mut spare.process);
                    post.spare = None;
                    if self.failed_starts >= 10 {
                        return Err(format!("10 workers did not start{why}"));
                    }
                }
            }
            let wanted = number < self.spares || post.process.is_none();
            if wanted && post.spare.is_none() && starting < STARTING {
                let process = self
                    .recruiter
                    .start(number)
                    .map_err(|error| format!("a worker cannot be started: {error}"))?;
                post.spare = Some(Spare {
                    process,
                    ready: false,
                    since: Instant::now(),
                });
                starting += 1;
            }
        }
        Ok(())
    }

    /// Takes the status of processes that workers had started, which became our children when the workers died.
    pub fn reap_orphans(&self) {
        let ours: Vec<_> = self.processes().map(WorkerProcess::pid).collect();
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(status) = waitid(Id::All, ended)
            && let Some(pid) = status.pid()
            && !ours.contains(&pid)
            && waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_ok()
        {}
    }

    fn processes(&self) -> impl Iterator<Item = &WorkerProcess> {
        self.posts.iter().flat_map(|post| {
            let spare = post.spare.as_ref().map(|spare| &spare.process);
            post.process.iter().chain(spare)
        })
    }

    /// Returns at `deadline`, or earlier if anybody has something to say; the numbers of those posts.
    pub fn wait(&self, timeout: Duration) -> Vec<usize> {
        let mut fds = Vec::with_capacity(self.posts.len() * 4);
        let mut owners = Vec::with_capacity(fds.capacity());
        for (number, post) in self.posts.iter().enumerate() {
            let spare = post.spare.as_ref().map(|spare| &spare.process);
            for fd in post
                .process
                .iter()
                .chain(spare)
                .flat_map(WorkerProcess::descriptors)
            {
                fds.push(PollFd::new(fd, PollFlags::POLLIN));
                owners.push(number);
            }
        }
        let timeout = nix::sys::time::TimeSpec::from_duration(timeout);
        // Interrupted or not: the loop looks at everything anew.
        let _ = nix::poll::ppoll(&mut fds, Some(timeout), None);
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        let mut numbers: Vec<usize> = fds
            .iter()
            .zip(owners)
            .filter(|(fd, _)| ready(fd))
            .map(|(_, owner)| owner)
            .collect();
        numbers.dedup();
        numbers
    }

    /// Lets everybody go; those that do not are killed, and counted.
    pub fn dismiss(self) -> usize {
        const GRACE: Duration = Duration::from_secs(3);
        // Those that stand by have held nothing, and may not have started yet.
        let mut left: Vec<WorkerProcess> = self
            .posts
            .into_iter()
            .filter_map(|post| post.process)
            .collect();
        left.iter_mut().for_each(WorkerProcess::end_input);
        let deadline = Instant::now() + GRACE;
        while !left.is_empty() && Instant::now() < deadline {
            left.retain_mut(|process| {
                process.lines(&mut Vec::new());
                process.ended().is_none()
            });
            if let Some(process) = left.first() {
                wait_for(process, Duration::from_millis(20));
            }
        }
        left.len()
    }
}
