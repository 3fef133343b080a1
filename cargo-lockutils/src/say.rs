//! What the command says: results on standard output, where nobody need read them to the end, and of itself on standard error.

use std::fmt::Display;
use std::io::{self, Write};

use anstream::eprintln;
use clap::builder::styling::{AnsiColor, Style};

const WORD: Style = AnsiColor::Cyan.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Tells something worth knowing.
pub fn note(text: impl Display) {
    eprintln!("{WORD}lockutils{WORD:#}: {text}");
}

/// A line on standard output. If nobody reads it any more (`| head`), the work goes on, and the exit status still tells.
pub fn on_stdout(text: impl Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// What was asked for, on standard output.
///
/// # Errors
/// If it cannot be written. That nobody reads it any more is none.
pub fn result(text: impl Display) -> io::Result<()> {
    match writeln!(anstream::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(io::Error::new(
            error.kind(),
            format!("standard output cannot be written: {error}"),
        )),
        _ => Ok(()),
    }
}

/// A line on standard error.
pub fn on_stderr(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Tells of something that should not be so.
pub fn warning(text: impl Display) {
    eprintln!("{WARNING}lockutils{WARNING:#}: {text}");
}

/// Tells why the command failed, with all causes on one line.
pub fn error(error: &anyhow::Error) {
    eprintln!("{ERROR}error{ERROR:#}: {error:#}");
}
