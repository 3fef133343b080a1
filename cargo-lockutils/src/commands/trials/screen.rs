//! The screen: lines of results and, on a terminal, a progress line at the bottom.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::SIGINT;

use crate::output;
use crate::sys::{INTERRUPTS, Status};

/// Current width of the terminal; `None` in a log.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| width.0.into())
}

/// The screen of a trial.
pub struct Screen {
    on_stderr: bool,
    live: ProgressBar,
}

impl Screen {
    /// A screen whose lines go to standard error if standard output is for JSON.
    pub fn new(json: bool) -> Self {
        let live = match io::stderr().is_terminal() {
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            live.set_style(style);
        }
        Screen {
            on_stderr: json,
            live,
        }
    }

    /// Prints a line that stays.
    pub fn line(&self, text: &str) {
        self.live.suspend(|| match self.on_stderr {
            true => output::on_stderr(text),
            false => output::on_stdout(text),
        });
    }

    /// Updates the progress line.
    pub fn show(&self, text: String) {
        self.live.set_message(text);
        self.live.tick();
    }

    /// Clears the progress line.
    pub fn clear(&self) {
        self.live.finish_and_clear();
        self.live.reset();
    }
}

/// The signal that interrupted the run, or 0.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// A flag that SIGINT, SIGTERM or, on Unix, SIGHUP sets. A second signal ends the process at once.
pub fn interrupted() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for &signal in INTERRUPTS {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted))?;
        let number = signal.unsigned_abs() as usize;
        // Registered before the flag, so that a reader of the flag also sees the number.
        signal_hook::flag::register_usize(signal, Arc::clone(&SIGNAL), number)?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    Ok(interrupted)
}

/// Corrects the exit status of an interrupted run to 128 + N for signal N; the harness assumes
/// SIGINT.
pub fn exit_status(status: u8) -> u8 {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => status,
        signal if status == 128 + SIGINT as u8 => 128 + signal as u8,
        _ => status,
    }
}

/// The exit status of a run that may have been interrupted before it had a result.
pub fn unless_interrupted(result: Result<Status>) -> Result<Status> {
    match (result, SIGNAL.load(Ordering::SeqCst)) {
        (Err(error), signal) if signal != 0 => {
            output::error(&error);
            Ok(128 + signal as Status)
        }
        (result, _) => result,
    }
}
