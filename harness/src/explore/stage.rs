//! The workers of a schedule under the tracer: one step at a time, and nothing else moves.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::foreign::crew::Recruiter;
use crate::foreign::protocol::{Answer, Capabilities, Capability, Line, Verb};
use crate::foreign::worker::WorkerProcess;

use super::call::{Call, Kind, classify};
use super::schedule::What;
use super::tracer::{self, Stop, Tracer};

/// A worker that says nothing for so long, while the scheduler waits for it, is not going to.
const HANGS: Duration = Duration::from_secs(10);
/// If nothing is heard of a worker for so long and none of its tasks runs, it waits for something that is not watched.
const QUIET: Duration = Duration::from_millis(8);

/// One worker.
#[derive(Debug)]
pub struct Actor {
    process: WorkerProcess,
    can: Capabilities,
    /// The process that takes the lock: the worker, or a child of it.
    main: Option<Pid>,
    ready: bool,
    /// Tasks that stand before a call that matters, in the order in which they came there.
    pub parked: VecDeque<(Pid, Call)>,
    /// What it was told and has not answered.
    pub told: Option<Verb>,
    answers: Vec<Answer>,
    /// Waits for a lock, until somebody does something.
    pub blocked: bool,
    /// Waits for something that is not watched.
    pub waits_elsewhere: bool,
    pub gone: bool,
}

/// All of them.
pub struct Stage<'a> {
    recruiter: Recruiter<'a>,
    tracer: Tracer,
    pub(super) actors: Vec<Actor>,
    numbers: HashMap<Pid, u64>,
    performing: Option<Pid>,
    result: Option<i64>,
    /// Nobody is stopped before calls.
    free: bool,
    directory: PathBuf,
}

impl<'a> Stage<'a> {
    pub(super) fn new(recruiter: Recruiter<'a>) -> io::Result<Self> {
        let directory = fs::canonicalize(&recruiter.directory)?;
        Ok(Stage {
            recruiter,
            tracer: Tracer::default(),
            actors: Vec::new(),
            numbers: HashMap::new(),
            performing: None,
            result: None,
            free: true,
            directory,
        })
    }

    /// Prepares so many fresh workers and an empty directory.
    pub fn set(&mut self, actors: usize) -> Result<(), String> {
        self.free = true;
        self.strike();
        self.actors.truncate(actors);
        self.recruiter.delete_files();
        for number in 0..actors {
            if number == self.actors.len() {
                let actor = self.start(number)?;
                self.actors.push(actor);
                self.attach(number)?;
            } else if !self.actors[number].can.has(Capability::Zygote) {
                self.actors[number] = self.start(number)?;
                self.attach(number)?;
            }
        }
        for number in 0..actors {
            if self.actors[number].can.has(Capability::Zygote) {
                self.fork(number)?;
            }
        }
        self.free = false;
        Ok(())
    }

    fn start(&mut self, number: usize) -> Result<Actor, String> {
        let (process, can, _) = self.recruiter.start_ready(number)?;
        Ok(Actor {
            process,
            can,
            main: None,
            ready: false,
            parked: VecDeque::new(),
            told: None,
            answers: Vec::new(),
            blocked: false,
            waits_elsewhere: false,
            gone: false,
        })
    }

    fn attach(&mut self, number: usize) -> Result<(), String> {
        let pid = self.actors[number].process.pid();
        self.actors[number].main = Some(pid);
        self.tracer.attach(number, pid).map_err(|error| {
            format!(
                "the worker cannot be traced ({error}): ptrace must be allowed. In a container add --cap-add=SYS_PTRACE; elsewhere see \
                 /proc/sys/kernel/yama/ptrace_scope, which must not be 3"
            )
        })
    }

    fn fork(&mut self, number: usize) -> Result<(), String> {
        let actor = &mut self.actors[number];
        actor.main = None;
        actor.ready = false;
        actor
            .process
            .say("* fork\n")
            .map_err(|error| format!("the zygote is gone: {error}"))?;
        self.wait_for(
            number,
            |actor| actor.ready && actor.main.is_some(),
            "forked",
        )?;
        Ok(())
    }

    /// Ends every worker; zygotes stay.
    fn strike(&mut self) {
        for number in 0..self.actors.len() {
            self.end(number);
        }
    }

