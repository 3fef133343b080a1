//! Output of the command: results on standard output, notes and errors on standard error.
//!
//! Nothing here panics: if the terminal is closed, the command must still finish its work.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::styling::{AnsiColor, Style};

const WORD: Style = AnsiColor::Cyan.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Set by cargo's `--quiet`.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Suppresses notes from now on, but not warnings.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Prints a note, unless cargo is quiet.
pub fn note(text: impl Display) {
    if !QUIET.load(Ordering::Relaxed) {
        on_stderr(format_args!("{WORD}lockutils{WORD:#}: {text}"));
    }
}

/// Prints a line on standard output. A closed pipe (`| head`) is ignored; the exit status remains.
pub fn on_stdout(text: impl Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints the requested result on standard output.
///
/// # Errors
/// Returns an error if the write fails. A closed pipe is not an error.
pub fn result(text: impl Display) -> io::Result<()> {
    match writeln!(anstream::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(io::Error::new(
            error.kind(),
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Prints a line on standard error.
pub fn on_stderr(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a warning.
pub fn warning(text: impl Display) {
    on_stderr(format_args!("{WARNING}lockutils{WARNING:#}: {text}"));
}

/// Prints an error with all its causes on one line.
pub fn error(error: &anyhow::Error) {
    on_stderr(format_args!("{ERROR}error{ERROR:#}: {error:#}"));
}

/// The text without characters that move the cursor, change the writing direction or start a line.
pub fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            )
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

/// Maximum number of characters of a command line in a message.
pub const LONGEST: usize = 60;

/// The first `longest` characters, followed by an ellipsis if the text is longer.
pub fn shorten(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Each line of a text made [`printable`].
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
