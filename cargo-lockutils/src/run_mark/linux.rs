//! The processes of a run, by the mark in their environment.

use std::os::unix::ffi::OsStrExt;

use lockutils_harness::procfs::{self, ProcessRow, ProcessTable};
use nix::unistd::Pid;

use super::{RunMark, VARIABLE};

impl RunMark {
    /// Returns `true` if the process started with the mark; `false` if its environment is not
    /// readable.
    pub fn is_on(&self, pid: Pid) -> bool {
        procfs::environment(pid).is_ok_and(|environment| {
            environment.values(VARIABLE).any(|value| {
                let mut marks = value.as_bytes().split(|&byte| byte == b',');
                marks.any(|mark| mark == self.word().as_bytes())
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
