//! Programs with pipes, each in a job of its own.
//!
//! Windows cannot wait for several anonymous pipes, so a thread reads each pipe into memory, and
//! another one waits for the end of the process. All of them report to one [condition](CHANGED).

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::System::Threading::{INFINITE, WaitForSingleObject};

use super::{Job, KILLED};

/// Something has changed in a pipe or a process. Whoever waits holds the mutex while it looks, and
/// the reporters take it after their change, so no change is missed.
static CHANGED: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

fn report_change() {
    drop(lock(&CHANGED.0));
    CHANGED.1.notify_all();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    job: Job,
    stdin: Option<ChildStdin>,
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
    over: Arc<AtomicBool>,
}

/// The output that a thread has read from a pipe.
#[derive(Debug)]
struct Pipe(Arc<(Mutex<Contents>, Condvar)>);

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    /// The pipe has ended, or its reader is gone.
    closed: bool,
}

/// Bytes kept of a pipe before its thread waits for them to be read.
const MOST: usize = 1 << 20;

impl Pipe {
    fn read_by_thread(mut from: impl Read + Send + 'static) -> io::Result<Self> {
        let contents = Arc::new((Mutex::new(Contents::default()), Condvar::new()));
        let pipe = Pipe(Arc::clone(&contents));
        thread::Builder::new().spawn(move || {
            let (state, room) = &*contents;
            let mut buffer = vec![0; 16 << 10];
            loop {
                let read = from.read(&mut buffer);
                let mut state = lock(state);
                match read {
                    Ok(length @ 1..) => state.bytes.extend_from_slice(&buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    _ => state.closed = true,
                }
                let closed = state.closed;
                drop(state);
                if closed {
                    room.notify_all();
                }
                report_change();
                if closed {
                    return;
                }
                let mut state = lock(&contents.0);
                while state.bytes.len() > MOST && !state.closed {
                    state = room.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        })?;
        Ok(pipe)
    }

    fn has_news(&self) -> bool {
        let contents = lock(&self.0.0);
        contents.closed || !contents.bytes.is_empty()
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut contents = lock(&self.0.0);
        let length = contents.bytes.len().min(buffer.len());
        if length == 0 && !contents.closed {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffer[..length].copy_from_slice(&contents.bytes[..length]);
        contents.bytes.drain(..length);
        self.0.1.notify_all();
        Ok(length)
    }
}

/// Time within which a thread must read the last output of a program.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// Waits until everything that the program wrote was read, or the time has passed: a child of the
/// program may keep the pipe open.
fn wait_for_end(pipe: &(Mutex<Contents>, Condvar), limit: Duration) {
    let (contents, changed) = pipe;
    let is_open = |contents: &mut Contents| !contents.closed;
    drop(changed.wait_timeout_while(lock(contents), limit, is_open));
}

impl Drop for Pipe {
    /// Its thread stops at the next byte, or at the end of the pipe.
    fn drop(&mut self) {
        lock(&self.0.0).closed = true;
        self.0.1.notify_all();
    }
}

impl Program {
    /// Starts a program, which dies with this process.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let job = Job::new()?;
        let mut child = command.spawn()?;
        if let Err(error) = job.add(&child)
            && !matches!(child.try_wait(), Ok(Some(_)))
        {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        let stdout = child.stdout.take().map(Pipe::read_by_thread).transpose()?;
        let stderr = child.stderr.take().map(Pipe::read_by_thread).transpose()?;
        let end = child.as_handle().try_clone_to_owned()?;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let output = stdout.as_ref().map(|pipe| Arc::clone(&pipe.0));
        thread::Builder::new().spawn(move || {
            // SAFETY: the thread owns the handle.
            unsafe { WaitForSingleObject(end.as_raw_handle(), INFINITE) };
            if let Some(output) = output {
                wait_for_end(&output, LAST_OUTPUT);
            }
            is_over.store(true, Ordering::Release);
            report_change();
        })?;
        Ok(Program {
            stdin: child.stdin.take(),
            stdout,
            stderr,
            child,
            job,
            over,
        })
    }

    /// Writes a line. A slot has one request at a time, so the pipe has room for all of them even if
    /// the program does not read.
    pub(crate) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(line)
    }

    /// Closes its input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Reads what it has written: 0 bytes at the end, `WouldBlock` if there is nothing yet. `None`
    /// once the end was read.
    pub(crate) fn read_output(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let read = self.stdout.as_ref()?.read(buffer);
        if matches!(read, Ok(0)) {
            self.stdout = None;
        }
        Some(read)
    }

    /// Does not read its output any more.
    pub(crate) fn close_output(&mut self) {
        self.stdout = None;
    }

    /// Like [`read_output`](Self::read_output), for standard error.
    pub(crate) fn read_errors(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let read = self.stderr.as_ref()?.read(buffer);
        if matches!(read, Ok(0)) {
            self.stderr = None;
        }
        Some(read)
    }

    /// Returns `true` if the process has ended, and its output was read as far as it ended as well.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Its exit status; `None` while it runs.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process and all that it has started. Output that was not read yet is lost.
    pub(crate) fn kill(&mut self) {
        self.job.kill();
        self.stdin = None;
        let _ = self.child.wait();
    }

    /// Ends the process: no other request can be made of one without a console.
    pub(crate) fn interrupt(&mut self) {
        self.kill();
    }

    /// Not available: the callers ask [`lacks`](super::lacks) first.
    pub(crate) fn stop(&self) {}

    /// Not available: the callers ask [`lacks`](super::lacks) first.
    pub(crate) fn resume(&self) {}

    fn has_news(&self) -> bool {
        let pipes = [&self.stdout, &self.stderr];
        self.over.load(Ordering::Acquire) || pipes.into_iter().flatten().any(Pipe::has_news)
    }
}

/// Waits until programs have written or ended, or the time has passed. Returns the owners of these,
/// each once if those of one owner stand together.
pub(crate) fn wait<'a>(
    programs: impl Iterator<Item = (usize, &'a Program)>,
    timeout: Duration,
) -> Vec<usize> {
    let programs: Vec<(usize, &Program)> = programs.collect();
    let deadline = Instant::now() + timeout;
    let mut changed = lock(&CHANGED.0);
    loop {
        let news = programs.iter().filter(|(_, program)| program.has_news());
        let mut numbers: Vec<usize> = news.map(|(owner, _)| *owner).collect();
        numbers.dedup();
        let left = deadline.saturating_duration_since(Instant::now());
        if !numbers.is_empty() || left.is_zero() {
            return numbers;
        }
        let woken = CHANGED.1.wait_timeout(changed, left);
        changed = woken.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Waits until the program has written or ended, or the time has passed.
pub(crate) fn wait_for(program: &Program, time: Duration) {
    wait(std::iter::once((0, program)), time);
    // One that has ended is always ready, and must not make the caller spin.
    if program.over.load(Ordering::Acquire) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// There is no limit of handles to raise.
pub(crate) fn allow_many() {}

/// Jobs keep what programs have started.
pub(crate) fn adopt_orphans() {}

/// A process is no child of its parent once that has ended.
pub(crate) fn reap_orphans<'a>(_programs: impl Iterator<Item = &'a Program>) {}

/// Nothing needs to be reaped.
pub(crate) fn reap_all() {}

/// Describes how a process ended.
pub(crate) fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) if code.cast_unsigned() == KILLED => "was killed".to_owned(),
        // A code of the system, such as an access violation.
        Some(code) if code < 0 => format!("exited with status {:#x}", code.cast_unsigned()),
        Some(code) => format!("exited with status {code}"),
        None => "ended".to_owned(),
    }
}

/// Returns `true` if the process was killed.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.code().map(i32::cast_unsigned) == Some(KILLED)
}

/// Returns `true` if the file can be executed: with its own extension or one of `PATHEXT`.
pub(crate) fn is_executable(path: &Path) -> bool {
    let extensions = std::env::var("PATHEXT").unwrap_or_else(|_| ".COM;.EXE;.BAT;.CMD".into());
    let with = |extension: &str| {
        let mut name: OsString = path.into();
        name.push(extension);
        PathBuf::from(name)
    };
    let has_own = path.extension().is_some_and(|own| {
        let own = own.to_string_lossy();
        extensions
            .split(';')
            .any(|known| known.trim_start_matches('.').eq_ignore_ascii_case(&own))
    });
    (has_own && path.is_file()) || extensions.split(';').any(|known| with(known).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmd(script: &str) -> Program {
        let mut command = Command::new("cmd");
        command.args(["/c", script]);
        Program::start(command).unwrap()
    }

    #[test]
    fn what_a_program_writes_is_read_until_its_end() {
        let mut program = cmd("echo one& echo two 1>&2& exit 7");
        let (mut output, mut errors, mut buffer) = (Vec::new(), Vec::new(), [0; 64]);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            assert!(Instant::now() < deadline, "no end");
            wait(std::iter::once((3, &program)), Duration::from_secs(1));
            if let Some(Ok(length)) = program.read_errors(&mut buffer) {
                errors.extend_from_slice(&buffer[..length]);
            }
            match program.read_output(&mut buffer) {
                Some(Ok(length)) => output.extend_from_slice(&buffer[..length]),
                Some(Err(_)) => {}
                None if program.is_over() => break,
                None => {}
            }
        }
        assert_eq!(String::from_utf8_lossy(&output).trim(), "one");
        assert_eq!(String::from_utf8_lossy(&errors).trim(), "two");
        assert_eq!(describe(program.status().unwrap()), "exited with status 7");
    }

    #[test]
    fn a_killed_program_is_known_as_killed() {
        let mut program = cmd("set /p x=");
        assert!(program.status().is_none());
        let news = wait(std::iter::once((0, &program)), Duration::from_millis(50));
        assert!(news.is_empty());
        program.kill();
        assert!(was_killed(program.status().unwrap()));
        assert_eq!(
            wait(std::iter::once((5, &program)), Duration::from_secs(30)),
            [5]
        );
    }
}
