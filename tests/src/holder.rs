//! A process that takes our locks on demand: the program `lock-holder`.

use std::path::Path;
use std::process::Command;

use crate::conversation::Conversation;

/// Starts a holder whose OSLO_LOCK_PATH is `lock_path`. Its program is built with the tests, and handed in by
/// `env!("CARGO_BIN_EXE_lock-holder")`.
pub fn start(program: &str, lock_path: &Path) -> Conversation {
    let mut command = Command::new(program);
    command.env("OSLO_LOCK_PATH", lock_path);
    Conversation::start(command)
}
