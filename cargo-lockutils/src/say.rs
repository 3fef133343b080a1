//! What the command says of itself, on standard error.

use std::fmt::Display;

use anstream::eprintln;
use clap::builder::styling::{AnsiColor, Style};

const WORD: Style = AnsiColor::Cyan.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Tells something worth knowing.
pub fn note(text: impl Display) {
    eprintln!("{WORD}lockutils{WORD:#}: {text}");
}

/// Tells of something that should not be so.
pub fn warning(text: impl Display) {
    eprintln!("{WARNING}lockutils{WARNING:#}: {text}");
}

/// Tells why the command failed, with all causes on one line.
pub fn error(error: &anyhow::Error) {
    eprintln!("{ERROR}error{ERROR:#}: {error:#}");
}
