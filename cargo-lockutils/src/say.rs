//! What the command says: results on standard output, where nobody need read them to the end, and
//! of itself on standard error.
//!
//! Nothing here panics: a terminal that was closed cannot be written to, and the work still has to
//! be finished.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::styling::{AnsiColor, Style};

const WORD: Style = AnsiColor::Cyan.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Set by cargo's `--quiet`.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Leaves notes out from now on; warnings stay.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Tells something worth knowing, unless cargo is to be quiet.
pub fn note(text: impl Display) {
    if !QUIET.load(Ordering::Relaxed) {
        on_stderr(format_args!("{WORD}lockutils{WORD:#}: {text}"));
    }
}

/// A line on standard output. If nobody reads it any more (`| head`), the work goes on, and the
/// exit status still tells.
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
    on_stderr(format_args!("{WARNING}lockutils{WARNING:#}: {text}"));
}

/// Tells why the command failed, with all causes on one line.
pub fn error(error: &anyhow::Error) {
    on_stderr(format_args!("{ERROR}error{ERROR:#}: {error:#}"));
}

/// A name or command line with nothing in it that could move the cursor, change the direction of
/// writing or begin a new line.
pub fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| {
            if acts(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// The same of a text of several lines.
pub fn lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_is_printed() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(printable("a\u{202e}b\u{2028}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(printable("größe 鎖"), "größe 鎖");
    }
}
