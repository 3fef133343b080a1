//! All processes at one moment, with their parents, groups and sessions.

use std::collections::HashMap;
use std::fs;

use lockutils_harness::procfs;
use nix::unistd::Pid;

/// One process (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub pid: Pid,
    pub parent: Pid,
    pub group: Pid,
    pub session: Pid,
    state: char,
}

impl Row {
    /// Of the text of /proc/PID/stat. The name in the second field may have blanks and brackets.
    fn parse(pid: Pid, stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let state = fields.next()?.chars().next()?;
        let mut number = || Some(Pid::from_raw(fields.next()?.parse().ok()?));
        Some(Row {
            pid,
            parent: number()?,
            group: number()?,
            session: number()?,
            state,
        })
    }

    /// A process that nobody has reaped yet does not.
    pub fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// See the module; we ourselves are left out.
pub struct ProcessTable(HashMap<Pid, Row>);

impl ProcessTable {
    pub fn now() -> Self {
        let row =
            |pid: Pid| Row::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
        ProcessTable(
            procfs::all()
                .filter_map(|pid| Some((pid, row(pid)?)))
                .collect(),
        )
    }

    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.values()
    }

    /// What lives of our descendants, but for `spared` and their descendants.
    pub fn descendants(&self, spared: &[Pid]) -> Vec<Row> {
        let descends = |row: &&Row| {
            let mut pid = row.pid;
            // A table that is not of one moment may have a circle in it.
            for _ in 0..=self.0.len() {
                if pid == Pid::this() {
                    return true;
                }
                if spared.contains(&pid) {
                    return false;
                }
                match self.0.get(&pid) {
                    Some(row) => pid = row.parent,
                    None => return false,
                }
            }
            false
        };
        self.rows()
            .filter(|row| row.lives())
            .filter(descends)
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let row = Row::parse(Pid::from_raw(7), "7 (a) b (c) S 1 2 3 4 5").unwrap();
        let numbers = [row.parent, row.group, row.session].map(Pid::as_raw);
        assert_eq!((numbers, row.lives()), ([1, 2, 3], true));
    }

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
