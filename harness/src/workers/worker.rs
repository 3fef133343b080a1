//! One worker process: its input, its output and its end.

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use crate::protocol::{Line, Verb};
use crate::sys::program::Program;

pub(crate) use crate::sys::program::{allow_many as allow_many_descriptors, describe};

/// Maximum length of a line of the protocol, in bytes.
const LONGEST_LINE: usize = 16 * 1024;
/// Number of bytes read at a time, so that a worker that writes endlessly does not starve the
/// others.
const AT_ONCE: usize = 16 * 1024;
/// Bytes of standard error that are kept.
const EXCERPT: usize = 4 * 1024;

/// A worker process, together with all that it has started.
#[derive(Debug)]
pub struct WorkerProcess {
    program: Program,
    partial: Vec<u8>,
    errors: Vec<u8>,
    errors_dropped: u64,
    outlived: bool,
    /// Removed with the process.
    directory: Option<PathBuf>,
}

impl WorkerProcess {
    /// Starts the process, which dies with this one.
    pub fn start(command: Command) -> io::Result<Self> {
        Ok(WorkerProcess {
            program: Program::start(command)?,
            partial: Vec::new(),
            errors: Vec::new(),
            errors_dropped: 0,
            outlived: false,
            directory: None,
        })
    }

    /// Gives the process a directory that is removed with it.
    pub fn with_directory(mut self, directory: PathBuf) -> Self {
        self.directory = Some(directory);
        self
    }

    /// The program, to wait for it.
    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// Sends a request to a slot. Fails if the worker does not read, or is gone.
    pub fn send(&mut self, slot: usize, verb: Verb) -> io::Result<()> {
        self.write_line(&format!("{slot} {verb}\n"))
    }

    /// Writes a line as it is.
    pub fn write_line(&mut self, line: &str) -> io::Result<()> {
        self.program.write_line(line.as_bytes())
    }

    /// Ends the input: the worker has to exit.
    pub fn end_input(&mut self) {
        self.program.end_input();
    }

    /// Reads the lines that have arrived. Returns `false` once no more will come.
    pub fn lines(&mut self, lines: &mut Vec<Line>) -> bool {
        let mut buffer = [0; AT_ONCE];
        let Some(mut read) = self.program.read_output(&mut buffer) else {
            self.read_errors();
            return false;
        };
        let mut over = false;
        if !matches!(read, Ok(1..)) {
            self.read_errors();
            over = self.program.is_over();
            // What it has written before its end.
            if over && let Some(rest) = self.program.read_output(&mut buffer) {
                read = rest;
            }
        }
        let more = match read {
            Ok(0) => false,
            Ok(length) => {
                self.partial.extend_from_slice(&buffer[..length]);
                true
            }
            // A child of the worker may keep the pipe open; the worker's own output came before its
            // end.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.outlived = over;
                !over
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        };
        let mut start = 0;
        while let Some(length) = self.partial[start..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.partial[start..start + length]);
            lines.push(Line::parse(&line));
            start += length + 1;
        }
        self.partial.drain(..start);
        if self.partial.len() > LONGEST_LINE {
            let line = String::from_utf8_lossy(&self.partial[..200]).into_owned();
            lines.push(Line::Garbage(format!(
                "{line}… (and no end of line in {LONGEST_LINE} bytes)"
            )));
            self.partial.clear();
        }
        if !more {
            self.program.close_output();
        }
        more
    }

    fn read_errors(&mut self) {
        let mut buffer = [0; AT_ONCE];
        if let Some(Ok(length)) = self.program.read_errors(&mut buffer) {
            self.errors.extend_from_slice(&buffer[..length]);
            let excess = self.errors.len().saturating_sub(EXCERPT);
            self.errors.drain(..excess);
            self.errors_dropped += excess as u64;
        }
    }

    /// The last part of its standard error.
    pub fn errors(&mut self) -> String {
        for _ in 0..4 {
            self.read_errors();
        }
        let text = String::from_utf8_lossy(&self.errors);
        match self.errors_dropped {
            0 => text.trim().to_owned(),
            dropped => format!("({dropped} bytes before) {}", text.trim()),
        }
    }

    /// Returns `true` if its output was still open after its end: a child of it lives on.
    pub fn is_outlived(&self) -> bool {
        self.outlived
    }

    /// Its exit status; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.program.status()
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// Marks it as reaped by the tracer.
    #[cfg(all(target_os = "linux", feature = "explore"))]
    pub fn mark_reaped(&mut self) {
        self.program.mark_reaped();
    }

    /// Makes another process of the tracer, its successor, the one whose end counts.
    #[cfg(all(target_os = "linux", feature = "explore"))]
    pub fn continues_as(&mut self, successor: u32) {
        self.program.continues_as(successor);
    }

    /// Drops what has been written and not been read.
    #[cfg(all(target_os = "linux", feature = "explore"))]
    pub fn discard_output(&mut self) {
        let mut buffer = [0; AT_ONCE];
        while let Some(Ok(1..)) = self.program.read_output(&mut buffer) {}
        self.partial.clear();
    }

    /// Stops it and all that it has started.
    pub fn stop(&self) {
        self.program.stop();
    }

    /// Continues what [`stop`](Self::stop) has stopped.
    pub fn resume(&self) {
        self.program.resume();
    }

    /// Kills it and all that it has started. Output that was not read yet is lost.
    pub fn kill(&mut self) {
        self.program.kill();
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill();
        if let Some(directory) = &self.directory {
            // A directory in use is removed later, together with the base directory.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}