    /// Kills a worker and waits until nothing of it is left; its zygote stays.
    pub fn end(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        let zygote = actor
            .can
            .has(Capability::Zygote)
            .then(|| actor.process.pid());
        actor.parked.clear();
        actor.told = None;
        actor.blocked = false;
        actor.waits_elsewhere = false;
        actor.ready = false;
        let deadline = Instant::now() + HANGS;
        let free = std::mem::replace(&mut self.free, true);
        loop {
            let left: Vec<Pid> = self
                .tracer
                .tasks
                .iter()
                .filter(|(tid, owner)| **owner == number && Some(**tid) != zygote)
                .map(|(tid, _)| *tid)
                .collect();
            if left.is_empty() || Instant::now() > deadline {
                break;
            }
            for tid in left {
                let _ = kill(tid, Signal::SIGKILL);
            }
            while self.pump() {}
            std::thread::yield_now();
        }
        self.actors[number].gone = zygote.is_none();
        if zygote.is_some() && self.actors[number].main.is_some() {
            let _ = self.wait_for(number, |actor| actor.ready, "was ready again");
        }
        self.actors[number].main = None;
        self.actors[number].answers.clear();
        self.free = free;
    }

    fn wait_for(
        &mut self,
        number: usize,
        done: impl Fn(&Actor) -> bool,
        what: &str,
    ) -> Result<(), String> {
        let deadline = Instant::now() + HANGS;
        while !done(&self.actors[number]) {
            if !self.pump() {
                self.hear(number);
                if Instant::now() > deadline || self.actors[number].gone {
                    let errors = crate::foreign::crew::stderr_of(&mut self.actors[number].process);
                    return Err(format!("worker {number} has not {what}{errors}"));
                }
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    /// Handles one stop, if there is one.
    fn pump(&mut self) -> bool {
        let Some((tid, stop)) = self.tracer.poll() else {
            return false;
        };
        let Some(&number) = self.tracer.tasks.get(&tid) else {
            // Gone.
            self.after_the_end_of(tid);
            return true;
        };
        match stop {
            Stop::Enter { nr, args } => {
                self.numbers.insert(tid, nr);
                let watched = !self.free && Some(tid) != self.zygote_of(number);
                match watched
                    .then(|| classify(tid, nr, args, &self.directory))
                    .flatten()
                {
                    Some(call) => {
                        self.actors[number].parked.push_back((tid, call));
                        self.actors[number].waits_elsewhere = false;
                    }
                    None => self.tracer.resume(tid),
                }
            }
            Stop::Leave { result } if self.performing == Some(tid) => self.result = Some(result),
            Stop::Leave { .. } => {
                let writes = [
                    libc::SYS_write,
                    libc::SYS_writev,
                    libc::SYS_sendto,
                    libc::SYS_sendmsg,
                ];
                if self
                    .numbers
                    .get(&tid)
                    .is_some_and(|nr| writes.contains(&(*nr as libc::c_long)))
                {
                    self.hear(number);
                }
                self.tracer.resume(tid);
            }
            Stop::Started(child) => {
                self.tracer.adopt(child, number);
                if self.free && Some(tid) == self.zygote_of(number) {
                    self.actors[number].main = Some(child);
                }
                self.tracer.resume(tid);
            }
            Stop::New | Stop::Other => self.tracer.resume(tid),
            Stop::Gone => {}
        }
        true
    }

    fn after_the_end_of(&mut self, tid: Pid) {
        self.numbers.remove(&tid);
        if self.performing == Some(tid) {
            self.performing = None;
        }
        for actor in &mut self.actors {
            actor.parked.retain(|(parked, _)| *parked != tid);
            actor.gone |= actor.main == Some(tid);
            if actor.process.pid() == tid {
                actor.process.was_reaped();
            }
        }
    }

    fn zygote_of(&self, number: usize) -> Option<Pid> {
        let actor = &self.actors[number];
        actor
            .can
            .has(Capability::Zygote)
            .then(|| actor.process.pid())
    }

    fn hear(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        let mut lines = Vec::new();
        actor.process.lines(&mut lines);
        for line in lines {
            match line {
                Line::Ready(..) => actor.ready = true,
                Line::Answer(0, answer) => {
                    if !matches!(answer, Answer::Lost(_)) {
                        actor.told = None;
                        actor.waits_elsewhere = false;
                    }
                    actor.answers.push(answer);
                }
                _ => {}
            }
        }
    }

    /// What it has said since it was last asked.
    pub fn take_answers(&mut self, number: usize) -> Vec<Answer> {
        std::mem::take(&mut self.actors[number].answers)
    }

    /// Tells a worker to do something, and lets it go on to its first call that matters.
    pub fn tell(&mut self, number: usize, verb: Verb) -> What {
        self.actors[number].told = Some(verb);
        if self.actors[number].process.tell(0, verb).is_err() {
            self.actors[number].gone = true;
        }
        self.settle(number);
        What::Told(verb)
    }

    /// Tells a worker to do something and waits for its answer, unscheduled.
    pub fn tell_freely(&mut self, number: usize, verb: Verb) -> Result<Answer, String> {
        self.free = true;
        self.actors[number].told = Some(verb);
        self.actors[number]
            .process
            .tell(0, verb)
            .map_err(|error| error.to_string())?;
        let done = self.wait_for(number, |actor| actor.told.is_none(), "answered");
        self.free = false;
        done?;
        self.take_answers(number)
            .pop()
            .ok_or_else(|| "no answer".to_owned())
    }

    /// Makes the call before which a worker stands, and lets it go on to the next one.
    pub fn perform(&mut self, number: usize) -> What {
        let Some((tid, call)) = self.actors[number].parked.pop_front() else {
            self.settle(number);
            return What::Told(Verb::Acquire);
        };
        let mut before = 0;
        if call.kind == Kind::Sleeps {
            let _ = tracer::skip(tid);
        }
        if let Some((argument, value)) = call.blocking {
            before = tracer::set_argument(tid, argument, value).unwrap_or(value);
        }
        let gives_fd = matches!(call.name, "open");
        self.performing = Some(tid);
        self.result = None;
        self.tracer.resume(tid);
        let deadline = Instant::now() + HANGS;
        while self.result.is_none() && self.performing.is_some() && Instant::now() < deadline {
            if !self.pump() {
                std::hint::spin_loop();
            }
        }
        let mut result = self.result.take().unwrap_or(0);
        self.performing = None;
        let would_wait = [-i64::from(libc::EAGAIN), -i64::from(libc::EACCES)].contains(&result);
        if let Some((argument, _)) = call.blocking
            && would_wait
        {
            let _ = tracer::again(tid, call.nr, argument, before);
            self.actors[number].blocked = true;
            self.tracer.resume(tid);
            self.settle(number);
            return What::Waits { call };
        }
        if call.kind == Kind::Sleeps {
            let _ = tracer::set_result(tid, 0);
            result = 0;
        }
        let fd = match gives_fd {
            true => i32::try_from(result).ok().filter(|fd| *fd >= 0),
            false => call.fd.filter(|_| call.name != "close"),
        };
        let inode = fd.and_then(|fd| {
            fs::metadata(format!("/proc/{tid}/fd/{fd}"))
                .ok()
                .map(|meta| meta.ino())
        });
        self.tracer.resume(tid);
        self.settle(number);
        What::Did {
            call,
            result,
            inode,
        }
    }

    /// Waits until a worker stands before a call that matters, has answered, is gone, or waits for something else.
    fn settle(&mut self, number: usize) {
        let mut quiet_since = Instant::now();
        let began = quiet_since;
        let mut spins = 0_u32;
        loop {
            let actor = &self.actors[number];
            if !actor.parked.is_empty() || actor.told.is_none() || actor.gone {
                return;
            }
            if self.pump() {
                quiet_since = Instant::now();
                spins = 0;
                continue;
            }
            spins += 1;
            match spins {
                0..200 => std::thread::yield_now(),
                _ => std::thread::sleep(Duration::from_micros(50)),
            }
            if quiet_since.elapsed() > QUIET
                && (!self.somebody_runs(number) || began.elapsed() > HANGS)
            {
                self.actors[number].waits_elsewhere = true;
                return;
            }
        }
    }

    fn somebody_runs(&self, number: usize) -> bool {
        self.tracer
            .tasks
            .iter()
            .filter(|(_, owner)| **owner == number)
            .any(|(tid, _)| {
                fs::read_to_string(format!("/proc/{tid}/stat")).is_ok_and(|stat| {
                    let state = stat.rsplit(") ").next().unwrap_or("");
                    state.starts_with('R') || state.starts_with('D')
                })
            })
    }

    /// Lets those that wait elsewhere go on, for so long at most.
    pub fn wait_elsewhere(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let waiting: Vec<usize> = (0..self.actors.len())
            .filter(|&number| self.actors[number].waits_elsewhere)
            .collect();
        while Instant::now() < deadline {
            while self.pump() {}
            if waiting
                .iter()
                .any(|&number| !self.actors[number].waits_elsewhere)
            {
                return true;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        false
    }

    /// Whatever has happened meanwhile.
    pub fn catch_up(&mut self) {
        while self.pump() {}
    }

    /// Everything in the directory becomes older by this.
    pub fn age(&self, by: Duration) {
        age(&self.directory, by);
    }

    /// The names, inodes and sizes in the directory.
    pub fn fingerprint(&self) -> Vec<(String, u64, u64)> {
        let entries = fs::read_dir(&self.directory)
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
        self.recruiter.delete_files();
    }
}

fn age(directory: &Path, by: Duration) {
    for path in fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
    {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            age(&path, by);
        }
        let then = SystemTime::now() - by;
        let times = fs::FileTimes::new().set_accessed(then).set_modified(then);
        let _ = fs::File::open(&path).and_then(|file| file.set_times(times));
    }
}
