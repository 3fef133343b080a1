//! The mark of a run: a word in the environment of all its processes.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::Pid;

use crate::process_table::{ProcessTable, Row};

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
        let name = VARIABLE.as_bytes();
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
            environment
                .split(|&byte| byte == 0)
                .filter_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
                .any(|value| {
                    value
                        .split(|&byte| byte == b',')
                        .any(|mark| mark == self.0.as_bytes())
                })
        })
    }

    /// The living processes with the mark, and those in a process group that one of them leads.
    pub fn processes(&self) -> Vec<Pid> {
        let table = ProcessTable::now();
        let marked: Vec<Pid> = table
            .rows()
            .filter(|row| row.lives())
            .map(|row| row.pid)
            .filter(|&pid| self.is_on(pid))
            .collect();
        let belongs = |row: &&Row| marked.contains(&row.pid) || marked.contains(&row.group);
        table
            .rows()
            .filter(|row| row.lives())
            .filter(belongs)
            .map(|row| row.pid)
            .collect()
    }
}
