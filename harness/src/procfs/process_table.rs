//! All processes at one moment, with their parents, groups and sessions.

use std::collections::HashMap;

use nix::unistd::Pid;

use super::processes::all;
use super::stat::Stat;

/// A process of a [`ProcessTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// The process.
    pub pid: Pid,
    /// Its state, parent, group and session.
    pub stat: Stat,
}

/// All processes but this one.
#[derive(Debug)]
pub struct ProcessTable(HashMap<Pid, ProcessRow>);

impl ProcessTable {
    /// Reads the state of every process, one after the other.
    pub fn now() -> Self {
        let row = |pid: Pid| {
            let stat = Stat::of(pid)?;
            Some((pid, ProcessRow { pid, stat }))
        };
        ProcessTable(all().filter_map(row).collect())
    }

    /// The processes, in no particular order.
    pub fn rows(&self) -> impl Iterator<Item = &ProcessRow> {
        self.0.values()
    }

    /// The living descendants of this process, except `spared` and their descendants.
    pub fn descendants(&self, spared: &[Pid]) -> Vec<ProcessRow> {
        let descends = |row: &&ProcessRow| {
            let mut pid = row.pid;
            // Parents may have changed while the table was read, so it may have a circle in it.
            for _ in 0..=self.0.len() {
                if pid == Pid::this() {
                    return true;
                }
                if spared.contains(&pid) {
                    return false;
                }
                match self.0.get(&pid) {
                    Some(row) => pid = row.stat.parent,
                    None => return false,
                }
            }
            false
        };
        self.rows()
            .filter(|row| row.stat.lives())
            .filter(descends)
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_a_descendant_unless_it_is_spared() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let is_there = |spared: &[Pid]| {
            let descendants = ProcessTable::now().descendants(spared);
            descendants.iter().any(|row| row.pid == pid)
        };
        assert!(is_there(&[]) && !is_there(&[pid]));
        child.kill().unwrap();
        assert!(!is_there(&[]) || child.try_wait().unwrap().is_none());
        child.wait().unwrap();
    }
}
