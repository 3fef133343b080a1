//! The mark of a run: a word in the environment of all its processes.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use lockutils_harness::procfs::{self, ProcessRow, ProcessTable};
use nix::unistd::Pid;

/// The environment variable. A nested run appends its own mark.
const VARIABLE: &str = "LOCKUTILS_RUN_MARK";

/// The mark of one run.
#[derive(Clone, Debug)]
pub struct RunMark(String);

impl RunMark {
    pub fn new() -> Self {
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        RunMark(format!("{:x}-{:x}", std::process::id(), time.as_nanos()))
    }

    pub fn from_word(word: &str) -> Self {
        RunMark(word.to_owned())
    }

    pub fn word(&self) -> &str {
        &self.0
    }

    /// Marks the command and its descendants, except those that clear their environment.
    pub fn put_on(&self, command: &mut Command) {
        let mut value = env::var_os(VARIABLE).unwrap_or_default();
        if !value.is_empty() {
            value.push(",");
        }
        value.push(&self.0);
        command.env::<_, OsString>(VARIABLE, value);
    }

    /// Returns `true` if the process started with the mark; `false` if its environment is not
    /// readable.
    pub fn is_on(&self, pid: Pid) -> bool {
        procfs::environment(pid).is_ok_and(|environment| {
            environment.values(VARIABLE).any(|value| {
                let mut marks = value.as_bytes().split(|&byte| byte == b',');
                marks.any(|mark| mark == self.0.as_bytes())
            })
        })
    }

    /// The living processes with the mark, and those in a process group that one of them leads.
    pub fn processes(&self) -> Vec<Pid> {
        let table = ProcessTable::now();
        let marked: Vec<Pid> = table
            .rows()
            .filter(|row| row.stat.lives())
            .map(|row| row.pid)
            .filter(|&pid| self.is_on(pid))
            .collect();
        let belongs =
            |row: &&ProcessRow| marked.contains(&row.pid) || marked.contains(&row.stat.group);
        table
            .rows()
            .filter(|row| row.stat.lives())
            .filter(belongs)
            .map(|row| row.pid)
            .collect()
    }
}
