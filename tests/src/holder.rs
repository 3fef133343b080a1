//! A process that acquires our locks on command: the program `lock-holder`.

use std::path::Path;
use std::process::Command;

use crate::conversation::Conversation;

/// Starts a holder with `lock_path` as its OSLO_LOCK_PATH. The program is built with the tests,
/// which pass `env!("CARGO_BIN_EXE_lock-holder")`.
pub fn start(program: &str, lock_path: &Path) -> Conversation {
    let mut command = Command::new(program);
    command.env("OSLO_LOCK_PATH", lock_path);
    Conversation::start(command)
}
