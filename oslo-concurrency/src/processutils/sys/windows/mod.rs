//! Windows: handles and job objects; no fork, no signals, no limits.

mod job;
mod running;
mod shell;
#[cfg(feature = "ssh")]
pub(crate) mod socket;

use super::types::Asked;

pub(super) use running::{Handle, Running};

pub(super) const UNLIMITED: u64 = u64::MAX;

pub(super) fn unavailable(asked: &Asked<'_>) -> Option<(&'static str, &'static str)> {
    if asked.preexec {
        let advice = "nothing of this program runs in the child; do it before, or in the command";
        return Some(("preexec", advice));
    }
    if asked.prlimit {
        let advice = "omit it; `timeout` ends a command that takes too long";
        return Some(("prlimit", advice));
    }
    if asked.as_root {
        let advice = "start this program as administrator, and omit it";
        return Some(("run_as_root", advice));
    }
    if !asked
        .script_arguments
        .iter()
        .all(|word| shell::is_safe(word))
    {
        let advice = "cmd would read more than an argument in one of the words after the script; pass it in a variable of the environment";
        return Some(("shell with such a word", advice));
    }
    None
}

pub(super) fn is_root() -> bool {
    false
}

pub(super) fn signal_name(_: i32) -> Option<&'static str> {
    None
}

/// The signals of SSH (RFC 4254, 6.10), by their numbers on most systems.
#[cfg(feature = "ssh")]
pub(super) fn signal_number(name: &str) -> Option<i32> {
    const SIGNALS: [(&str, i32); 12] = [
        ("SIGHUP", 1),
        ("SIGINT", 2),
        ("SIGQUIT", 3),
        ("SIGABRT", 6),
        ("SIGFPE", 8),
        ("SIGKILL", 9),
        ("SIGUSR1", 10),
        ("SIGSEGV", 11),
        ("SIGUSR2", 12),
        ("SIGPIPE", 13),
        ("SIGALRM", 14),
        ("SIGTERM", 15),
    ];
    SIGNALS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|&(_, number)| number)
}
