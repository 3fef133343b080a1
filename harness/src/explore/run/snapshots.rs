//! Records the state after each step.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::engines::Key;
use crate::model::{KeySnapshot, Phase, Snapshot, Verb, WorkerSnapshot};

use super::super::command::Command;
use super::super::controller::WorkerState;
use super::super::printable::printable;
use super::super::schedule::Action;
use super::super::syscalls::Operation;
use super::Run;

/// Maximum number of characters of a value.
const LONGEST: usize = 64;

impl Run<'_, '_> {
    /// Records the state if a step was taken since the last time, or none yet. The time that it
    /// takes does not count as time in the section.
    pub(super) fn observe(&mut self) {
        if !self.config.observes {
            return;
        }
        let began = Instant::now();
        while self.snapshots.len() <= self.steps.len() {
            let snapshot = self.snapshot();
            self.snapshots.push(snapshot);
        }
        let spent = began.elapsed();
        for worker in &mut self.workers {
            worker.requested.0 += spent;
            if let Some(hold) = &mut worker.inside {
                hold.since += spent;
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let workers = 0..self.workers.len();
        Snapshot {
            workers: workers.map(|number| self.worker_now(number)).collect(),
            files: self
                .controller
                .files_now(&self.files_elsewhere(), !self.has_file_leases()),
            keys: self.keys_now(),
        }
    }

    fn worker_now(&self, number: usize) -> WorkerSnapshot {
        let worker = &self.workers[number];
        let controlled = &self.controller.workers[number];
        let waits = matches!(
            controlled.state,
            WorkerState::Blocked | WorkerState::WaitingElsewhere
        );
        let phase = match controlled.command {
            _ if worker.dead => Phase::Dead,
            _ if worker.inside.is_some() => Phase::Inside,
            Some(Command::Verb(Verb::Release)) => Phase::Releasing,
            Some(Command::Verb(Verb::Remove)) => Phase::Removing,
            Some(Command::Leave) => Phase::Leaving,
            Some(Command::Verb(_)) if waits => Phase::Waiting,
            Some(Command::Verb(_)) => Phase::Acquiring,
            None if worker.script.is_empty() => Phase::Finished,
            None => Phase::Idle,
        };
        WorkerSnapshot {
            phase,
            lease_over: worker.stale && !worker.dead,
            wrapper_killed: worker.torn,
        }
    }

    /// Files outside the lock's directory that steps have named.
    fn files_elsewhere(&self) -> BTreeSet<String> {
        let calls = self.steps.iter().filter_map(|step| match &step.action {
            Action::Called { call, .. } | Action::Blocked { call } => Some(call),
            _ => None,
        });
        let targets = calls.flat_map(|call| &call.targets);
        targets
            .filter(|name| name.starts_with('/'))
            .cloned()
            .collect()
    }

    /// Returns `true` if a worker may have a lease on a file (fcntl(2), F_SETLEASE), which ends when
    /// the file is opened.
    fn has_file_leases(&self) -> bool {
        self.steps.iter().any(|step| match &step.action {
            Action::Called { call, .. } => call.operation == Operation::Lease,
            _ => false,
        })
    }

    fn keys_now(&self) -> Option<Vec<KeySnapshot>> {
        let keys = self.controller.keys().ok()??;
        let owner = |key: &Key| {
            let mut workers = 0..self.workers.len();
            workers.find(|&number| self.leases.of(number).any(|lease| lease.id == key.name))
        };
        let mut keys: Vec<KeySnapshot> = keys
            .iter()
            .map(|key| KeySnapshot {
                name: printable(key.name.as_bytes(), LONGEST),
                value: printable(key.value.as_bytes(), LONGEST),
                left_s: key.left.map(|left| left.as_millis().div_ceil(1000) as u64),
                owner: owner(key),
            })
            .collect();
        keys.sort();
        Some(keys)
    }
}
