//! Where results appear line by line, with a last line that moves if somebody looks on.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::say;

/// How wide lines may be: as the terminal is now; a log has no width.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| width.0.into())
}

/// See the module.
pub struct Screen {
    on_stderr: bool,
    live: ProgressBar,
}

impl Screen {
    /// Lines go to standard error if standard output is for JSON.
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

    /// A line that stays.
    pub fn line(&self, text: &str) {
        self.live.suspend(|| match self.on_stderr {
            true => say::on_stderr(text),
            false => say::on_stdout(text),
        });
    }

    /// What is going on.
    pub fn show(&self, text: String) {
        self.live.set_message(text);
        self.live.tick();
    }

    /// Nothing is going on any more.
    pub fn clear(&self) {
        self.live.finish_and_clear();
        self.live.reset();
    }
}

/// Which signal asked us to stop; 0 if none did.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Is set when somebody asks us to stop; the second time, we end at once, since nobody wants to see
/// what was found.
pub fn interrupted() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted))?;
        let number = signal.unsigned_abs() as usize;
        // Before the flag, so that whoever sees the flag sees the number.
        signal_hook::flag::register_usize(signal, Arc::clone(&SIGNAL), number)?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    Ok(interrupted)
}

/// The exit status of an interrupted run is 128 + N for the signal N that it was; the harness takes
/// every one for SIGINT.
pub fn exit_status(status: u8) -> u8 {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => status,
        signal if status == 128 + SIGINT as u8 => 128 + signal as u8,
        _ => status,
    }
}

/// The same of a run that was interrupted before anything could be said.
pub fn unless_interrupted(result: Result<u8>) -> Result<u8> {
    match (result, SIGNAL.load(Ordering::SeqCst)) {
        (Err(error), signal) if signal != 0 => {
            say::error(&error);
            Ok(128 + signal as u8)
        }
        (result, _) => result,
    }
}
