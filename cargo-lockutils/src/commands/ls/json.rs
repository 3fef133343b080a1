//! The JSON of `ls --json`; documented in docs/reference/ls-json.md.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;

use crate::lock_scan::{FileLock, LockKind, LockMode, Role, Scan, User};

/// Increases when a field changes its meaning or is removed.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document {
    schema: u32,
    tool: &'static str,
    lock_path: String,
    at_unix: f64,
    hidden_processes: usize,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    file: String,
    lock_file: bool,
    users: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    role: &'static str,
    kind: Option<LockKind>,
    mode: Option<LockMode>,
    pid: Option<i32>,
    command: Option<String>,
    process_started_unix: Option<f64>,
}

impl Entry {
    fn of(user: &User, now: f64) -> Self {
        let (role, lock): (_, Option<FileLock>) = match user.role {
            Role::Holds(lock) => ("holds", Some(lock)),
            Role::Waits(lock) => ("waits", Some(lock)),
            Role::HasOpen => ("has-open", None),
        };
        let process = user.process.as_ref();
        Entry {
            role,
            kind: lock.map(|lock| lock.kind),
            mode: lock.map(|lock| lock.mode),
            pid: process.map(|process| process.pid),
            command: process.map(|process| process.command.clone()),
            process_started_unix: process
                .and_then(|process| process.age)
                .map(|age| now - age.as_secs_f64()),
        }
    }
}

pub fn of(lock_path: &Path, scan: &Scan) -> Result<String> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs_f64();
    let files = scan.files.iter().map(|(file, users)| File {
        file: file.to_string_lossy().into_owned(),
        lock_file: !scan.other_files.contains_key(file),
        users: users.iter().map(|user| Entry::of(user, now)).collect(),
    });
    Ok(serde_json::to_string_pretty(&Document {
        schema: SCHEMA,
        tool: env!("CARGO_PKG_VERSION"),
        lock_path: lock_path.to_string_lossy().into_owned(),
        at_unix: now,
        hidden_processes: scan.hidden,
        files: files.collect(),
    })?)
}
