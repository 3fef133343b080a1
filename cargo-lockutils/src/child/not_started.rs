//! Commands that cannot be started.

use std::io;
use std::process::Command;

use crate::output;
use crate::sys::Status;

const NOT_EXECUTABLE: Status = 126;
const NOT_FOUND: Status = 127;

/// Prints the reason and returns the exit status.
pub fn not_started(command: &Command, error: &io::Error) -> Status {
    let (status, advice) = match error.kind() {
        io::ErrorKind::NotFound => (NOT_FOUND, "check the spelling and PATH"),
        _ => (NOT_EXECUTABLE, "check that it is an executable program"),
    };
    let program = output::printable(&command.get_program().to_string_lossy());
    output::warning(format_args!("{program} cannot be run: {error}; {advice}"));
    status
}
